"""What arms that see the targets ask for: the targets of the mode, and no others."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, Action, drawn_actions, drawn_embeddings, log_of

from pinnersage._arrays import Int32s
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Day, Mode, ReplayLog, Scorer, walk
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig

ORACLES = ["oracle-past-items", "oracle-kmeans-3"]
BUDGET = 6
BUDGETS = (3, BUDGET)


ACTIONS = drawn_actions(7, n_items=180, n=1_800)


def day_of(actions: list[Action]) -> tuple[ReplayLog, Day]:
    log = log_of(actions, drawn_embeddings(7, 180))
    (day,) = walk(log, 45 * DAY, 1, window_ms=90 * DAY)
    return log.before(day.start_ms), day


def day_with_repeats() -> tuple[ReplayLog, Day]:
    known, day = day_of(ACTIONS)
    assert 0 < day.first_time.sum() < len(day.first_time)
    return known, day


def without_repeats() -> list[Action]:
    """Leave out what users do again from the day on."""
    seen = {(user, row) for user, row, ms in ACTIONS if ms < 45 * DAY}
    kept = [a for a in ACTIONS if a[2] < 45 * DAY or a[:2] not in seen]
    assert len(kept) < len(ACTIONS)
    return kept


def lists_of(name: str, known: ReplayLog, day: Day, *modes: Mode) -> list[Int32s]:
    (arm,) = untrained_arms(known, Parts(NeighborLists(known.embeddings, 30)), [name])
    return [arm.recommend(day, known, BUDGET, mode) for mode in modes]


@pytest.mark.parametrize("name", ORACLES)
def test_repeats_change_nothing_in_first_time_lists(name: str) -> None:
    known, day = day_with_repeats()
    (beside_repeats,) = lists_of(name, known, day, "first_time")
    known_too, bare = day_of(without_repeats())
    assert bare.first_time.all()
    (alone,) = lists_of(name, known_too, bare, "first_time")
    ids = [known_too.user_ids[u] for u in bare.users.tolist()]
    for u, user in enumerate(day.users.tolist()):
        if known.user_ids[user] in ids:
            assert beside_repeats[u].tolist() == alone[ids.index(known.user_ids[user])].tolist()
            assert (beside_repeats[u] >= 0).all()
        else:
            assert (beside_repeats[u] < 0).all()


@pytest.mark.parametrize("name", ORACLES)
def test_one_mode_answers_the_same_after_the_other(name: str) -> None:
    known, day = day_with_repeats()
    first, everything = (lists_of(name, known, day, mode)[0] for mode in ("first_time", "all"))
    assert first.tolist() != everything.tolist()
    for modes in (("first_time", "all"), ("all", "first_time")):
        answers = dict(zip(modes, lists_of(name, known, day, *modes), strict=True))
        assert answers["first_time"].tolist() == first.tolist()
        assert answers["all"].tolist() == everything.tolist()


def evaluated(actions: list[Action], out: Path) -> Report:
    log = log_of(actions, drawn_embeddings(7, 180))
    return evaluate_log(
        log, out_dir=out, first_day_ms=45 * DAY, n_days=1, arms=ORACLES, page=False,
        evaluation=EvaluationConfig(budgets=BUDGETS, n_resamples=20),
    )  # fmt: skip


@pytest.mark.parametrize("name", ORACLES)
def test_repeats_change_no_first_time_figure_also_not_among_impressions(name: str, tmp_path: Path) -> None:
    reports = [evaluated(some, tmp_path / str(len(some))) for some in (ACTIONS, without_repeats())]
    for metric, budget in itertools.product(("recall", "r_precision", "reciprocal_rank"), BUDGETS):
        with_repeats, without = (report.mean(name, metric, budget=str(budget)) for report in reports)
        assert with_repeats.value == pytest.approx(without.value)
        assert with_repeats.n_users == without.n_users > 0


def test_scores_are_of_the_targets_given() -> None:
    known, day = day_with_repeats()
    bare = day.with_targets_of("first_time")
    (arm,) = untrained_arms(known, Parts(NeighborLists(known.embeddings, 30)), ORACLES[:1])
    assert isinstance(arm, Scorer)
    repeats = day.target_rows[~day.first_time]
    offsets = np.concatenate(([0], np.cumsum(~day.first_time)))[day.target_offsets]
    assert arm.score(day, known, offsets, repeats) == pytest.approx(1.0, abs=1e-5)
    assert (arm.score(bare, known, offsets, repeats) < 0.999).any()

"""Actions of weight 0 tell that an item was seen, and nothing of liking it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of, with_categories

from pinnersage.errors import DataError
from pinnersage.evaluation.arms.trained_matrices import user_item_matrix
from pinnersage.evaluation.arms.trained_sequences import timelines
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import ReplayLog, walk
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.state import n_users_per_item
from pinnersage.ranking.actions import items_between
from pinnersage.ranking.statistics import statistics_before

EYE = np.eye(6, dtype=np.float32)
EVERYBODY = np.arange(3, dtype=np.int32)


def weighed(log: ReplayLog, *, zero: list[int]) -> ReplayLog:
    """Take the weight from all actions on some items."""
    return replace(log, weights=np.where(np.isin(log.item_rows, zero), 0, 1).astype(np.float32))


def small_log() -> ReplayLog:
    """Item 1 is acted on by all and liked by nobody."""
    actions = [(user, row, (1 + row) * DAY) for user in "abc" for row in (0, 1)]
    return weighed(log_of([*actions, ("a", 2, 9 * DAY), ("a", 1, 9 * DAY)], EYE), zero=[1])


def test_they_are_no_targets() -> None:
    (day,) = walk(small_log(), 9 * DAY, 1, window_ms=90 * DAY)
    assert day.target_rows.tolist() == []  # item 2 was born that day, and nobody liked item 1
    later = replace(small_log(), born_ms=np.zeros(6, np.int64))
    (day,) = walk(later, 9 * DAY, 1, window_ms=90 * DAY)
    assert day.target_rows.tolist() == [2]


def test_what_was_seen_without_liking_it_is_not_new() -> None:
    log = log_of([("a", 0, DAY), ("a", 1, 2 * DAY), ("a", 1, 9 * DAY)], EYE)
    log = replace(log, weights=np.array([1, 0, 1], np.float32))
    (day,) = walk(log, 9 * DAY, 1, window_ms=90 * DAY)
    assert (day.target_rows.tolist(), day.first_time.tolist()) == ([1], [False])
    (arm,) = untrained_arms(log, Parts(NeighborLists(log.embeddings, 6)), ["popular"])
    assert 1 not in arm.recommend(day, log.before(9 * DAY), 6, "first_time")


def test_they_make_nothing_popular_and_teach_nothing() -> None:
    log = small_log()
    assert n_users_per_item(log).tolist() == [3, 0, 1, 0, 0, 0]
    assert statistics_before(log, 20 * DAY).ever.tolist() == [3, 0, 1, 0, 0, 0]
    assert items_between(log, 0, 0, 20 * DAY).tolist() == [0, 1, 2]
    assert items_between(log, 0, 0, 20 * DAY, liked=True).tolist() == [0, 2]
    lines = timelines(log, EVERYBODY, np.arange(1, 7), 0)
    assert lines.ids.tolist() == [1, 3, 1, 1]


def test_matrices_of_trained_arms_hold_what_was_liked() -> None:
    pytest.importorskip("scipy.sparse")
    found = user_item_matrix(small_log(), EVERYBODY, 0, counted=False).toarray()
    assert found.tolist() == [[1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]


def test_the_last_item_is_the_last_one_liked() -> None:
    log = small_log().before(9 * DAY)
    day = next(walk(replace(small_log(), born_ms=np.zeros(6, np.int64)), 9 * DAY, 1, window_ms=90 * DAY))
    (arm,) = untrained_arms(log, Parts(NeighborLists(log.embeddings, 6)), ["last-item"])
    assert arm.recommend(day, log, 1, "all").tolist() == [[0]]
    only_seen = weighed(log, zero=[0, 1])
    (arm,) = untrained_arms(log, Parts(NeighborLists(log.embeddings, 6)), ["last-item"])
    assert arm.recommend(day, only_seen, 1, "all").tolist() == [[1]]


def test_a_span_without_any_weight_holds_nothing_to_measure(tmp_path: Path) -> None:
    log = with_categories(log_of(drawn_actions(6), drawn_embeddings(6)))
    log = replace(log, weights=(log.times_ms < 40 * DAY).astype(np.float32))
    with pytest.raises(DataError, match="act with a weight above 0"):
        evaluate_log(log, out_dir=tmp_path, first_day_ms=40 * DAY, n_days=5, page=False)


def test_figures_are_those_of_a_log_with_seen_items_besides(tmp_path: Path) -> None:
    """Everybody sees item 59 before the first day; interests are left out: their records hold it."""
    actions = [a for a in drawn_actions(6) if a[1] != 59]
    embeddings = drawn_embeddings(6)
    seen = [(f"u{user:02d}", 59, 39 * DAY) for user in range(12)]
    found = {}
    for name, some in (("without", actions), ("with", actions + seen)):
        log = with_categories(weighed(log_of(some, embeddings), zero=[59]))
        report = evaluate_log(
            log, out_dir=tmp_path / name, first_day_ms=40 * DAY, n_days=5, page=False,
            arms=["last-item", "mean-0.01", "popular", "popular-category"],
            evaluation=EvaluationConfig(budgets=(4,), n_resamples=20),
        )  # fmt: skip
        found[name] = [report.mean(arm, "recall", budget="4").value for arm in report.arms]
        found[name] += [report.mean("popular", "recall", budget="4", part="all").value]
    assert found["with"] == found["without"]

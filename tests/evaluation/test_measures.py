"""Metric values on a log small enough to work them out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log2, sqrt
from typing import ClassVar

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, Action, drawn_actions, drawn_embeddings, log_of

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.contexts import context_of, cosines_of, evaluated_users
from pinnersage.evaluation.impressions import candidates_to_rank
from pinnersage.evaluation.measures import METRICS, SLICES
from pinnersage.evaluation.measuring import Course, measure
from pinnersage.evaluation.replay import Arm, Day, Mode, ReplayLog, walk
from pinnersage.evaluation.saved import ArmResult
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.state import RecordCache

# Items 0..5: four axes, then one at cosine 0.8 to item 1 and one at 0.6 to item 2.
ITEMS = np.array(
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0.6, 0.8, 0, 0], [0.8, 0, 0.6, 0]], np.float32
)
# Before day 9: user a acted on 0 and 1 (once each), b on all others.
EARLIER: list[Action] = [("a", 0, 8 * DAY), ("a", 1, 8 * DAY)]
EARLIER += [("b", row, 8 * DAY) for row in (2, 3, 4, 5)]


@dataclass
class Says:
    """An arm that lists what it is told."""

    rows: list[int]
    name: str = "says"

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        padded = (self.rows + [-1] * budget)[:budget]
        return np.tile(np.array(padded, np.int32), (day.n_users, 1))


class Scores(Says):
    """... and scores items by a table."""

    table: ClassVar[list[float]] = [0, 0, 5, 1, 0, 0]

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        return np.array(self.table, np.float32)[item_rows]


def measured(
    arm: Arm,
    later: list[Action],
    budget: int,
    shown: list[Action] | None = None,
    n_days: int = 1,
    earlier: list[Action] = EARLIER,
) -> ArmResult:
    log = log_of(earlier + later, ITEMS)
    config, evaluation = BuildConfig().interests, EvaluationConfig(n_impressions_per_action=2)
    days = list(walk(log, 9 * DAY, n_days, window_ms=90 * DAY))
    who = evaluated_users(log, days, config)
    contexts = [
        context_of(
            day, log.before(day.start_ms), who, RecordCache().of_day(day, log.before(day.start_ms), config),
            evaluation, log_of(shown, ITEMS) if shown else None, cosines_of(log.embeddings),
        )
        for day in days
    ]  # fmt: skip
    course = Course(contexts, log.before, cosines_of(log.embeddings), [budget], len(who.users), 0.8, 2, 1)
    return measure(arm, course, lambda _n: None)


def figure(result: ArmResult, metric: str, part: str, place: int = 0) -> float:
    top, bottom = result.sums[place, 0, SLICES.index(part), METRICS.index(metric)]
    return float(top / bottom) if bottom else float("nan")


def test_recall_relevance_and_gain_of_one_list() -> None:
    later = [("a", row, 9 * DAY) for row in (1, 2, 3, 4)]  # 1 is a repeat, the others first-time
    result = measured(Says([3, 1, 5]), later, budget=3)
    # 3 is listed; 4 has cosine 0.8 to 1; 2 has only 0.6 to 5.
    assert figure(result, "recall", "first_time") == pytest.approx(1 / 3)
    assert figure(result, "relevance", "first_time") == pytest.approx(2 / 3)
    assert figure(result, "recall", "repeat") == 1
    assert figure(result, "recall", "all") == pytest.approx(2 / 4)
    best = 1 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert figure(result, "ndcg", "first_time") == pytest.approx((1 / log2(2)) / best)
    assert figure(result, "ndcg", "repeat") == pytest.approx(1 / log2(3))
    assert figure(result, "ndcg", "all") == pytest.approx((1 / log2(2) + 1 / log2(3)) / best)


def test_days_of_a_user_are_pooled() -> None:
    later = [("a", 2, 9 * DAY), ("a", 3, 10 * DAY), ("a", 4, 10 * DAY)]
    result = measured(Says([3]), later, budget=1, n_days=2)
    assert figure(result, "recall", "first_time") == pytest.approx((0 + 1) / (1 + 2))
    assert figure(result, "ndcg", "first_time") == pytest.approx((0 + 1) / 2)


def test_diversity_novelty_and_calibration_of_one_list() -> None:
    result = measured(Says([0, 1, 4]), [("a", 2, 9 * DAY)], budget=5)
    mean_cosine = (0 + 0.6 + 0.8) / 3
    assert figure(result, "diversity", "first_time") == pytest.approx(1 - mean_cosine, abs=1e-6)
    # One of the two users acted on each item before the day.
    assert figure(result, "novelty", "first_time") == pytest.approx(-log2((1 + 1) / (2 + 1)), abs=1e-6)
    # a's interests are 0 and 1, half each; of the list one item is nearest to 0 and two to 1.
    smoothed = [0.99 * 1 / 3 + 0.01 * 0.5, 0.99 * 2 / 3 + 0.01 * 0.5]
    divergence = sum(0.5 * log(0.5 / q) for q in smoothed)
    assert figure(result, "calibration", "first_time") == pytest.approx(divergence, abs=1e-6)


def test_ranks_against_impressions() -> None:
    later = [("a", 2, 9 * DAY), ("a", 3, 9 * DAY)]
    shown = [("a", row, 9 * DAY + 5) for row in (2, 4, 5)]
    result = measured(Scores([]), later, budget=1, shown=shown)
    # Scores 2: 5, 3: 1, and 0 for 4 and 5: both targets are first and second of four.
    assert figure(result, "r_precision", "first_time") == 1
    assert figure(result, "reciprocal_rank", "first_time") == pytest.approx((1 / 1 + 1 / 2) / 2)
    assert np.isnan(figure(result, "r_precision", "repeat"))


def test_impressions_that_outrank_the_targets() -> None:
    class Wrong(Scores):
        table: ClassVar[list[float]] = [0, 0, 1, 4, 3, 2]

    shown = [("a", row, 9 * DAY) for row in (3, 4)]
    result = measured(Wrong([]), [("a", 2, 9 * DAY)], budget=1, shown=shown)
    assert figure(result, "r_precision", "first_time") == 0
    assert figure(result, "reciprocal_rank", "first_time") == pytest.approx(1 / 3)


def test_an_arm_without_scores_is_ranked_by_its_list() -> None:
    shown = [("a", row, 9 * DAY) for row in (4, 5)]
    result = measured(Says([5, 2, 4]), [("a", 2, 9 * DAY)], budget=3, shown=shown)
    assert figure(result, "reciprocal_rank", "first_time") == pytest.approx(1 / 2)


def test_an_empty_list_earns_nothing_and_has_no_diversity() -> None:
    result = measured(Says([]), [("a", 2, 9 * DAY)], budget=3)
    assert figure(result, "recall", "first_time") == 0
    assert np.isnan(figure(result, "diversity", "first_time"))
    assert np.isnan(figure(result, "calibration", "first_time"))


@pytest.mark.parametrize(("rows", "message"), [([2, 2], "twice"), ([3], "pool")])
def test_wrong_lists_are_refused(rows: list[int], message: str) -> None:
    earlier = [action for action in EARLIER if action[1] != 3]
    with pytest.raises(UsageError, match=message):
        measured(Says(rows), [("a", 2, 9 * DAY)], budget=2, earlier=earlier)


def test_drawn_impressions_are_unseen_items_of_the_pool_and_repeatable() -> None:
    log = log_of(drawn_actions(4), drawn_embeddings(4))
    (day,) = walk(log, 40 * DAY, 1, window_ms=90 * DAY)
    known = log.before(day.start_ms)
    offsets, rows = candidates_to_rank(day, known, "first_time", 5, 0, None)
    again = candidates_to_rank(day, known, "first_time", 5, 0, None)
    assert (again[1] == rows).all()
    for u, user in enumerate(day.users.tolist()):
        own = slice(day.target_offsets[u], day.target_offsets[u + 1])
        n_targets = own.stop - own.start
        mine = rows[offsets[u] : offsets[u + 1]]
        assert mine[:n_targets].tolist() == day.target_rows[own].tolist()
        drawn = mine[n_targets:].tolist()
        seen = set(known.item_rows[known.offsets[user] : known.offsets[user + 1]].tolist())
        allowed = set(np.flatnonzero(day.pool).tolist()) - seen - set(mine[:n_targets].tolist())
        assert len(drawn) == len(set(drawn)) == min(5 * int(day.first_time[own].sum()), len(allowed))
        assert set(drawn) <= allowed


def test_embeddings_of_any_length_are_compared_by_cosine() -> None:
    cosines = cosines_of(np.array([[3, 0], [2, 2]], np.float32))
    assert cosines.table[0, 1] == pytest.approx(1 / sqrt(2))

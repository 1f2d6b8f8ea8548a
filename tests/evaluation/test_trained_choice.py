"""Settings are chosen on days before the cut, and only on those."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.trained_world import log_of, two_tastes

from pinnersage.config import MS_PER_DAY
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.trained_choice import choose, recall, span
from pinnersage.evaluation.arms.trained_linear import EaseArm

CUT_MS = 30 * MS_PER_DAY


def test_a_span_is_predicted_from_what_was_known_before_it() -> None:
    # Item 2 is born within the span; user 1 has no action before it.
    log = log_of([(0, 0, 1), (0, 1, 10), (0, 0, 12), (0, 2, 11), (1, 0, 10), (2, 1, 2), (2, 1, 20)], 3, 3)
    day = span(log, 10 * MS_PER_DAY, 5, window_days=20)
    assert day.users.tolist() == [0]
    assert day.target_rows.tolist() == [0, 1]
    assert day.first_time.tolist() == [False, True]
    assert day.pool.tolist() == [True, True, False]
    assert (day.n_not_in_pool, day.n_newcomers) == (1, 1)


def test_recall_is_a_mean_over_users() -> None:
    log = log_of([(0, 9, 1), (1, 9, 1), *((u, r, 1) for u in (2, 3) for r in range(5)),
                  (0, 0, 5), (0, 1, 5), (0, 2, 5), (1, 3, 5)], 4, 10)  # fmt: skip
    day = span(log, 5 * MS_PER_DAY, 1, window_days=20)
    value, n_users = recall(day, np.array([[0, 1, 4], [3, -1, -1]], np.int32), "first_time")
    assert n_users == 2
    assert value == pytest.approx((2 / 3 + 1 / 1) / 2)


def test_the_best_on_the_days_before_the_cut_is_chosen() -> None:
    log = log_of(two_tastes(), 40, 30)
    # So strong a penalty leaves popularity alone; without one tastes are told apart.
    candidates = [EaseArm("ease", l2=1e9), EaseArm("ease", l2=1.0)]
    chosen = choose(candidates, log, CUT_MS, budget=3, mode="all", n_days=7)
    expected = []
    for arm in (EaseArm("ease", l2=1e9), EaseArm("ease", l2=1.0)):
        arm.fit(log, CUT_MS - 7 * MS_PER_DAY)
        day = span(log.before(CUT_MS), CUT_MS - 7 * MS_PER_DAY, 7, window_days=90)
        expected.append(recall(day, arm.recommend(day, log, 3, "all"), "all")[0])
    assert chosen.recalls == pytest.approx(tuple(expected))
    assert chosen.arm.l2 == candidates[int(np.argmax(expected))].l2
    assert chosen.n_users == 40


def test_what_comes_after_the_cut_does_not_choose() -> None:
    early = [action for action in two_tastes() if action[2] < 30]
    late = [(user, (user * 7 + row) % 30, 30) for user in range(40) for row in range(10)]
    candidates = [EaseArm("ease", l2=l2) for l2 in (0.5, 5.0, 50.0, 500.0)]
    logs = [log_of(actions, 40, 30) for actions in (early, early + late)]
    found = [choose(candidates, log, CUT_MS, budget=5, mode="all") for log in logs]
    assert found[0] == found[1]


def test_candidates_are_not_fitted() -> None:
    log = log_of(two_tastes(), 40, 30)
    arm = EaseArm("ease")
    chosen = choose([arm], log, CUT_MS, budget=5, mode="all")
    assert arm == EaseArm("ease")
    assert chosen.arm == arm
    assert chosen.arm is not arm


def test_nobody_to_choose_by_is_said() -> None:
    log = log_of([(0, 0, 1), (0, 1, 2), (1, 0, 2)], 2, 2)
    with pytest.raises(UsageError, match="longer span"):
        choose([EaseArm("ease")], log, CUT_MS, budget=5)
    with pytest.raises(UsageError, match="at least one arm"):
        choose([], log, CUT_MS, budget=5)
    with pytest.raises(UsageError, match="n_days"):
        span(log, CUT_MS, 0, window_days=90)

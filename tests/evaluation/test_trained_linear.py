"""EASE, item-item and the choice of the best rows, each against a naive twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.trained_world import day_at, log_of

from pinnersage._arrays import Float64s
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.arms.trained_linear import EaseArm, ItemItemArm
from pinnersage.evaluation.arms.trained_matrices import best_rows, user_item_matrix
from pinnersage.evaluation.replay import ReplayLog

CUT = 10


def dense(log: ReplayLog) -> Float64s:
    matrix = np.zeros((log.n_users, log.n_items))
    matrix[log.users, log.item_rows] = 1
    return matrix


def scores_of(arm: EaseArm | ItemItemArm, log: ReplayLog) -> Float64s:
    arm.fit(log, CUT * MS_PER_DAY)
    users = np.arange(log.n_users, dtype=np.int32)
    rows = np.tile(np.arange(log.n_items, dtype=np.int32), log.n_users)
    scores = arm.score(day_at(log, CUT, users), log, np.arange(log.n_users + 1) * log.n_items, rows)
    return scores.reshape(log.n_users, log.n_items).astype(np.float64)


def naive_ease(matrix: Float64s, l2: float) -> Float64s:
    """Ridge regression of each item on all others, one at a time."""
    n = matrix.shape[1]
    weights = np.zeros((n, n))
    for item in range(n):
        others = np.delete(np.arange(n), item)
        x = matrix[:, others]
        weights[others, item] = np.linalg.solve(x.T @ x + l2 * np.eye(n - 1), x.T @ matrix[:, item])
    return matrix @ weights


@pytest.mark.parametrize(("n_users", "n_items"), [(20, 6), (6, 20)])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), l2=st.floats(0.5, 50.0))
def test_ease_is_ridge_regression_of_each_item_on_the_others(
    n_users: int, n_items: int, seed: int, l2: float
) -> None:
    drawn = np.random.default_rng(seed).random((n_users, n_items)) < 0.4
    drawn[:, 0], drawn[0] = True, True
    log = log_of([(int(u), int(i), 1) for u, i in np.argwhere(drawn)], n_users, n_items)
    expected = naive_ease(dense(log), l2)
    np.testing.assert_allclose(scores_of(EaseArm("ease", l2=l2), log), expected, atol=2e-4)


def test_ease_counts_are_logarithms() -> None:
    actions = [(0, 0, day) for day in range(5)] + [(0, 1, 1)]
    matrix = user_item_matrix(log_of(actions, 1, 2), np.array([0], np.int32), 0, counted=True)
    np.testing.assert_allclose(matrix.toarray(), [[np.log(1 + 5), np.log(1 + 1)]], rtol=1e-6)


def test_a_window_leaves_older_actions_out() -> None:
    log = log_of([(0, 0, 1), (0, 1, 5)], 1, 2)
    matrix = user_item_matrix(log, np.array([0], np.int32), 5 * MS_PER_DAY, counted=False)
    assert matrix.toarray().tolist() == [[0.0, 1.0]]


def test_item_item_sums_cosines_of_columns() -> None:
    pytest.importorskip("implicit", reason="needs the extra baselines")
    drawn = np.random.default_rng(3).random((12, 7)) < 0.5
    drawn[:, 0], drawn[0] = True, True
    log = log_of([(int(u), int(i), 1) for u, i in np.argwhere(drawn)], 12, 7)
    matrix = dense(log)
    unit = matrix / np.linalg.norm(matrix, axis=0)
    expected = matrix @ (unit.T @ unit)
    arm = ItemItemArm("item-item", n_neighbors=7, weighting="cosine")
    np.testing.assert_allclose(scores_of(arm, log), expected, atol=1e-4)


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_items_that_nobody_knows_yet_change_no_score(weighting: Any) -> None:
    """How rare an item is may not hang on how many items there will be."""
    pytest.importorskip("implicit", reason="needs the extra baselines")
    drawn = np.random.default_rng(5).random((12, 7)) < 0.4
    drawn[:, 0], drawn[0] = True, True
    actions = [(int(u), int(i), 1) for u, i in np.argwhere(drawn)]
    arm = ItemItemArm("item-item", n_neighbors=4, weighting=weighting)
    now, later = (scores_of(arm, log_of(actions, 12, n_items)) for n_items in (7, 60))
    np.testing.assert_array_equal(later[:, :7], now)
    assert (later[:, 7:] < 0).all()


def test_ease_refuses_what_would_not_fit_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinnersage.evaluation.arms.trained_linear._MAX_SIDE", 1)
    log = log_of([(0, 0, 1), (1, 1, 1)], 2, 2)
    with pytest.raises(ValueError, match="shorter window"):
        EaseArm("ease").fit(log, CUT * MS_PER_DAY)


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=12),
    budget=st.integers(1, 15),
    data=st.data(),
)
def test_best_rows_are_those_of_a_plain_sort(scores: list[float], budget: int, data: st.DataObject) -> None:
    n = len(scores)
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    popular = np.array(data.draw(st.permutations(range(n))), np.int32)
    known = sorted((r for r in range(n) if allowed[r] and scores[r] > -np.inf), key=lambda r: (-scores[r], r))
    rest = [r for r in popular.tolist() if allowed[r] and r not in known]
    expected = (known + rest + [-1] * budget)[:budget]
    found = best_rows(np.array(scores, np.float32), allowed, popular, budget)
    assert found.tolist() == expected

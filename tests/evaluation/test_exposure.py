"""Exposure in arithmetic, and against naive twins."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnersage.evaluation.exposure import (
    Grouping,
    coverage,
    gini,
    grouping_of,
    popularity_groups,
    popularity_lift,
    top_share,
)

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any)


@given(COUNTS)
def test_gini_is_half_the_relative_mean_difference(counts: list[int]) -> None:
    n, mean = len(counts), sum(counts) / len(counts)
    expected = sum(abs(a - b) for a in counts for b in counts) / (2 * n * n * mean)
    assert gini(np.array(counts)) == pytest.approx(expected, abs=1e-12)
    assert -1e-12 <= gini(np.array(counts)) <= (n - 1) / n + 1e-12


@given(st.integers(1, 40), st.integers(1, 9))
def test_gini_of_equal_shares_and_of_one_item(n: int, count: int) -> None:
    assert gini(np.full(n, count)) == pytest.approx(0, abs=1e-12)
    one = np.zeros(n, np.int32)
    one[n // 2] = count
    assert gini(one) == pytest.approx((n - 1) / n)


@given(COUNTS, st.floats(0.01, 100), st.randoms())
def test_gini_is_free_of_scale_and_order(counts: list[int], scale: float, random: Random) -> None:
    shuffled = list(counts)
    random.shuffle(shuffled)
    assert gini(np.array(shuffled) * scale) == pytest.approx(gini(np.array(counts)), abs=1e-9)


def test_without_exposure_nothing_is_said() -> None:
    nothing = np.zeros(4, np.int32)
    assert math.isnan(gini(nothing))
    assert math.isnan(top_share(nothing))
    assert math.isnan(popularity_lift(nothing, np.ones(4), np.ones(4)))
    assert math.isnan(popularity_lift(np.ones(4), np.zeros(4), np.ones(4)))
    assert coverage(nothing, np.ones(4, np.bool_)) == 0


def test_coverage_and_top_share() -> None:
    counts = np.array([5, 0, 2, 0, 1])
    assert coverage(counts, np.array([True, True, True, True, False])) == 2 / 4
    assert top_share(counts, 0.4) == pytest.approx((5 + 2) / 8)
    assert top_share(counts) == pytest.approx(5 / 8)  # one per cent of five items is one


def test_popularity_lift_is_the_relative_difference_of_means() -> None:
    counts, popularity = np.array([3, 1, 0]), np.array([10, 2, 6])
    # Two users, one with items 1 and 2, one with item 2 alone: GAP_p = (4 + 6) / 2.
    history = np.array([0, 0.25, 0.75])
    listed = (3 * 10 + 1 * 2) / 4
    assert popularity_lift(counts, popularity, history) == pytest.approx((listed - 5) / 5)
    assert popularity_lift(history, popularity, history) == pytest.approx(0)


def test_head_and_tail_make_a_fifth_of_the_interactions_each() -> None:
    # 100 interactions: 30 reach a fifth at once; 5 + 5 + 5 + 5 + 0 are the tail, a further 5 is too much.
    popularity = np.array([5, 15, 0, 10, 30, 5, 5, 20, 5, 5])
    assert popularity_groups(popularity).tolist() == [1, 1, 2, 1, 0, 2, 2, 1, 2, 2]
    assert popularity_groups(np.zeros(3)).tolist() == [2, 2, 2]
    assert popularity_groups(np.array([9, 1, 0])).tolist() == [0, 2, 2]


def test_the_twelve_largest_groups_are_named() -> None:
    codes = np.concatenate([np.full(k, k) for k in range(15, 0, -1)]).astype(np.int32) - 1
    codes = np.append(codes, [-1, -1]).astype(np.int32)
    names = [f"kind {k}" for k in range(15)]
    pool = np.ones(len(codes), np.bool_)
    grouping = grouping_of("category", codes, names, pool)
    assert grouping.names[:12] == tuple(f"kind {k}" for k in range(14, 2, -1))
    assert grouping.names[12:] == ("(others)", "(no category)")
    n = len(codes)
    expected = [k / n for k in range(15, 3, -1)] + [(3 + 2 + 1) / n, 2 / n]
    assert grouping.shares(pool).tolist() == pytest.approx(expected)
    pool[codes == 14] = False
    assert grouping_of("category", codes, None, pool).names[0] == "13"


def test_shares_of_groups_add_up() -> None:
    grouping = Grouping("provider", ("a", "b"), np.array([0, 1, 1], np.int32))
    assert grouping.shares(np.array([6, 1, 3])).tolist() == [6 / 10, 4 / 10]
    assert np.isnan(grouping.shares(np.zeros(3))).all()

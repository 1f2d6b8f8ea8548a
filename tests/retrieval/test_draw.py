from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from pinnersage.retrieval.draw import equal_shares, proportional_shares, sample_interests, sample_others
from pinnersage.retrieval.neighbors import depth_for

weights = st.lists(st.sampled_from([0.0, 1e-300, 0.25, 1.0, 3.0, 1e9]), max_size=30)


@given(weights, st.integers(1, 500))
@settings(max_examples=200)
def test_shares_sum_to_the_budget_and_follow_importance(importances: list[float], budget: int) -> None:
    shares = proportional_shares(np.array(sorted(importances, reverse=True)), budget)
    assert len(shares) == len(importances)
    assert shares.sum() == (budget if importances else 0)
    assert (np.diff(shares) <= 0).all()
    if budget >= len(importances):
        assert (shares >= 1).all()


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 400))
@settings(max_examples=200)
def test_shares_are_largest_remainders(importances: list[int], budget: int) -> None:
    importances.sort(reverse=True)
    ideal = [Fraction(budget * w, sum(importances)) for w in importances]
    if min(ideal) < 1:
        return  # then some get their 1 at the expense of others; the sum is tested above
    expected = [int(x) for x in ideal]
    by_remainder = sorted(range(len(ideal)), key=lambda i: (int(ideal[i]) - ideal[i], i))
    remainders = [ideal[i] - int(ideal[i]) for i in range(len(ideal))]
    for i in by_remainder[: budget - sum(expected)]:
        expected[i] += 1
    got = proportional_shares(np.array(importances, float), budget).tolist()
    if len(set(remainders)) == len(remainders):  # equal remainders may be told apart by a rounding
        assert got == expected
    assert sum(got) == budget


def test_equal_shares() -> None:
    assert equal_shares(3, 400).tolist() == [133, 133, 133]
    assert equal_shares(5, 2).tolist() == [1, 1, 1, 1, 1]
    assert equal_shares(0, 400).tolist() == []


def test_drawing_is_like_drawing_one_after_the_other() -> None:
    importances = np.array([4.0, 2.0, 1.0, 1.0])
    n = 20_000
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(n):
        drawn = tuple(sample_interests(importances, 2, seed).tolist())
        counts[drawn] = counts.get(drawn, 0) + 1
    for a, b in combinations(range(4), 2):
        w, total = importances, importances.sum()
        share = w[a] / total * w[b] / (total - w[a]) + w[b] / total * w[a] / (total - w[b])
        assert abs(counts[a, b] / n - share) < 5 * np.sqrt(share * (1 - share) / n)


def test_interests_without_importance_come_last() -> None:
    importances = np.array([0.0, 0.0, 1.0, 0.0])
    assert all(2 in sample_interests(importances, 2, seed) for seed in range(50))
    assert sample_interests(np.zeros(3), 2, 0).tolist() == [0, 1]
    assert sample_interests(np.array([1.0]), 3, 0).tolist() == [0]
    assert sample_interests(np.empty(0), 3, 0).tolist() == []


@given(st.integers(1, 10**7))
def test_depths_are_few_and_not_much_too_deep(n: int) -> None:
    depth = depth_for(n)
    assert n <= depth <= max(32, 2 * n)
    assert depth_for(depth) == depth
    assert depth_for(2 * depth) > depth


@given(weights, st.integers(1, 8), st.integers(0, 50), st.sets(st.integers(0, 29)))
@settings(max_examples=200)
def test_in_the_place_of_those_left_out_come_the_next(
    importances: list[float], n: int, seed: int, out: set[int]
) -> None:
    values, left_out = np.array(importances), np.array(sorted(i for i in out if i < len(importances)), int)
    found = sample_others(values, n, seed, left_out).tolist()
    usual = sample_interests(values, n, seed).tolist()
    assert len(found) == min(n, len(importances) - len(left_out))
    assert found == sorted(set(found) - out)
    assert set(usual) - out <= set(found)
    # The order in which interests would be drawn, one more each time; those left out are passed over.
    order: list[int] = []
    for m in range(1, len(importances) + 1):
        order += sorted(set(sample_interests(values, m, seed).tolist()) - set(order))
    assert set(found) == set([i for i in order if i not in out][:n])

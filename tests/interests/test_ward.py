"""Partitions against SciPy and against a naive twin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from tests.interests import naive

from pinnersage import ward_clusters
from pinnersage.errors import UsageError
from pinnersage.interests.chain import _MOST_MIRRORED


def blobs(seed: int, n: int, d: int, spread: float, unit_length: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((max(1, n // 12), d))
    x = centers[rng.integers(0, len(centers), n)] + spread * rng.standard_normal((n, d))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True) if unit_length else x
    points: np.ndarray = unit.astype(np.float32)
    return points


def scipy_labels(x: np.ndarray, limit: float) -> np.ndarray:
    labels: np.ndarray = fcluster(linkage(x.astype(np.float64), "ward"), np.sqrt(limit), "distance")
    return labels


def between_heights(x: np.ndarray, quantile: float) -> float:
    """A limit half-way between two neighbouring merge costs."""
    heights = linkage(x.astype(np.float64), "ward")[:, 2]
    i = min(int(quantile * len(heights)), len(heights) - 2)
    return float((heights[i] + heights[i + 1]) / 2) ** 2


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 90),
    d=st.integers(1, 48),
    spread=st.floats(0.01, 3),
    quantile=st.floats(0, 1),
    unit=st.booleans(),
)
def test_partition_is_scipys(seed: int, n: int, d: int, spread: float, quantile: float, unit: bool) -> None:
    x = blobs(seed, n, d, spread, unit and d > 1)
    limit = between_heights(x, quantile)
    assert naive.same_partition(ward_clusters(x, max_merge_cost=limit), scipy_labels(x, limit))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(_MOST_MIRRORED - 3, _MOST_MIRRORED + 90),
    d=st.integers(1, 12),
    quantile=st.floats(0, 1),
)
def test_partition_is_scipys_where_columns_wait(seed: int, n: int, d: int, quantile: float) -> None:
    x = blobs(seed, n, d, 0.7, unit_length=False)
    limit = between_heights(x, quantile)
    assert naive.same_partition(ward_clusters(x, max_merge_cost=limit), scipy_labels(x, limit))


@pytest.mark.parametrize("quantile", [0.1, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(("n", "d"), [(200, 256), (1_000, 64)])
def test_large_users_match_scipy(n: int, d: int, quantile: float) -> None:
    x = blobs(n, n, d, 0.7)
    limit = between_heights(x, quantile)
    assert naive.same_partition(ward_clusters(x, max_merge_cost=limit), scipy_labels(x, limit))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 14), quantile=st.floats(0, 1))
def test_partition_is_the_naive_one(seed: int, n: int, quantile: float) -> None:
    x = blobs(seed, n, 5, 0.5)
    costs = naive.heights(x)
    limit = costs[min(int(quantile * len(costs)), len(costs) - 1)] * (1 + 1e-9)
    expected = naive.labels_of(naive.ward(x, limit), n)
    assert naive.same_partition(ward_clusters(x, max_merge_cost=limit), expected)


@settings(max_examples=60, deadline=None)
@example(seed=701, n=45, offset=1e4, noise=1e-2)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 60),
    offset=st.sampled_from([0.0, 10.0, 1e4]),
    noise=st.sampled_from([1e-6, 1e-4, 1e-2]),
)
def test_near_ties_are_decided_in_float64(seed: int, n: int, offset: float, noise: float) -> None:
    """Points that float32 costs cannot tell apart: tight bundles, far from the origin."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((4, 16)) + offset
    x = centers[rng.integers(0, 4, n)] + noise * rng.standard_normal((n, 16))
    limit = between_heights(x, 0.5)
    assert naive.same_partition(ward_clusters(x, max_merge_cost=limit), scipy_labels(x, limit))


def test_a_cost_equal_to_the_limit_merges() -> None:
    x = np.array([[0.0, 0.0], [0.0, 3.0], [4.0, 0.0]])
    assert ward_clusters(x, max_merge_cost=9.0).tolist() == [0, 0, 1]
    assert ward_clusters(x, max_merge_cost=np.nextafter(9.0, 0)).tolist() == [0, 1, 2]


def test_clusters_are_numbered_by_first_appearance() -> None:
    x = np.array([[5.0], [1.0], [5.1], [9.0], [1.1]])
    assert ward_clusters(x, max_merge_cost=0.5).tolist() == [0, 1, 0, 2, 1]


def test_equal_points_are_one_cluster_even_at_limit_zero() -> None:
    assert set(ward_clusters(np.ones((1_000, 33)), max_merge_cost=0).tolist()) == {0}


@pytest.mark.parametrize("n", [3, 4, 7, 100])
def test_equal_points_that_do_not_add_up_exactly_are_one_cluster_too(n: int) -> None:
    point = np.random.default_rng(n).standard_normal((1, 8))
    assert set(ward_clusters(np.repeat(point, n, axis=0), max_merge_cost=0).tolist()) == {0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-300, -145, -90, -70, 60, 90, 120, 400])
def test_the_scale_of_the_points_does_not_matter(exponent: int, dtype: type[np.floating]) -> None:
    if dtype is np.float32 and exponent not in range(-100, 125):
        pytest.skip("not a float32")
    x = blobs(3, 60, 12, 0.5).astype(dtype)
    limit = between_heights(x, 0.6)
    scaled = ward_clusters(np.ldexp(x, exponent), max_merge_cost=np.ldexp(limit, 2 * exponent))
    assert scaled.tolist() == ward_clusters(x, max_merge_cost=limit).tolist()
    assert 1 < scaled.max() < 59


def test_the_order_of_points_does_not_matter() -> None:
    x = blobs(7, 120, 24, 0.6)
    limit = between_heights(x, 0.7)
    shuffled = np.random.default_rng(1).permutation(len(x))
    direct = ward_clusters(x, max_merge_cost=limit)
    assert naive.same_partition(ward_clusters(x[shuffled], max_merge_cost=limit), direct[shuffled])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_few_points(n: int) -> None:
    x = np.eye(5, dtype=np.float32)[:n]
    assert ward_clusters(x, max_merge_cost=1.9).tolist() == list(range(n))
    assert ward_clusters(x, max_merge_cost=1e9).tolist() == [0] * n
    assert ward_clusters(x, max_merge_cost=1.9).dtype == np.int32


def test_an_infinite_limit_merges_all() -> None:
    assert set(ward_clusters(blobs(0, 50, 8, 1.0), max_merge_cost=np.inf).tolist()) == {0}


@pytest.mark.parametrize(
    ("points", "limit", "message"),
    [
        (np.zeros(3), 1.0, "shape"),
        (np.zeros((3, 0)), 1.0, "shape"),
        (np.array([[np.nan, 1.0]]), 1.0, "finite"),
        (np.array([[np.inf, 1.0]]), 1.0, "finite"),
        (np.zeros((2, 2)), -1.0, ">= 0"),
        ([[1.0, 2.0], [3.0]], 1.0, "expected numbers"),
        ([["a", "b"]], 1.0, "expected numbers"),
        (np.array([[1j, 0.0]]), 1.0, "complex"),
        (np.zeros((2, 2)), float("nan"), ">= 0"),
    ],
)
def test_bad_arguments_are_refused(points: npt.ArrayLike, limit: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ward_clusters(points, max_merge_cost=limit)

"""The paper's comparisons: complete linkage, k-means, a fixed number of clusters, the literal rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.cluster.hierarchy import fcluster, linkage
from tests.interests import naive, worlds

from pinnersage.config import InterestConfig
from pinnersage.interests.build import build_records

NOW_MS = worlds.NOW_MS


def labels(x: np.ndarray, config: InterestConfig) -> np.ndarray:
    """Cluster one action on each row of ``x``."""
    own = [(NOW_MS - i, i, 0, 1.0, 0) for i in range(len(x))]
    record = build_records(worlds.batch([own]), x, config, NOW_MS).record(0)
    by_item = np.empty(len(x), np.int32)
    by_item[record.item_rows] = record.labels
    return by_item


def points(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 5)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 40), quantile=st.floats(0, 0.99))
def test_complete_linkage_is_scipys(seed: int, n: int, quantile: float) -> None:
    x = points(seed, n)
    tree = linkage(x.astype(np.float64), "complete")
    i = min(int(quantile * len(tree)), len(tree) - 2)
    height = (tree[i, 2] + tree[i + 1, 2]) / 2
    found = labels(x, InterestConfig(clustering="complete", max_merge_cost=height**2))
    assert naive.same_partition(found, fcluster(tree, height, "distance"))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 40),
    k=st.integers(1, 45),
    method=st.sampled_from(["ward", "complete"]),
)
def test_a_fixed_number_of_clusters_is_scipys(seed: int, n: int, k: int, method: str) -> None:
    x = points(seed, n)
    found = labels(x, InterestConfig(clustering=method, n_clusters=k))  # type: ignore[arg-type]
    expected = fcluster(linkage(x.astype(np.float64), method), min(k, n), "maxclust")
    assert naive.same_partition(found, expected)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), k=st.integers(1, 6))
def test_kmeans_is_at_rest(seed: int, n: int, k: int) -> None:
    """Every point is in the cluster whose mean is nearest, and there are ``k`` clusters."""
    x = points(seed, n).astype(np.float64)
    found = labels(x.astype(np.float32), InterestConfig(clustering="kmeans", n_clusters=k))
    assert len(set(found.tolist())) == min(k, n)
    means = np.array([x[found == c].mean(axis=0) for c in range(min(k, n))])
    gaps = ((x[:, None] - means) ** 2).sum(axis=2)
    assert (gaps[np.arange(n), found] <= gaps.min(axis=1) + 1e-5).all()


def test_kmeans_finds_planted_bundles() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat(np.arange(4), 8)
    x = (10 * np.eye(4)[truth] + 0.1 * rng.standard_normal((32, 4))).astype(np.float32)
    found = labels(x, InterestConfig(clustering="kmeans", n_clusters=4))
    assert naive.same_partition(found, truth)


def test_kmeans_needs_a_number() -> None:
    with pytest.raises(ValidationError, match="n_clusters"):
        InterestConfig(clustering="kmeans")


def test_the_literal_rule_drops_lonely_actions_only() -> None:
    x = np.array([[1, 0], [0.99, 0.1], [0, 1], [0, -1]], np.float32)
    own = [(NOW_MS, 0, 0, 1.0, 0), (NOW_MS, 1, 0, 1.0, 0), (NOW_MS, 2, 0, 1.0, 0),
           (NOW_MS, 3, 0, 1.0, 1), (NOW_MS, 3, 0, 1.0, 2)]  # fmt: skip
    config = InterestConfig(max_merge_cost=0.5, drop_singletons=True)
    record = build_records(worlds.batch([own]), x, config, NOW_MS).record(0)
    kept = dict(zip(record.item_rows.tolist(), record.labels.tolist(), strict=True))
    assert kept[2] == -1
    assert kept[0] == kept[1] >= 0
    assert kept[3] >= 0
    assert record.n_interests == 2

"""Which clustering a user's points get: Ward, or one of the paper's comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import inlined_kernel, kernel
from pinnersage.config import InterestConfig
from pinnersage.interests.canonical import stable_order
from pinnersage.interests.chain import Merges
from pinnersage.interests.distances import gather_centered, padded
from pinnersage.interests.kmeans import kmeans_labels
from pinnersage.interests.ward import labels_after, merges_within

WARD, COMPLETE, KMEANS = 0, 1, 2

FEWEST_POINTS_KNOWN = 250
"""Below that all points are clustered, whatever is known of them."""
LARGEST_SHARE_CHANGED = 0.25
"""Of the points, that may be clustered again while the others stay; when it is used up, all are."""


@contextmanager
def known_clusters_kept() -> Iterator[None]:
    """Keep what is known however few points there are and however many change; for tests and drills."""
    global FEWEST_POINTS_KNOWN, LARGEST_SHARE_CHANGED
    before = FEWEST_POINTS_KNOWN, LARGEST_SHARE_CHANGED
    FEWEST_POINTS_KNOWN, LARGEST_SHARE_CHANGED = 1, 10.0
    try:
        yield
    finally:
        FEWEST_POINTS_KNOWN, LARGEST_SHARE_CHANGED = before


class Rule(NamedTuple):
    """:class:`~pinnersage.config.InterestConfig` as plain numbers, for the kernels."""

    window_ms: int
    max_actions: int
    decay_per_day: float
    max_merge_cost: float
    drop_singletons: bool
    fewest_points_known: int
    largest_share_changed: float


class Comparison(NamedTuple):
    """Another clustering than the default; 0 ``n_clusters`` leaves their number free."""

    method: int
    n_clusters: int


def rule_of(config: InterestConfig) -> Rule:
    """Translate settings for the kernels."""
    return Rule(
        config.window_ms,
        config.max_actions,
        config.decay_per_day,
        config.max_merge_cost,
        config.drop_singletons,
        FEWEST_POINTS_KNOWN,
        LARGEST_SHARE_CHANGED,
    )


def comparison_of(config: InterestConfig) -> Comparison | None:
    """Return what to do in place of Ward with a free number of clusters; None when that is wanted.

    The kernels are compiled for None without any of the rest, which halves the wait at first use.
    """
    if config.clustering == "ward" and config.n_clusters is None:
        return None
    methods = {"ward": WARD, "complete": COMPLETE, "kmeans": KMEANS}
    return Comparison(methods[config.clustering], config.n_clusters or 0)


@kernel
def _cheapest(merges: Merges, n: int) -> Merges:
    order = stable_order(merges.costs.astype(np.float64).view(np.int64))[: max(0, n)]
    return Merges(merges.a[order], merges.b[order], merges.costs[order], merges.untied)


@kernel
def _compare(
    source: npt.NDArray[Any],
    rows: Int64s,
    counts: Float64s,
    limit: float,
    comparison: Comparison,
    points: Float32s,
    scratch: Float32s,
) -> Int32s:
    n = rows.shape[0]
    if comparison.method == KMEANS:
        return kmeans_labels(source, rows, counts, comparison.n_clusters)
    limit = np.inf if comparison.n_clusters > 0 else limit
    merges = merges_within(points, source, rows, counts, limit, comparison.method == COMPLETE, scratch)
    if comparison.n_clusters > 0:
        merges = _cheapest(merges, n - comparison.n_clusters)
    return labels_after(merges, n)


@inlined_kernel
def cluster_points(
    source: npt.NDArray[Any],
    rows: Int64s,
    counts: Float64s,
    limit: float,
    comparison: Comparison | None,
    buffer: Float32s,
) -> tuple[Int32s, bool]:
    """Cluster distinct points: int32 labels, numbered by first appearance, and whether no merge tied.

    Parameters
    ----------
    source, rows
        Point ``i`` is ``source[rows[i]]``.
    counts
        float64 ``(n_points,)`` equal actions at each point.
    limit
        Largest cost of a merge.
    comparison
        None for Ward with a free number of clusters.
    buffer
        float32, at least ``buffer_size(n_points, d)``; overwritten.
    """
    n, d = rows.shape[0], source.shape[1]
    if n == 1:
        return np.zeros(1, np.int32), True
    m = padded(n)
    points = buffer[: m * d].reshape(m, d)
    gather_centered(source, rows, points)
    if comparison is None:
        merges = merges_within(points, source, rows, counts, limit, False, buffer[m * d :])
        return labels_after(merges, n), merges.untied
    return _compare(source, rows, counts, limit, comparison, points, buffer[m * d :]), False


@kernel
def buffer_size(n_points: int, n_dimensions: int) -> int:
    """Return how many float32 values :func:`cluster_points` needs."""
    return padded(n_points) * (padded(n_points) + n_dimensions)

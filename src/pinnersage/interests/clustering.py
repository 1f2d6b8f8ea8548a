"""Which clustering a user's points get: Ward, or one of the paper's comparisons."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.config import InterestConfig
from pinnersage.interests.chain import Merges
from pinnersage.interests.distances import padded
from pinnersage.interests.kmeans import kmeans_labels
from pinnersage.interests.ward import gather_centered, labels_after, merges_within

WARD, COMPLETE, KMEANS = 0, 1, 2


class Rule(NamedTuple):
    """:class:`~pinnersage.config.InterestConfig` as plain numbers, for the kernels.

    ``n_clusters`` is 0 where the number of clusters is free.
    """

    window_ms: int
    max_actions: int
    decay_per_day: float
    max_merge_cost: float
    method: int
    n_clusters: int
    drop_singletons: bool


def rule_of(config: InterestConfig) -> Rule:
    """Translate settings for the kernels."""
    return Rule(
        config.window_ms,
        config.max_actions,
        config.decay_per_day,
        config.max_merge_cost,
        {"ward": WARD, "complete": COMPLETE, "kmeans": KMEANS}[config.clustering],
        config.n_clusters or 0,
        config.drop_singletons,
    )


@kernel
def _cheapest(merges: Merges, n: int) -> Merges:
    order = np.argsort(merges.costs, kind="mergesort")[: max(0, n)]
    return Merges(merges.a[order], merges.b[order], merges.costs[order])


@kernel
def cluster_points(
    source: npt.NDArray[Any], rows: Int64s, counts: Float64s, rule: Rule, buffer: Float32s
) -> Int32s:
    """Cluster distinct points: int32 labels, numbered by first appearance.

    Parameters
    ----------
    source, rows
        Point ``i`` is ``source[rows[i]]``.
    counts
        float64 ``(n_points,)`` equal actions at each point.
    buffer
        float32, at least ``buffer_size(n_points, d)``; overwritten.
    """
    n, d = rows.shape[0], source.shape[1]
    if n == 1:
        return np.zeros(1, np.int32)
    if rule.method == KMEANS:
        return kmeans_labels(source, rows, counts, rule.n_clusters)
    m = padded(n)
    points = buffer[: m * d].reshape(m, d)
    gather_centered(source, rows, points)
    limit = np.inf if rule.n_clusters > 0 else rule.max_merge_cost
    complete = rule.method == COMPLETE
    merges = merges_within(points, source, rows, counts, limit, complete, buffer[m * d :])
    if rule.n_clusters > 0:
        merges = _cheapest(merges, n - rule.n_clusters)
    return labels_after(merges, n)


@kernel
def buffer_size(n_points: int, n_dimensions: int) -> int:
    """Return how many float32 values :func:`cluster_points` needs."""
    return padded(n_points) * (padded(n_points) + n_dimensions)

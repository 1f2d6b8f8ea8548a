"""Ward's merge cost in float64 from the points themselves, for the comparisons that need it.

The distance matrix is float32. When two candidates, or a candidate and the limit, are closer than
its rounding, the clustering asks here, so that its partition is the one float64 arithmetic gives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float64s, Int32s
from pinnersage._kernel import kernel, vector_kernel


class Members(NamedTuple):
    """Clusters as linked lists of points, and their centroids once somebody asked.

    Attributes
    ----------
    points
        float ``(n, d)``; ``rows`` int ``(n,)`` says which row stands for which point.
    counts
        float64 ``(n,)`` actions at each point.
    following, last
        int32 ``(n,)``; the next point of the same cluster or -1; the last point of a cluster.
    known
        bool ``(n,)``; whether ``centroids[i]`` is up to date.
    centroids
        float64 ``(n, d)``.
    """

    points: npt.NDArray[Any]
    rows: npt.NDArray[np.int64]
    counts: Float64s
    following: Int32s
    last: Int32s
    known: Bools
    centroids: Float64s


@kernel
def join(members: Members, into: int, other: int) -> None:
    """Append cluster ``other`` to cluster ``into``."""
    members.following[members.last[into]] = other
    members.last[into] = members.last[other]
    members.known[into] = False


@vector_kernel
def add_scaled(total: Float64s, row: npt.NDArray[Any], scale: float) -> None:
    """Add ``scale * row`` to ``total`` in float64."""
    for k in range(total.shape[0]):
        total[k] += scale * np.float64(row[k])


@vector_kernel
def move_towards(mean: Float64s, row: npt.NDArray[Any], share: float) -> None:
    """Move ``mean`` by ``share`` of the way to ``row``, in float64; by nothing when they are equal."""
    for k in range(mean.shape[0]):
        mean[k] += share * (np.float64(row[k]) - mean[k])


@vector_kernel
def squared_difference(row: npt.NDArray[Any], mean: Float64s) -> tuple[float, float]:
    """Return ``||row - mean||^2`` and ``||row||^2`` in float64."""
    distance, norm = 0.0, 0.0
    for k in range(mean.shape[0]):
        value = np.float64(row[k])
        distance += (value - mean[k]) * (value - mean[k])
        norm += value * value
    return distance, norm


@vector_kernel
def _squared_distance(a: Float64s, b: Float64s) -> float:
    total = 0.0
    for k in range(a.shape[0]):
        difference = a[k] - b[k]
        total += difference * difference
    return total


@kernel
def _centroid(members: Members, cluster: int) -> Float64s:
    centroid: Float64s = members.centroids[cluster]
    if not members.known[cluster]:
        # A running mean, not a sum: that of equal points is the point itself, to the last bit.
        centroid[:] = 0.0
        n = 0.0
        point = cluster
        while point >= 0:
            n += members.counts[point]
            move_towards(centroid, members.points[members.rows[point]], members.counts[point] / n)
            point = members.following[point]
        members.known[cluster] = True
    return centroid


@kernel
def merge_cost(members: Members, a: int, b: int, n_a: float, n_b: float) -> float:
    """Return ``2 n_a n_b / (n_a + n_b) * ||centroid_a - centroid_b||^2`` in float64.

    Source: the squared SciPy Ward height; for two single actions it is their squared distance.
    """
    distance = _squared_distance(_centroid(members, a), _centroid(members, b))
    return 2.0 * n_a * n_b / (n_a + n_b) * distance

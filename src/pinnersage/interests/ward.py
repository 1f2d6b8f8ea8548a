"""Ward clustering, stopped exactly at ``max_merge_cost``: as many clusters as the points show.

Follow the nearest neighbour of a cluster until two clusters are each other's nearest: merge them,
update the costs, go on from where the chain stood. Ward's cost is *reducible*: a merge never brings
a third cluster nearer than the nearer of the two parts was. So the order of merges does not matter,
and a cluster whose cheapest merge exceeds the limit can never merge below it: it is retired at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.errors import UsageError
from pinnersage.interests.chain import Merges, State, follow_chain
from pinnersage.interests.distances import gather_centered, padded, rounding_unit, squared_distances
from pinnersage.interests.exact import Members

_LARGEST_EXPONENT = 20


@kernel
def _weigh(costs: Float32s, counts: Float64s) -> None:
    """Turn squared distances into Ward costs of points that stand for several equal actions."""
    for i in range(counts.shape[0]):
        for j in range(counts.shape[0]):
            factor = 2.0 * counts[i] * counts[j] / (counts[i] + counts[j])
            costs[i, j] *= np.float32(factor)


@kernel
def merges_within(
    points: Float32s,
    source: npt.NDArray[Any],
    rows: Int64s,
    counts: Float64s,
    limit: float,
    complete: bool,
    scratch: Float32s,
) -> Merges:
    """Merge clusters of points while the next merge costs at most ``limit``.

    Parameters
    ----------
    points
        float32 ``(padded(n), d)``; rows from ``n`` on are zero.
    source, rows
        Where float64 comparisons read point ``i``: ``source[rows[i]]``.
    counts
        float64 ``(n,)`` equal actions that each point stands for.
    limit
        Largest cost of a merge; infinity merges all.
    complete
        Complete linkage in place of Ward.
    scratch
        float32, at least ``padded(n) ** 2``.
    """
    n, m = counts.shape[0], points.shape[0]
    flat = scratch[: m * m]
    costs = flat.reshape(m, m)
    squares = np.empty(m, np.float32)
    squared_distances(points, squares, costs)
    sizes = np.ones(m, np.float32)
    sizes[:n] = counts
    if not complete and counts.max() > 1.0:
        _weigh(costs, counts)
    masks = np.zeros(m, np.int32)
    masks[n:] = np.int32(0x7FFFFFFF)
    unit = rounding_unit(squares, points.shape[1])
    state = State(costs, flat.view(np.int32).reshape(m, m), sizes, masks, unit)
    following = np.full(n, -1, np.int32)
    known = np.zeros(n, np.bool_)
    centroids = np.empty((n, points.shape[1]), np.float64)
    members = Members(source, rows, counts, following, np.arange(n).astype(np.int32), known, centroids)
    return follow_chain(state, members, limit, complete)


@kernel
def labels_after(merges: Merges, n_points: int) -> Int32s:
    """Return the cluster of each point, numbered by first appearance: int32 ``(n_points,)``."""
    parents = np.arange(n_points).astype(np.int32)
    for i in range(merges.a.shape[0]):
        a, b = merges.a[i], merges.b[i]
        while parents[a] != a:
            a = parents[a]
        while parents[b] != b:
            b = parents[b]
        parents[max(a, b)] = min(a, b)
    labels = np.empty(n_points, np.int32)
    n_clusters = 0
    for i in range(n_points):
        if parents[i] == i:
            labels[i] = n_clusters
            n_clusters += 1
        else:
            labels[i] = labels[parents[i]]
    return labels


@kernel
def _cluster(source: npt.NDArray[Any], limit: float) -> Int32s:
    n = source.shape[0]
    rows = np.arange(n)
    points = np.empty((padded(n), source.shape[1]), np.float32)
    gather_centered(source, rows, points)
    scratch = np.empty(padded(n) ** 2, np.float32)
    return labels_after(merges_within(points, source, rows, np.ones(n), limit, False, scratch), n)


def ward_clusters(embeddings: npt.ArrayLike, *, max_merge_cost: float) -> Int32s:
    """Cluster points by Ward's criterion, cut where the next merge would cost more than a limit.

    Parameters
    ----------
    embeddings
        Finite numbers, ``(n_actions, d)``. They are clustered as they are; scale them to unit length
        yourself where that is wanted.
    max_merge_cost
        The paper's alpha, >= 0. A merge's cost is the square of the SciPy Ward height, for two
        single actions their squared distance: ``fcluster(linkage(x, "ward"), t, "distance")`` is
        ``ward_clusters(x, max_merge_cost=t * t)``.

    Returns
    -------
    labels
        int32 ``(n_actions,)``; clusters are numbered by first appearance.

    Raises
    ------
    UsageError
        When the shape is not two-dimensional, a value is not finite, or the limit is negative.

    Notes
    -----
    Memory: ``4 n^2`` bytes for float32 costs. Time: O(n^2 d) for distances, O(n^2) for merging.

    Source: KDD 2020 paper, Algorithm 1, with every action in a cluster.

    Examples
    --------
    >>> ward_clusters([[0.0, 1.0], [1.0, 0.0], [0.0, 0.9]], max_merge_cost=0.5).tolist()
    [0, 1, 0]
    """
    points = _as_floats(embeddings)
    if points.ndim != 2 or points.shape[1] == 0:
        raise UsageError(f"embeddings: expected shape (n_actions, d), got {points.shape}")
    if not max_merge_cost >= 0:
        raise UsageError(f"max_merge_cost: expected a number >= 0, got {max_merge_cost}")
    if len(points) == 0:
        return np.empty(0, np.int32)
    largest = max(points.max(), -points.min())
    if not np.isfinite(largest):
        raise UsageError("embeddings: expected finite numbers, found NaN or infinity; drop those rows")
    points, limit = _brought_in_range(points, largest, float(max_merge_cost))
    return _cluster(np.ascontiguousarray(points), limit)


def _as_floats(embeddings: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        points = np.asarray(embeddings)
        if points.dtype in (np.float32, np.float64):
            return points
        if points.dtype.kind != "c":
            return points.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"embeddings: expected numbers, shape (n_actions, d): {error}") from None
    raise UsageError("embeddings: expected real numbers, found complex ones")


def _brought_in_range(
    points: npt.NDArray[Any], largest: float, limit: float
) -> tuple[npt.NDArray[Any], float]:
    """Scale by a power of two where squares would leave float32; exact, and Ward does not see it."""
    exponent = int(np.frexp(largest)[1])
    if abs(exponent) <= _LARGEST_EXPONENT:
        return points, limit
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(points, -exponent), float(np.ldexp(limit, -2 * exponent))

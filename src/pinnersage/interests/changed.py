"""Cluster again only what an action changes: the rest of a window keeps the clusters it had.

Points that are new, and clusters that lost or gained an action, are clustered by themselves. Where none of
their clusters would, at any cost up to the limit, have come nearer to a cluster of the rest than that was
to what it merged with, both together are the clusters of the whole (:mod:`.forests`); clusters of the rest
that were touched join the others, and so on. That holds where no two merges tie: what was known must be
:attr:`~pinnersage.interests.record.UserRecord.untied`, and where the new part ties all is clustered anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import inlined_kernel, kernel
from pinnersage.interests.canonical import stable_order
from pinnersage.interests.distances import (
    gather_less,
    mean_point,
    padded,
    rounding_unit,
    squared_distances_between,
    squared_norms,
)
from pinnersage.interests.forests import Forest, in_order_of_costs, touching
from pinnersage.interests.ward import labels_after, merges_within


class _Points(NamedTuple):
    """Some points of a user, around a mean: ``rows`` of a source, ``counts``, and ``x``, padded."""

    rows: Int64s
    counts: Float64s
    x: Float32s


class _Known(NamedTuple):
    """Points that are in a cluster already: int32 ``clusters``, ascending, and how each was merged."""

    points: _Points
    clusters: Int32s
    forest: Forest


@inlined_kernel
def whole_clusters(labels_before: Int32s, labels: Int32s, point_of: Int64s, n_points: int) -> Int32s:
    """Return each point's cluster of before if that has the same actions now, else -1.

    Parameters
    ----------
    labels_before
        int32, of all actions that were known before.
    labels
        int32 ``(n_actions,)``, of those in the window now; -1 for those not known before.
    point_of
        int64 ``(n_actions,)`` point of each action in the window.
    n_points
        Number of points.
    """
    n_before = np.zeros(labels_before.max() + 1, np.int64)
    for label in labels_before:
        if label >= 0:
            n_before[label] += 1
    n_now, broken = np.zeros(n_before.shape[0], np.int64), np.zeros(n_before.shape[0], np.bool_)
    known, seen = np.full(n_points, -1, np.int32), np.zeros(n_points, np.bool_)
    for i in range(labels.shape[0]):
        point, label = point_of[i], labels[i]
        if not seen[point]:
            known[point], seen[point] = label, True
        if label >= 0:
            n_now[label] += 1
        if label != known[point]:
            broken[max(label, known[point])] = True
    for point in range(n_points):
        label = known[point]
        if label >= 0 and (broken[label] or n_now[label] != n_before[label]):
            known[point] = -1
    return known


@kernel
def _points_of(source: npt.NDArray[Any], rows: Int64s, counts: Float64s, mean: Float32s) -> _Points:
    x = np.empty((padded(rows.shape[0]), source.shape[1]), np.float32)
    gather_less(source, rows, mean, x)
    return _Points(rows, counts, x)


@kernel
def _copy_rows(x: Float32s, start: int, end: int, out: Float32s) -> None:
    """Copy rows ``start:end``, and zero what is left of ``out``."""
    for i in range(end - start):
        for k in range(x.shape[1]):
            out[i, k] = x[start + i, k]
    out[end - start :] = np.float32(0)


@inlined_kernel
def _forest_of_clusters(
    source: npt.NDArray[Any], points: _Points, clusters: Int32s, limit: float
) -> tuple[Forest, bool]:
    """Make the merges within each cluster; ``clusters`` of the points are in ascending order.

    The second value is whether each became one, and none of the merges tied.
    """
    n, d = clusters.shape[0], source.shape[1]
    a, b, costs = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
    x, scratch = np.empty(0, np.float32), np.empty(0, np.float32)
    n_merges, start, end, certain = 0, 0, 0, True
    while start < n:
        while end < n and clusters[end] == clusters[start]:
            end += 1
        m = padded(end - start)
        if scratch.shape[0] < m * m:
            x, scratch = np.empty(m * d, np.float32), np.empty(m * m, np.float32)
        own = x[: m * d].reshape(m, d)
        _copy_rows(points.x, start, end, own)
        merges = merges_within(
            own, source, points.rows[start:end], points.counts[start:end], limit, False, scratch
        )
        certain = certain and merges.untied and merges.costs.shape[0] == end - start - 1
        for i in range(merges.costs.shape[0]):
            a[n_merges], b[n_merges] = start + merges.a[i], start + merges.b[i]
            costs[n_merges] = merges.costs[i]
            n_merges += 1
        start = end
    sizes = points.counts.astype(np.float32)
    return in_order_of_costs(a[:n_merges], b[:n_merges], costs[:n_merges], sizes), certain


@inlined_kernel
def _costs_between(old: _Points, new: _Points, known: Int32s) -> tuple[Float32s, np.float32]:
    """Return what merging each old point with each new one costs, and the rounding unit.

    It is infinite for old points without a known cluster: those are among the new.
    """
    n, m, n_new = old.rows.shape[0], new.x.shape[0], new.rows.shape[0]
    squares, new_squares = np.empty(n, np.float32), np.empty(m, np.float32)
    squared_norms(old.x[:n], squares)
    squared_norms(new.x, new_squares)
    costs = np.empty((n, m), np.float32)
    squared_distances_between(old.x[:n], squares, new.x, new_squares, costs)
    for i in range(n):
        for j in range(n_new):
            factor = 2.0 * old.counts[i] * new.counts[j] / (old.counts[i] + new.counts[j])
            costs[i, j] = costs[i, j] * np.float32(factor) if known[i] >= 0 else np.float32(np.inf)
    d = old.x.shape[1]
    unit = max(rounding_unit(squares, d), rounding_unit(new_squares, d))
    return costs[:, :n_new], unit


@inlined_kernel
def _beside(
    source: npt.NDArray[Any], known: _Known, labels: Int32s, new: _Points, limit: float
) -> tuple[Int32s, Bools, bool]:
    """Cluster new points by themselves.

    Returns
    -------
    Their labels, which of the known clusters they touch, and whether no merge tied. Points of ``known``
    whose ``labels`` are -1 are left out: they are among the new.
    """
    scratch = np.empty(new.x.shape[0] ** 2, np.float32)
    merges = merges_within(new.x, source, new.rows, new.counts, limit, False, scratch)
    costs, unit = _costs_between(known.points, new, labels)
    a, b, merge_costs, sizes = known.forest
    rows = Forest(a, b, merge_costs, sizes.copy())
    columns = in_order_of_costs(merges.a, merges.b, merges.costs, new.counts.astype(np.float32))
    touched = touching(costs, rows, columns, known.clusters, unit, limit)
    return labels_after(merges, new.rows.shape[0]), touched, merges.untied


@inlined_kernel
def labels_with_known(
    source: npt.NDArray[Any],
    rows: Int64s,
    counts: Float64s,
    known: Int32s,
    limit: float,
    most_changed: int,
) -> tuple[Int32s, bool]:
    """Cluster distinct points of which most keep the cluster that they are known to be in.

    Parameters
    ----------
    source, rows, counts, limit
        As in :func:`~pinnersage.interests.clustering.cluster_points`.
    known
        int32 ``(n_points,)``: cluster before, -1 for points to cluster anew; each cluster is as it was,
        and no merge of them tied.
    most_changed
        How many points may be clustered again, those that are again and again counted as often.

    Returns
    -------
    labels
        int32 ``(n_points,)``, numbered by first appearance; untied.
    found
        False when too many changed or a merge tied; then the labels mean nothing.
    """
    labels = known.copy()
    order = stable_order(known.astype(np.int64))
    n_new = int((known < 0).sum())
    if n_new > most_changed or n_new == known.shape[0]:
        return labels, False
    if n_new == 0:
        return _by_first_appearance(labels), True
    others = order[n_new:]
    mean = mean_point(source, rows[others])
    points = _points_of(source, rows[others], counts[others], mean)
    forest, untied = _forest_of_clusters(source, points, known[others], limit)
    before = _Known(points, known[others], forest)
    while untied:
        changed = np.flatnonzero(labels < 0)
        most_changed -= changed.shape[0]
        if most_changed < 0:
            break
        new = _points_of(source, rows[changed], counts[changed], mean)
        found, touched, untied = _beside(source, before, labels[others], new, limit)
        any_touched = False
        for i in others:
            if touched[known[i]]:
                labels[i], any_touched = -1, True
        if untied and not any_touched:
            for i in range(changed.shape[0]):
                labels[changed[i]] = known.max() + 1 + found[i]
            return _by_first_appearance(labels), True
    return labels, False


@kernel
def _by_first_appearance(labels: Int32s) -> Int32s:
    numbers, n = np.full(labels.max() + 1, -1, np.int32), 0
    for label in labels:
        if numbers[label] < 0:
            numbers[label] = n
            n += 1
    return numbers[labels]

"""Whether two forests of merges, each made without the other, are together the forest of both.

A forest of Ward merges over some points is part of the forest over these and others when, in the order of
costs, no cluster ever had a nearer neighbor among the others than the one it merged with, and none that
is left could merge with one of them. :func:`touching` makes the merges of both again, the cheaper first,
and tells where that fails.

Source: Ward's cost is reducible, so merges may be made in any order that keeps to nearest neighbors:
Murtagh 1983.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage._kernel import inlined_kernel, kernel, vector_kernel
from pinnersage.interests.canonical import stable_order

_ZERO = np.float32(0)
_ONE = np.float32(1)
_INFINITY = np.float32(np.inf)
_RELATIVE_ROUNDING = np.float32(2e-5)
_UNITS = np.float32(4)


class Forest(NamedTuple):
    """Merges, the cheapest first, each after those that made its parts.

    Cluster ``b[i]`` joins cluster ``a[i]`` at ``costs[i]``; a cluster is named by one of its points.
    ``sizes`` float32 ``(n_points,)`` are the actions at each point.
    """

    a: Int32s
    b: Int32s
    costs: Float32s
    sizes: Float32s


@kernel
def in_order_of_costs(a: Int32s, b: Int32s, costs: Float32s, sizes: Float32s) -> Forest:
    """Sort merges, each after those of its parts: none counts as cheaper than they, whatever was rounded."""
    heights = np.zeros(sizes.shape[0], np.float32)
    for i in range(costs.shape[0]):
        costs[i] = max(costs[i], heights[a[i]], heights[b[i]])
        heights[a[i]] = costs[i]
    order = stable_order(costs.view(np.int32).astype(np.int64))
    return Forest(a[order], b[order], costs[order], sizes)


@vector_kernel
def _smallest(row: Float32s) -> np.float32:
    smallest = _INFINITY
    for k in range(row.shape[0]):
        smallest = min(smallest, row[k])
    return smallest


@vector_kernel
def _merge_rows(
    costs: Float32s, a: int, b: int, n_a: np.float32, n_b: np.float32, sizes: Float32s, cost: np.float32
) -> None:
    """Turn row ``a`` into the costs of the merged cluster, and row ``b`` to infinity."""
    for k in range(sizes.shape[0]):
        n = sizes[k]
        total = (n_a + n) * costs[a, k] + (n_b + n) * costs[b, k] - n * cost
        costs[a, k] = max(_ZERO, total / (n_a + n_b + n))
        costs[b, k] = _INFINITY


@kernel
def _merge_columns(
    costs: Float32s, a: int, b: int, sizes: Float32s, own: Float32s, cost: np.float32, groups: Int32s,
    bound: np.float32, touched: Bools,
) -> None:  # fmt: skip
    """Do the same with columns; mark the groups of rows that were not above ``bound``."""
    n_a, n_b = own[a], own[b]
    for k in range(costs.shape[0]):
        to_a, to_b, n = costs[k, a], costs[k, b], sizes[k]
        if to_a <= bound or to_b <= bound:
            touched[groups[k]] = True
        total = (n_a + n) * to_a + (n_b + n) * to_b - n * cost
        costs[k, a] = max(_ZERO, total / (n_a + n_b + n))
        costs[k, b] = _INFINITY


@kernel
def _certainly_above(cost: np.float32, unit: np.float32, size: np.float32) -> np.float32:
    """Return what a float32 cost must exceed to be above ``cost`` whatever was rounded."""
    slack = cost * _RELATIVE_ROUNDING + _UNITS * unit * size
    return np.float32((cost + slack) * (_ONE + _RELATIVE_ROUNDING))


@inlined_kernel
def touching(
    costs: Float32s, rows: Forest, columns: Forest, groups: Int32s, unit: np.float32, limit: float
) -> Bools:
    """Tell which groups of rows hold a cluster that might have merged with one of the columns.

    Parameters
    ----------
    costs
        float32 ``(n_rows, n_columns)``: of merging each point of the one forest with each of the other,
        infinity where either takes no part; used up.
    rows, columns
        The forests; their sizes are used up.
    groups
        int32 ``(n_rows,)`` from 0 on; all merges of rows are within a group.
    unit
        Bound on the rounding error of one squared distance.
    limit
        Largest cost of a merge.

    Returns
    -------
    touched
        bool ``(groups.max() + 1,)``; what rounding leaves open counts as touched.
    """
    touched = np.zeros(groups.max() + 1, np.bool_)
    i, j = 0, 0
    while i < rows.costs.shape[0] or j < columns.costs.shape[0]:
        if j == columns.costs.shape[0] or (i < rows.costs.shape[0] and rows.costs[i] <= columns.costs[j]):
            a, b, cost = rows.a[i], rows.b[i], rows.costs[i]
            bound = _certainly_above(cost, unit, rows.sizes[a] + rows.sizes[b])
            if min(_smallest(costs[a]), _smallest(costs[b])) <= bound:
                touched[groups[a]] = True
            _merge_rows(costs, a, b, rows.sizes[a], rows.sizes[b], columns.sizes, cost)
            rows.sizes[a] += rows.sizes[b]
            i += 1
        else:
            a, b, cost = columns.a[j], columns.b[j], columns.costs[j]
            bound = _certainly_above(cost, unit, columns.sizes[a] + columns.sizes[b])
            _merge_columns(costs, a, b, rows.sizes, columns.sizes, cost, groups, bound, touched)
            columns.sizes[a] += columns.sizes[b]
            j += 1
    for k in range(costs.shape[0]):
        smallest = _smallest(costs[k])
        if smallest < _INFINITY and smallest <= _certainly_above(np.float32(limit), unit, rows.sizes[k]):
            touched[groups[k]] = True
    return touched

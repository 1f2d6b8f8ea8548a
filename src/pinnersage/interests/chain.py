"""The nearest-neighbour chain: merge reciprocal nearest clusters until every cost exceeds a limit.

Costs are kept in float32 and scanned as integers; where rounding could change an answer,
:mod:`.exact` decides in float64. :mod:`.ward` says what this is for.

Source: nearest-neighbour chains: Murtagh 1983, Müllner 2011; the update: Lance and Williams 1967.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Int32s
from pinnersage._kernel import kernel, vector_kernel
from pinnersage.interests.exact import Members, join, merge_cost
from pinnersage.interests.rows import (
    Written,
    bring_up_to_date,
    copy_to_column,
    forget,
    note_merge,
    nothing_written,
)

_UNUSED = np.int32(0x7FFFFFFF)
_INFINITY_BITS = np.int32(0x7F800000)
_RELATIVE_ROUNDING = np.float32(1e-5)
_ZERO = np.float32(0)
_MOST_MIRRORED = 160
"""Up to so many clusters rows and columns are both written: see :func:`~.rows.copy_to_column`."""
_NONE = -1
_UNSURE = -2
_RELATIVE_TIE = 1e-10


class Merges(NamedTuple):
    """Merges in the order they were made: cluster ``b[i]`` joined cluster ``a[i]`` at ``costs[i]``.

    A cluster is named by its point with the smallest number. ``untied`` tells that there was no choice:
    no other merge cost the same, and none cost the limit. Then merging in any other order, or among fewer
    points, gives the same clusters.
    """

    a: Int32s
    b: Int32s
    costs: Float32s
    untied: bool


class State(NamedTuple):
    """Costs between clusters and what is known of each cluster.

    Attributes
    ----------
    costs
        float32 ``(m, m)``, infinity on the diagonal, none negative; symmetric at first, then see
        :mod:`.rows`.
    bits
        The same memory read as int32: for numbers that are not negative the order is the same, and
        integer minima vectorise.
    sizes
        float32 ``(m,)`` actions in each cluster.
    masks
        int32 ``(m,)``, 0 for a cluster in use, all ones for one merged away or retired.
    unit
        float32 bound on the rounding error of one squared distance.
    """

    costs: Float32s
    bits: Int32s
    sizes: Float32s
    masks: Int32s
    unit: np.float32


@vector_kernel
def _smallest(bits: Int32s, masks: Int32s, top: int) -> np.int32:
    smallest = _UNUSED
    for k in range(masks.shape[0]):
        smallest = min(smallest, bits[top, k] | masks[k])
    return smallest


@vector_kernel
def _not_above(bits: Int32s, masks: Int32s, top: int, bound: np.int32) -> tuple[np.int32, np.int32]:
    """Count the entries of row ``top`` not above ``bound`` and find the first of them."""
    count, first = np.int32(0), _UNUSED
    for k in range(masks.shape[0]):
        hit = (bits[top, k] | masks[k]) <= bound
        count += np.int32(hit)
        first = min(first, np.int32(k) if hit else _UNUSED)
    return count, first


@vector_kernel
def _ward_row(costs: Float32s, sizes: Float32s, a: int, b: int) -> None:
    """Turn row ``a`` into the row of the merged cluster."""
    n_a, n_b, cost = sizes[a], sizes[b], costs[a, b]
    for k in range(sizes.shape[0]):
        n = sizes[k]
        total = (n_a + n) * costs[a, k] + (n_b + n) * costs[b, k] - n * cost
        costs[a, k] = max(_ZERO, total / (n_a + n_b + n))


@vector_kernel
def _complete_row(costs: Float32s, a: int, b: int) -> None:
    for k in range(costs.shape[0]):
        costs[a, k] = max(costs[a, k], costs[b, k])


@kernel
def _nearest_ward(
    bits: Int32s, masks: Int32s, size: np.float32, unit: np.float32, top: int, limit: float
) -> tuple[int, np.int32]:
    """Return the cluster cheapest to merge with ``top``, or ``_NONE`` when that exceeds ``limit``.

    Where float32 cannot tell, return ``_UNSURE`` and the bound up to which candidates must be compared.
    """
    smallest = _smallest(bits, masks, top)
    if smallest >= _INFINITY_BITS:
        return _NONE, smallest
    cost = np.int32(smallest).view(np.float32)
    slack = cost * _RELATIVE_ROUNDING + unit * size
    if cost - slack > limit:
        return _NONE, smallest
    bound = np.float32(cost + slack).view(np.int32)
    count, first = _not_above(bits, masks, top, bound)
    if count == 1 and cost + slack <= limit:
        return int(first), bound
    return _UNSURE, bound


@kernel
def _nearest_complete(bits: Int32s, masks: Int32s, top: int, previous: int, limit: float) -> int:
    """Return the cluster whose farthest member is nearest to ``top``, or ``_NONE``."""
    smallest = _smallest(bits, masks, top)
    if smallest >= _INFINITY_BITS or np.int32(smallest).view(np.float32) > limit:
        return _NONE
    if previous >= 0 and bits[top, previous] == smallest:
        return previous
    return int(_not_above(bits, masks, top, smallest)[1])


@kernel
def _nearest_exact(
    state: State, members: Members, top: int, previous: int, bound: np.int32, limit: float
) -> tuple[int, bool]:
    """Choose among the candidates not above ``bound`` by float64 costs; ``_NONE`` when all exceed ``limit``.

    Ties go to ``previous``, then to the cluster with the smallest number. The second value tells that
    there was none, and that no cost was the limit.
    """
    n_top = np.float64(state.sizes[top])
    bits = state.bits[top]
    best, best_cost, next_cost = _NONE, np.inf, np.inf
    if previous >= 0 and bits[previous] <= bound:
        best = previous
        best_cost = merge_cost(members, top, previous, n_top, np.float64(state.sizes[previous]))
    for k in range(bits.shape[0]):
        if best_cost == 0.0:
            break
        if k != previous and (bits[k] | state.masks[k]) <= bound:
            cost = merge_cost(members, top, k, n_top, np.float64(state.sizes[k]))
            next_cost = min(next_cost, max(cost, best_cost))
            if cost < best_cost:
                best, best_cost = k, cost
    if best_cost == 0.0:
        return best, True
    if best_cost > limit:
        return _NONE, best_cost > limit * (1.0 + _RELATIVE_TIE)
    alone = next_cost > best_cost * (1.0 + _RELATIVE_TIE)
    return best, alone and best_cost < limit * (1.0 - _RELATIVE_TIE)


@kernel
def _first_in_use(masks: Int32s, start: int, n: int) -> int:
    while start < n and masks[start] != 0:
        start += 1
    return start


@kernel
def _merge(state: State, a: int, b: int, complete: bool, mirrored: bool) -> None:
    """Let cluster ``b`` join cluster ``a``; write its row, and where ``mirrored`` its column, too."""
    if complete:
        _complete_row(state.costs, a, b)
    else:
        _ward_row(state.costs, state.sizes, a, b)
    if mirrored:
        copy_to_column(state.costs, a)
    state.masks[b] = _UNUSED
    state.sizes[a] += state.sizes[b]


@kernel
def follow_chain(state: State, members: Members, limit: float, complete: bool) -> Merges:
    """Make every merge that costs at most ``limit``; ``state`` and ``members`` are used up."""
    n = state.costs.shape[0]
    return _follow(state, members, limit, complete, nothing_written(0 if n <= _MOST_MIRRORED else n))


@kernel
def _follow(state: State, members: Members, limit: float, complete: bool, written: Written) -> Merges:
    costs, bits, sizes, masks, unit = state
    n, mirrored = members.counts.shape[0], written.merged.shape[0] == 0
    a_of, b_of, cost_of = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
    chain, untied, all_untied = np.empty(n + 1, np.int64), np.ones(n + 1, np.bool_), True
    length, start, n_merges = 0, 0, 0
    while length > 0 or start < n:
        if length == 0:
            chain[0], length = start, 1
        top, previous = chain[length - 1], chain[length - 2] if length > 1 else _NONE
        if not mirrored:
            bring_up_to_date(costs, written, top, n_merges)
        if complete:
            nearest = _nearest_complete(bits, masks, top, previous, limit)
        else:
            nearest, bound = _nearest_ward(bits, masks, sizes[top], unit, top, limit)
            untied[length - 1] = True
            if nearest == _UNSURE:
                nearest, untied[length - 1] = _nearest_exact(state, members, top, previous, bound, limit)
        if nearest == _NONE:
            all_untied = all_untied and untied[length - 1]
            if not mirrored:
                forget(written, top)
            masks[top], length = _UNUSED, length - 1
        elif nearest == previous or length > n:
            a, b = min(top, previous), max(top, previous)
            if not mirrored:
                bring_up_to_date(costs, written, previous, n_merges)
                note_merge(written, a, b, n_merges + 1)
            a_of[n_merges], b_of[n_merges], cost_of[n_merges] = a, b, costs[a, b]
            n_merges += 1
            all_untied = all_untied and nearest == previous and untied[length - 1] and untied[length - 2]
            _merge(state, a, b, complete, mirrored)
            join(members, a, b)
            length -= 2
        else:
            chain[length] = nearest
            length += 1
        start = _first_in_use(masks, start, n)
    return Merges(a_of[:n_merges], b_of[:n_merges], cost_of[:n_merges], all_untied)

"""The merge of several interests' neighbors into one list, compiled.

One rule serves both paths: the interest furthest behind its share gives its next item that is
available, unseen, not taken and no near-duplicate of an item taken. With equal shares that is plain
round-robin.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage._kernel import kernel, vector_kernel
from pinnersage.retrieval._scores import Matrix, dot, widen

COSINE_SLACK = 1e-6
_HEAD = 32


@kernel
def make_set(rows: Int32s, n_more: int) -> Int32s:
    """Open-addressing set of item rows, with room for ``n_more``; -1 marks a free slot."""
    size = 16
    while size < 2 * (len(rows) + n_more):
        size *= 2
    table = np.full(size, -1, np.int32)
    for row in rows:
        table[slot_of(table, row)] = row
    return table


@kernel
def slot_of(table: Int32s, row: int) -> Any:
    """Return the slot that holds ``row``, or the free slot where it belongs."""
    slot = (np.uint64(row) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)) & np.uint64(len(table) - 1)
    while table[slot] != -1 and table[slot] != row:
        slot = (slot + np.uint64(1)) & np.uint64(len(table) - 1)
    return np.int64(slot)


@vector_kernel
def _partial_distance(a: Float32s, b: Float32s, start: int, stop: int) -> Any:
    total = np.float32(0)
    for j in range(start, stop):
        total += (a[j] - b[j]) * (a[j] - b[j])
    return total


@kernel
def _unit(row: Matrix, out: Float32s) -> None:
    """Write the embedding at unit length; a zero embedding stays zero."""
    for j in range(len(out)):
        out[j] = widen(row[j])
    length = math.sqrt(dot(out, out))
    if length > 0:
        for j in range(len(out)):
            out[j] = np.float32(out[j] / length)


@kernel
def is_near_duplicate(item: Float32s, chosen: Float32s, n_chosen: int, cosine: float) -> bool:
    """Tell whether a unit vector is at or above ``cosine`` to one of the first ``n_chosen``.

    Unit vectors that near are no further apart than ``sqrt(2 - 2 cosine)``: most pairs are settled by
    a few of their numbers.
    """
    head = min(_HEAD, len(item))
    reach = np.float32(max(0.0, 2.0 - 2.0 * cosine) + 1e-4)
    for i in range(n_chosen):
        if _partial_distance(item, chosen[i], 0, head) > reach:
            continue
        if dot(item, chosen[i]) >= cosine:
            return True
    return False


@kernel
def count_offers(
    rows: Int32s, starts: Int64s, complete: Bools, shares: Int64s, pool: Bools, seen: Int32s, short: Bools
) -> int:
    """Count the different items offered: each interest's nearest ``shares[i]`` available, unseen ones.

    ``short[i]`` is set when the list of interest ``i`` ran out although the index holds more.
    """
    offered = make_set(rows[:0], min(shares.sum(), len(rows)))
    n_offered = 0
    for i in range(len(shares)):
        n_given = 0
        for at in range(starts[i], starts[i + 1]):
            if n_given == shares[i]:
                break
            row = rows[at]
            if not pool[row] or seen[slot_of(seen, row)] == row:
                continue
            n_given += 1
            slot = slot_of(offered, row)
            n_offered += offered[slot] != row
            offered[slot] = row
        short[i] = n_given < shares[i] and not complete[i]
    return n_offered


@kernel
def furthest_behind(given: Int64s, shares: Int64s, active: Bools, n_taken: int) -> Any:
    """Return the active interest furthest behind its share of the next item; the earliest of equals."""
    total = shares.sum()
    best, most = -1, np.int64(0)
    for i in range(len(shares)):
        behind = shares[i] * (n_taken + 1) - given[i] * total
        if active[i] and (best < 0 or behind > most):
            best, most = i, behind
    return best


@kernel
def merge(
    rows: Int32s,
    starts: Int64s,
    complete: Bools,
    shares: Int64s,
    pool: Bools,
    barred: Int32s,
    matrix: Matrix,
    cosine: float,
    first: int,
    places: Int64s,
    interests: Int32s,
) -> tuple[int, int]:
    """Fill ``places`` (positions in ``rows``) and ``interests`` by weighted round-robin.

    ``barred`` is a set with room for the list; items taken are added to it. Item ``first`` (-1 for
    none) counts as taken before the others. Returns the number taken, and the interest whose list
    ran out although the index holds more (-1 if none did).
    """
    k = len(places)
    chosen = np.empty((k + 2, matrix.shape[1]), np.float32)
    n_before = 0
    if first >= 0:
        _unit(matrix[first], chosen[0])
        barred[slot_of(barred, first)] = first
        n_before = 1
    cursors = starts[:-1].copy()
    given = np.zeros(len(shares), np.int64)
    active = np.ones(len(shares), np.bool_)
    n = 0
    while n < k:
        i = furthest_behind(given, shares, active, n)
        if i < 0:
            break
        at = _next_place(rows, cursors[i], starts[i + 1], pool, barred, matrix, cosine, chosen, n_before + n)
        if at < 0:
            if not complete[i]:
                return n, i
            active[i] = False
            continue
        cursors[i] = at + 1
        barred[slot_of(barred, rows[at])] = rows[at]
        places[n] = at
        interests[n] = i
        given[i] += 1
        n += 1
    return n, -1


@kernel
def _next_place(
    rows: Int32s,
    start: int,
    stop: int,
    pool: Bools,
    barred: Int32s,
    matrix: Matrix,
    cosine: float,
    chosen: Float32s,
    n: int,
) -> int:
    """Return the next position whose item may join the list (its unit vector in ``chosen[n]``), or -1."""
    for at in range(start, stop):
        row = rows[at]
        if not pool[row] or barred[slot_of(barred, row)] == row:
            continue
        if cosine > 1.0:
            return at
        _unit(matrix[row], chosen[n])
        if not is_near_duplicate(chosen[n], chosen, n, cosine - COSINE_SLACK):
            return at
    return -1

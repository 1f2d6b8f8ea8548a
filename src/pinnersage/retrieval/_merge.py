"""The merge of several interests' neighbors into one list, compiled.

One rule serves both paths: the interest furthest behind its share gives its next item that is
available, unseen, not taken and no near-duplicate of an item taken. With equal shares that is plain
round-robin.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage._kernel import kernel, vector_kernel
from pinnersage.retrieval._scores import Matrix, dot, widen_row

COSINE_SLACK = 1e-6
_SMALLEST_HEAD, _HEAD_SHARE = 16, 16
ALL_LONG_ENOUGH = -1
NOT_MERGED = -2


class Lists(NamedTuple):
    """Neighbors of several interests: interest ``i`` owns ``rows[starts[i]:starts[i + 1]]``, best first.

    ``complete[i]``: the index holds no more; ``shares[i]``: its part of the budget.
    """

    rows: Int32s
    starts: Int64s
    complete: Bools
    shares: Int64s


class Rules(NamedTuple):
    """What may join a list: in the pool, not in the set ``barred``, below ``cosine`` to those in it."""

    pool: Bools
    barred: Int32s
    matrix: Matrix
    cosine: float


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


@kernel
def are_in(rows: Int32s, table: Int32s) -> Bools:
    """Tell of each row whether a set holds it."""
    out = np.empty(len(rows), np.bool_)
    for i in range(len(rows)):
        out[i] = table[slot_of(table, rows[i])] == rows[i]
    return out


@kernel
def _unit(row: Matrix, out: Float32s) -> None:
    """Write the embedding at unit length; a zero embedding stays zero."""
    widen_row(row, out)
    length = math.sqrt(dot(out, out))
    if length > 0:
        for j in range(len(out)):
            out[j] = np.float32(out[j] / length)


class Chosen(NamedTuple):
    """Items of a list so far: unit vectors one to a row, and their first numbers one to a column.

    ``distances``: scratch, a number for each.
    """

    vectors: Float32s
    heads: Float32s
    distances: Float32s


@kernel
def room_for(n: int, dim: int) -> Chosen:
    """Return room for ``n`` items and one more to try."""
    n_first = min(max(_SMALLEST_HEAD, dim // _HEAD_SHARE), dim)
    vectors, heads = np.empty((n + 1, dim), np.float32), np.empty((n_first, n + 1), np.float32)
    return Chosen(vectors, heads, np.empty(n + 1, np.float32))


@vector_kernel
def _partial_distances(heads: Float32s, n: int, distances: Float32s) -> None:
    """Write how far item ``n`` is from those before it in the first dimensions alone, squared."""
    distances[:n] = 0
    for j in range(heads.shape[0]):
        own = heads[j, n]
        for i in range(n):
            distances[i] += (heads[j, i] - own) * (heads[j, i] - own)


@kernel
def is_near_duplicate(chosen: Chosen, n: int, cosine: float) -> bool:
    """Tell whether item ``n`` is at or above ``cosine`` to one of the ``n`` before it.

    Unit vectors that near are no further apart than ``sqrt(2 - 2 cosine)``: most pairs are settled by
    a few of their numbers, which a cache holds for all items at once.
    """
    for j in range(chosen.heads.shape[0]):
        chosen.heads[j, n] = chosen.vectors[n, j]
    _partial_distances(chosen.heads, n, chosen.distances)
    reach = np.float32(max(0.0, 2.0 - 2.0 * cosine) + 1e-4)
    for i in range(n):
        if chosen.distances[i] <= reach and dot(chosen.vectors[n], chosen.vectors[i]) >= cosine:
            return True
    return False


@kernel
def count_offers(lists: Lists, rules: Rules, short: Bools) -> int:
    """Count the different items offered: each interest's nearest ``shares[i]`` available, unseen ones.

    ``short[i]`` is set when the list of interest ``i`` ran out although the index holds more.
    """
    offered = make_set(lists.rows[:0], min(lists.shares.sum(), len(lists.rows)))
    n_offered = 0
    for i in range(len(lists.shares)):
        n_given = 0
        for at in range(lists.starts[i], lists.starts[i + 1]):
            if n_given == lists.shares[i]:
                break
            row = lists.rows[at]
            if not rules.pool[row] or rules.barred[slot_of(rules.barred, row)] == row:
                continue
            n_given += 1
            slot = slot_of(offered, row)
            n_offered += offered[slot] != row
            offered[slot] = row
        short[i] = n_given < lists.shares[i] and not lists.complete[i]
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
def merge(lists: Lists, rules: Rules, places: Int64s, turns: Int32s) -> tuple[int, int]:
    """Fill ``places`` (positions in ``lists.rows``) and ``turns`` (interests) by weighted round-robin.

    Items taken are added to ``rules.barred``. Returns the number taken, and the interest whose list
    ran out although the index holds more (-1 if none did).
    """
    return _go_on(lists, rules, begin(lists, len(places), rules.matrix.shape[1]), places, turns, 0)


class Merging(NamedTuple):
    """How far a merge has come: the next position of each list, what each gave, and which still give."""

    cursors: Int64s
    given: Int64s
    active: Bools
    chosen: Chosen


@kernel
def begin(lists: Lists, n_places: int, dim: int) -> Merging:
    """Return where a merge begins."""
    n_lists = len(lists.shares)
    given, active = np.zeros(n_lists, np.int64), np.ones(n_lists, np.bool_)
    return Merging(lists.starts[:-1].copy(), given, active, room_for(n_places, dim))


@kernel
def _go_on(
    lists: Lists, rules: Rules, merging: Merging, places: Int64s, turns: Int32s, n: int
) -> tuple[int, int]:
    cursors, given, active = merging.cursors, merging.given, merging.active
    while n < len(places):
        i = furthest_behind(given, lists.shares, active, n)
        if i < 0:
            break
        at = _next_place(lists, rules, cursors[i], lists.starts[i + 1], merging.chosen, n)
        if at < 0:
            cursors[i] = lists.starts[i + 1]
            if not lists.complete[i]:
                return n, i
            active[i] = False
            continue
        rules.barred[slot_of(rules.barred, lists.rows[at])] = lists.rows[at]
        places[n], turns[n], cursors[i] = at, i, at + 1
        given[i] += 1
        n += 1
    return n, -1


@kernel
def merge_on(
    lists: Lists, merging: Merging, barred: Int32s, pool: Bools, matrix: Matrix, cosine: float,
    places: Int64s, turns: Int32s, n: int,
) -> tuple[int, int]:  # fmt: skip
    """Go on with a merge of which ``n`` items are taken; returns what :func:`merge` does."""
    return _go_on(lists, Rules(pool, barred, matrix, cosine), merging, places, turns, n)


@kernel
def _next_place(lists: Lists, rules: Rules, start: int, stop: int, chosen: Chosen, n: int) -> int:
    """Return the next position whose item may join the list (put into ``chosen`` at ``n``), or -1."""
    for at in range(start, stop):
        row = lists.rows[at]
        if not rules.pool[row] or rules.barred[slot_of(rules.barred, row)] == row:
            continue
        if rules.cosine > 1.0:
            return at
        _unit(rules.matrix[row], chosen.vectors[n])
        if not is_near_duplicate(chosen, n, rules.cosine - COSINE_SLACK):
            return at
    return -1


@kernel
def offer_and_merge(
    lists: Lists, seen: Int32s, pool: Bools, matrix: Matrix, cosine: float,
    short: Bools, places: Int64s, turns: Int32s,
) -> tuple[int, int, int]:  # fmt: skip
    """:func:`count_offers`, and :func:`merge` if no list is short.

    Returns the number taken, the interest whose list ran out (``ALL_LONG_ENOUGH`` for none,
    ``NOT_MERGED`` where ``short`` says which), and the number offered.
    """
    rules = Rules(pool, make_set(seen, len(places) + 1), matrix, cosine)
    n_offered = count_offers(lists, rules, short)
    if short.any():
        return 0, NOT_MERGED, n_offered
    n, dry = merge(lists, rules, places, turns)
    return n, dry, n_offered


def without_near_duplicates(rows: Int32s, rules: Rules, k: int) -> Int64s:
    """Return positions of the first ``k`` of ``rows`` that may join a list, in their order."""
    lists = Lists(rows, np.array([0, len(rows)]), np.array([True]), np.array([k], np.int64))
    n_most = min(k, len(rows))
    places = np.empty(n_most, np.int64)
    n, _ = merge(lists, rules, places, np.empty(n_most, np.int32))
    return places[:n]

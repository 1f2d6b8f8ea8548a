"""One order for a user's actions, none twice, and which of them count.

The state of a user is a *set* of actions: it must not matter in which order, how often or through
which engine they came. Actions are put in canonical order (time, item row, kind, weight, event key,
all ascending); of equal ones one stays. Two actions are equal when their event keys are, or, without
event keys, when all other columns are. Of actions that share an event key the last in canonical
order stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage._kernel import kernel


class Columns(NamedTuple):
    """The columns of a batch of actions; see :class:`~pinnersage.actions.batch.ActionBatch`."""

    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s


@kernel
def _before(columns: Columns, i: int, j: int) -> bool:
    """Tell whether action ``i`` stands before ``j``."""
    if columns.times_ms[i] != columns.times_ms[j]:
        return bool(columns.times_ms[i] < columns.times_ms[j])
    if columns.item_rows[i] != columns.item_rows[j]:
        return bool(columns.item_rows[i] < columns.item_rows[j])
    if columns.kinds[i] != columns.kinds[j]:
        return bool(columns.kinds[i] < columns.kinds[j])
    if columns.weights[i] != columns.weights[j]:
        return bool(columns.weights[i] < columns.weights[j])
    return bool(columns.event_keys[i] < columns.event_keys[j])


@kernel
def stable_order(keys: Int64s) -> Int64s:
    """Return the positions of ``keys`` ascending, equal ones as they stand.

    All sorting of the kernels goes through this one type: every further one costs seconds to compile.
    """
    return np.argsort(keys, kind="mergesort")


@kernel
def _sort(columns: Columns, order: Int64s) -> Int64s:
    """Sort canonically: by the last column first, each sort stable; columns of one value are skipped."""
    in_order, one_key, one_weight = True, True, True
    for k in range(1, order.shape[0]):
        in_order = in_order and not _before(columns, order[k], order[k - 1])
        one_key = one_key and columns.event_keys[order[k]] == columns.event_keys[order[0]]
        one_weight = one_weight and columns.weights[order[k]] == columns.weights[order[0]]
    if in_order:
        return order
    if not one_key:
        half = np.uint64(1) << np.uint64(63)
        order = order[stable_order((columns.event_keys[order] ^ half).view(np.int64))]
    if not one_weight:
        order = order[stable_order(columns.weights[order].astype(np.float64).view(np.int64))]
    items = columns.item_rows[order].astype(np.int64) * 256 + columns.kinds[order]
    order = order[stable_order(items)]
    return order[stable_order(columns.times_ms[order])]


@kernel
def _repeats(columns: Columns, order: Int64s) -> Bools:
    """Mark the actions of a canonical order that repeat another one."""
    repeats = np.zeros(order.shape[0], np.bool_)
    any_key = False
    for k in range(order.shape[0]):
        any_key = any_key or columns.event_keys[order[k]] != 0
        if k > 0 and columns.event_keys[order[k]] == 0:
            repeats[k] = not _before(columns, order[k - 1], order[k])
    if any_key:
        keys = columns.event_keys[order].view(np.int64)
        by_key = stable_order(keys)
        for k in range(1, by_key.shape[0]):
            if keys[by_key[k]] != 0 and keys[by_key[k]] == keys[by_key[k - 1]]:
                repeats[by_key[k - 1]] = True
    return repeats


@kernel
def canonical_order(columns: Columns, start: int, end: int, now_ms: int) -> Int64s:
    """Return the positions of the actions ``start:end`` up to ``now_ms``, canonical, none twice."""
    order = np.empty(end - start, np.int64)
    n = 0
    for i in range(start, end):
        if columns.times_ms[i] <= now_ms:
            order[n] = i
            n += 1
    known = _sort(columns, order[:n])
    unique: Int64s = known[~_repeats(columns, known)]
    return unique


@kernel
def first_in_window(columns: Columns, order: Int64s, oldest_ms: int, max_actions: int) -> int:
    """Return where the window begins in a canonical order.

    Of the actions later than ``oldest_ms`` the last ``max_actions`` count; all before them do not.
    """
    first: int = max(0, order.shape[0] - max_actions)
    while first < order.shape[0] and columns.times_ms[order[first]] <= oldest_ms:
        first += 1
    return first

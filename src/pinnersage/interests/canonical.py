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
def _merge_halves(columns: Columns, order: Int64s, buffer: Int64s, start: int, middle: int, end: int) -> None:
    left, right = start, middle
    for k in range(start, end):
        if left < middle and (right == end or not _before(columns, order[right], order[left])):
            buffer[k] = order[left]
            left += 1
        else:
            buffer[k] = order[right]
            right += 1
    order[start:end] = buffer[start:end]


@kernel
def _sort(columns: Columns, order: Int64s) -> None:
    """Sort ``order`` canonically: insertion in runs of eight, then merging."""
    n, run = order.shape[0], 8
    for start in range(0, n, run):
        for i in range(start + 1, min(start + run, n)):
            item, j = order[i], i
            while j > start and _before(columns, item, order[j - 1]):
                order[j] = order[j - 1]
                j -= 1
            order[j] = item
    buffer = np.empty(n, np.int64)
    while run < n:
        for start in range(0, n - run, 2 * run):
            middle = start + run
            if _before(columns, order[middle], order[middle - 1]):
                _merge_halves(columns, order, buffer, start, middle, min(middle + run, n))
        run *= 2


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
        keys = columns.event_keys[order]
        by_key = np.argsort(keys, kind="mergesort")
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
    known = order[:n]
    _sort(columns, known)
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

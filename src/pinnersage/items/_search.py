"""Binary search for strings in Arrow's layout: bytes end to end, and offsets."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Int32s, Int64s, UInt8s
from pinnersage._kernel import kernel


@kernel
def _compare(text: UInt8s, start: int, end: int, key: UInt8s, key_start: int, key_end: int) -> int:
    n = min(end - start, key_end - key_start)
    for i in range(n):
        a, b = text[start + i], key[key_start + i]
        if a != b:
            return -1 if a < b else 1
    return (end - start) - (key_end - key_start)


@kernel
def gather(text: UInt8s, offsets: Int64s, rows: Int64s, ends: Int64s) -> tuple[bool, UInt8s]:
    """Return whether there are all of ``rows``, and their strings end to end; write where each ends."""
    n_bytes = 0
    for i in range(len(rows)):
        if not 0 <= rows[i] < len(offsets) - 1:
            return False, np.empty(0, np.uint8)
        n_bytes += offsets[rows[i] + 1] - offsets[rows[i]]
        ends[i] = n_bytes
    found = np.empty(n_bytes, np.uint8)
    at = 0
    for i in range(len(rows)):
        for j in range(offsets[rows[i]], offsets[rows[i] + 1]):
            found[at] = text[j]
            at += 1
    return True, found


@kernel
def find_strings(text: UInt8s, offsets: Int64s, keys: UInt8s, key_offsets: Int64s, found: Int32s) -> None:
    """Write to ``found`` the position of each key among the ascending strings, or -1.

    Parameters
    ----------
    text, offsets
        String ``i`` is ``text[offsets[i]:offsets[i + 1]]``; ascending by bytes.
    keys, key_offsets
        The same for the keys, in any order.
    found
        int32 ``(n_keys,)``, overwritten.
    """
    for k in range(len(found)):
        low, high = 0, len(offsets) - 1
        found[k] = -1
        while low < high:
            middle = (low + high) // 2
            order = _compare(
                text, offsets[middle], offsets[middle + 1], keys, key_offsets[k], key_offsets[k + 1]
            )
            if order == 0:
                found[k] = middle
                break
            if order < 0:
                low = middle + 1
            else:
                high = middle

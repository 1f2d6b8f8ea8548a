"""Kernels that write records; the format is described in :mod:`pinnersage.store.codec`."""

# Inside a kernel an int and numba's fixed-width integers are one; mypy cannot know.
# mypy: disable-error-code="assignment,arg-type,return-value,operator"

from __future__ import annotations

from typing import Any

import numpy as np

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage._kernel import kernel
from pinnersage.store._bits import crc32, put_packed, put_u32, put_varint

HEADER_BYTES = 12
MEDOIDS_ARE_ROWS = 1
LABELS_ARE_SHIFTED = 2
UNTIED = 4

MAX_BYTES_PER_RECORD = 64 + HEADER_BYTES
"""Header, counts, the time unit, six column widths and their padding."""
MAX_BYTES_PER_ACTION = 9 + 4 + 4 + 1 + 4 + 8
MAX_BYTES_PER_INTEREST = 4 + 8
MAX_BYTES_PER_SEEN = 5

OK = 0
BAD_TIMES = -1
BAD_ROWS = -2
BAD_LABELS = -3
BAD_SEEN = -4


@kernel
def _check(as_of_ms: int, rows: Int32s, times: Int64s, labels: Int32s, medoids: Int32s, seen: Int32s) -> int:
    if as_of_ms < 0:
        return BAD_TIMES
    for i in range(len(rows)):
        if times[i] < 0 or (i > 0 and times[i] < times[i - 1]):
            return BAD_TIMES
        if rows[i] < 0:
            return BAD_ROWS
        if labels[i] < -1 or labels[i] >= len(medoids):
            return BAD_LABELS
    for i in range(len(medoids)):
        if medoids[i] < 0:
            return BAD_ROWS
    for i in range(len(seen)):
        if seen[i] < 0 or (i > 0 and seen[i] <= seen[i - 1]):
            return BAD_SEEN
    return OK


@kernel
def _time_unit_ms(times: Int64s) -> int:
    """Largest number of milliseconds that divides every time; 1 when all are zero."""
    unit = np.int64(0)
    for time in times:
        rest = time
        while rest != 0:
            unit, rest = rest, unit % rest
        if unit == 1:
            break
    return max(unit, 1)


@kernel
def _put_times(out: UInt8s, pos: int, times: Int64s) -> int:
    if len(times) == 0:
        return pos
    unit = _time_unit_ms(times)
    pos = put_varint(out, pos, unit)
    previous = np.int64(0)
    for time in times:
        pos = put_varint(out, pos, (time - previous) // unit)
        previous = time
    return pos


@kernel
def _put_labels(out: UInt8s, pos: int, labels: Int32s, shift: int, scratch: UInt64s) -> int:
    for i in range(len(labels)):
        scratch[i] = labels[i] + shift
    return put_packed(out, pos, scratch, len(labels))


@kernel
def reversed_bits(word: int) -> int:
    """Mirror 32 bits: a float's few leading bits become a small number."""
    word = np.uint32(word)
    mirrored = np.uint32(0)
    for _ in range(32):
        mirrored = (mirrored << np.uint32(1)) | (word & np.uint32(1))
        word >>= np.uint32(1)
    return np.uint64(mirrored)


DEFAULT_WEIGHT = 0x1FC
"""The mirrored bits of float32 1.0."""


@kernel
def _put_weights(out: UInt8s, pos: int, weights: Float32s, scratch: UInt64s) -> int:
    words = weights.view(np.uint32)
    for i in range(len(words)):
        scratch[i] = reversed_bits(words[i]) ^ np.uint64(DEFAULT_WEIGHT)
    return put_packed(out, pos, scratch, len(words))


@kernel
def _find_medoids(rows: Int32s, medoids: Int32s, scratch: UInt64s) -> bool:
    """Write where each medoid first stands among the actions; False when one does not."""
    for i in range(len(medoids)):
        found = False
        for position in range(len(rows)):
            if rows[position] == medoids[i]:
                scratch[i] = position
                found = True
                break
        if not found:
            return False
    return True


@kernel
def _put_actions(
    out: UInt8s,
    pos: int,
    rows: Int32s,
    times: Int64s,
    weights: Float32s,
    kinds: UInt8s,
    keys: UInt64s,
    labels: Int32s,
    shift: int,
    scratch: UInt64s,
) -> int:
    pos = _put_times(out, pos, times)
    for i in range(len(rows)):
        scratch[i] = rows[i]
    pos = put_packed(out, pos, scratch, len(rows))
    pos = _put_labels(out, pos, labels, shift, scratch)
    for i in range(len(rows)):
        scratch[i] = kinds[i]
    pos = put_packed(out, pos, scratch, len(rows))
    pos = _put_weights(out, pos, weights, scratch)
    return put_packed(out, pos, keys, len(keys))


@kernel
def _put_interests(out: UInt8s, pos: int, medoids: UInt64s, importances: Float64s) -> int:
    pos = put_packed(out, pos, medoids, len(importances))
    words = importances.view(np.uint64)
    for word in words:
        for i in range(8):
            out[pos + i] = (word >> np.uint64(8 * i)) & np.uint64(255)
        pos += 8
    return pos


@kernel
def _put_seen(out: UInt8s, pos: int, seen: Int32s) -> int:
    previous = np.int64(0)
    for row in seen:
        pos = put_varint(out, pos, np.int64(row) - previous)
        previous = np.int64(row) + 1
    return pos


@kernel
def _seal(out: UInt8s, start: int, stop: int, version: int, flags: int) -> None:
    """Fill in the header: magic, version, flags, length, checksum."""
    out[start], out[start + 1], out[start + 2], out[start + 3] = 80, 83, version, flags
    put_u32(out, start + 4, stop - start)
    crc = crc32(out, start, start + 8, 0)
    put_u32(out, start + 8, crc32(out, start + HEADER_BYTES, stop, crc))


@kernel
def encode_one(
    out: UInt8s,
    start: int,
    version: int,
    as_of_ms: int,
    untied: bool,
    rows: Int32s,
    times: Int64s,
    weights: Float32s,
    kinds: UInt8s,
    keys: UInt64s,
    labels: Int32s,
    medoids: Int32s,
    importances: Float64s,
    seen: Int32s,
) -> int:
    """Write one record at ``start``; return where it ends, or a negative code of what is wrong."""
    problem = _check(as_of_ms, rows, times, labels, medoids, seen)
    if problem != OK:
        return problem
    scratch = np.empty(max(len(rows), len(medoids)), np.uint64)
    shift = 0
    for label in labels:
        if label < 0:
            shift = 1
    pos = put_varint(out, start + HEADER_BYTES, as_of_ms)
    pos = put_varint(out, pos, len(rows))
    pos = put_varint(out, pos, len(medoids))
    pos = put_varint(out, pos, len(seen))
    pos = _put_actions(out, pos, rows, times, weights, kinds, keys, labels, shift, scratch)
    flags = (LABELS_ARE_SHIFTED if shift else 0) | (UNTIED if untied else 0)
    if not _find_medoids(rows, medoids, scratch):
        flags |= MEDOIDS_ARE_ROWS
        for i in range(len(medoids)):
            scratch[i] = medoids[i]
    pos = _put_interests(out, pos, scratch, importances)
    pos = _put_seen(out, pos, seen)
    _seal(out, start, pos, version, flags)
    return pos


@kernel
def encode_many(
    out: UInt8s, ends: Int64s, version: int, as_of_ms: Int64s, untied: Bools,
    actions: Any, interests: Any, seen_items: Any,
) -> tuple[int, int]:  # fmt: skip
    """Write every user's record, one after the other; return ``(OK, 0)`` or ``(code, user)``.

    The last three are tuples: offsets, then the columns they cut.
    """
    action_offsets, rows, times, weights, kinds, keys, labels = actions
    interest_offsets, medoids, importances = interests
    seen_offsets, seen = seen_items
    pos = np.int64(0)
    for u in range(len(ends) - 1):
        a, b = action_offsets[u], action_offsets[u + 1]
        c, d = interest_offsets[u], interest_offsets[u + 1]
        e, f = seen_offsets[u], seen_offsets[u + 1]
        pos = encode_one(
            out,
            pos,
            version,
            as_of_ms[u],
            untied[u],
            rows[a:b],
            times[a:b],
            weights[a:b],
            kinds[a:b],
            keys[a:b],
            labels[a:b],
            medoids[c:d],
            importances[c:d],
            seen[e:f],
        )
        if pos < 0:
            return pos, u
        ends[u + 1] = pos
    return OK, 0

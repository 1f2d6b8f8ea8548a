"""Kernel that reads a record; it trusts no byte of it."""

# Inside a kernel an int and numba's fixed-width integers are one; mypy cannot know.
# mypy: disable-error-code="assignment,arg-type,return-value,operator"

from __future__ import annotations

from typing import Any

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage._kernel import kernel
from pinnersage.store._bits import crc32, get_packed, get_u32, get_varint
from pinnersage.store._encode import (
    DEFAULT_WEIGHT,
    HEADER_BYTES,
    LABELS_ARE_SHIFTED,
    MEDOIDS_ARE_ROWS,
    UNTIED,
    reversed_bits,
)

OK = 0
NOT_A_RECORD = 1
OTHER_VERSION = 2
WRONG_LENGTH = 3
WRONG_CHECKSUM = 4
BAD_COUNTS = 5
BAD_TIMES = 6
BAD_ACTIONS = 7
BAD_INTERESTS = 8
BAD_SEEN = 9

_MAX_ROW = 2**31 - 1


@kernel
def _check_header(data: UInt8s, version: int) -> int:
    if len(data) < 3 or data[0] != 80 or data[1] != 83:
        return NOT_A_RECORD
    if data[2] != version:
        return OTHER_VERSION
    if len(data) < HEADER_BYTES or get_u32(data, 4) != len(data):
        return WRONG_LENGTH
    crc = crc32(data, HEADER_BYTES, len(data), crc32(data, 0, 8, 0))
    if crc != get_u32(data, 8):
        return WRONG_CHECKSUM
    if data[3] & ~(MEDOIDS_ARE_ROWS | LABELS_ARE_SHIFTED | UNTIED):
        return NOT_A_RECORD
    return OK


@kernel
def _get_counts(data: UInt8s) -> tuple[int, int, int, int, int]:
    """Return ``as_of_ms``, three counts the remaining bytes can hold, and the next position or -1."""
    as_of_ms, pos = get_varint(data, HEADER_BYTES)
    if pos < 0:
        return 0, 0, 0, 0, -1
    n_actions, pos = get_varint(data, pos)
    if pos < 0:
        return 0, 0, 0, 0, -1
    n_interests, pos = get_varint(data, pos)
    if pos < 0:
        return 0, 0, 0, 0, -1
    n_seen, pos = get_varint(data, pos)
    left = len(data) - pos
    if pos < 0 or n_actions > left or n_interests > left // 8 or n_seen > left:
        return 0, 0, 0, 0, -1
    return as_of_ms, n_actions, n_interests, n_seen, pos


@kernel
def _get_times(data: UInt8s, pos: int, times: Int64s) -> int:
    if len(times) == 0:
        return pos
    unit, pos = get_varint(data, pos)
    if pos < 0 or unit == 0:
        return -1
    limit = np.int64(2**63 - 1) // unit
    units = np.int64(0)
    for i in range(len(times)):
        step, pos = get_varint(data, pos)
        if pos < 0 or step > limit - units:
            return -1
        units += step
        times[i] = units * unit
    return pos


@kernel
def _get_labels(
    data: UInt8s, pos: int, flags: int, n_interests: int, labels: Int32s, scratch: UInt64s
) -> int:
    pos = get_packed(data, pos, scratch, len(labels), 32)
    shift = 1 if flags & LABELS_ARE_SHIFTED else 0
    for i in range(len(labels) if pos >= 0 else 0):
        label = np.int64(scratch[i]) - shift
        if label >= n_interests:
            return -1
        labels[i] = label
    return pos


@kernel
def _get_weights(data: UInt8s, pos: int, weights: Float32s, scratch: UInt64s) -> int:
    pos = get_packed(data, pos, scratch, len(weights), 32)
    words = weights.view(np.uint32)
    for i in range(len(words) if pos >= 0 else 0):
        word = scratch[i] ^ np.uint64(DEFAULT_WEIGHT)
        words[i] = reversed_bits(word)
    return pos


@kernel
def _get_actions(
    data: UInt8s,
    pos: int,
    n_interests: int,
    rows: Int32s,
    weights: Float32s,
    kinds: UInt8s,
    keys: UInt64s,
    labels: Int32s,
    scratch: UInt64s,
) -> int:
    n = len(rows)
    pos = get_packed(data, pos, scratch, n, 31)
    if pos < 0:
        return -1
    for i in range(n):
        rows[i] = scratch[i]
    pos = _get_labels(data, pos, data[3], n_interests, labels, scratch)
    if pos < 0:
        return -1
    pos = get_packed(data, pos, scratch, n, 8)
    if pos < 0:
        return -1
    for i in range(n):
        kinds[i] = scratch[i]
    pos = _get_weights(data, pos, weights, scratch)
    if pos < 0:
        return -1
    return get_packed(data, pos, keys, n, 64)


@kernel
def _get_interests(
    data: UInt8s, pos: int, rows: Int32s, medoids: Int32s, importances: Float64s, scratch: UInt64s
) -> int:
    n = len(medoids)
    pos = get_packed(data, pos, scratch, n, 31)
    if pos < 0 or pos + 8 * n > len(data):
        return -1
    for i in range(n):
        where = np.int64(scratch[i])
        if data[3] & MEDOIDS_ARE_ROWS:
            medoids[i] = where
        elif where < len(rows):
            medoids[i] = rows[where]
        else:
            return -1
    importances.view(np.uint8)[:] = data[pos : pos + 8 * n]
    return pos + 8 * n


@kernel
def _get_seen(data: UInt8s, pos: int, seen: Int32s) -> int:
    row = np.int64(-1)
    for i in range(len(seen)):
        gap, pos = get_varint(data, pos)
        if pos < 0 or gap >= _MAX_ROW - row:
            return -1
        row += gap + 1
        seen[i] = row
    return pos


@kernel
def decode_one(data: UInt8s, version: int) -> Any:
    """Return a status and the fields of the record, in order; the fields mean nothing unless OK."""
    status = _check_header(data, version)
    as_of_ms, n, k, s, pos = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    if status == OK:
        as_of_ms, n, k, s, pos = _get_counts(data)
        if pos < 0:
            status, n, k, s = BAD_COUNTS, np.int64(0), np.int64(0), np.int64(0)
    rows, labels, medoids = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(k, np.int32)
    times, weights, kinds = np.empty(n, np.int64), np.empty(n, np.float32), np.empty(n, np.uint8)
    keys, importances, seen = np.empty(n, np.uint64), np.empty(k, np.float64), np.empty(s, np.int32)
    if status == OK:
        status = _fill(data, pos, rows, times, weights, kinds, keys, labels, medoids, importances, seen)
    return status, as_of_ms, rows, times, weights, kinds, keys, labels, medoids, importances, seen


@kernel
def _fill(
    data: UInt8s,
    pos: int,
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
    scratch = np.empty(max(len(rows), len(medoids)), np.uint64)
    pos = _get_times(data, pos, times)
    if pos < 0:
        return BAD_TIMES
    pos = _get_actions(data, pos, len(medoids), rows, weights, kinds, keys, labels, scratch)
    if pos < 0:
        return BAD_ACTIONS
    pos = _get_interests(data, pos, rows, medoids, importances, scratch)
    if pos < 0:
        return BAD_INTERESTS
    pos = _get_seen(data, pos, seen)
    if pos != len(data):
        return BAD_SEEN
    return OK


@kernel
def decode_many(data: UInt8s, offsets: Int64s, version: int) -> Any:
    """Read records that lie end to end; return a status, the record it is about, and all fields.

    The fields are the moments, where each record's actions, interests and seen rows end, and the columns
    that these cut; they mean nothing unless OK.
    """
    n_records = len(offsets) - 1
    as_of_ms, begins = np.zeros(n_records, np.int64), np.zeros(n_records, np.int64)
    ends = np.zeros((n_records + 1, 3), np.int64)
    status, u = OK, 0
    while status == OK and u < n_records:
        own = data[offsets[u] : offsets[u + 1]]
        status = _check_header(own, version)
        if status == OK:
            as_of_ms[u], n, k, s, begins[u] = _get_counts(own)
            if begins[u] < 0:
                status = BAD_COUNTS
            else:
                ends[u + 1, 0], ends[u + 1, 1], ends[u + 1, 2] = (
                    ends[u, 0] + n,
                    ends[u, 1] + k,
                    ends[u, 2] + s,
                )
                u += 1
    n, k, s = ends[u, 0], ends[u, 1], ends[u, 2]
    rows, labels, medoids = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(k, np.int32)
    times, weights, kinds = np.empty(n, np.int64), np.empty(n, np.float32), np.empty(n, np.uint8)
    keys, importances, seen = np.empty(n, np.uint64), np.empty(k, np.float64), np.empty(s, np.int32)
    # Whatever is wrong further on, the first damaged record is the one to tell of.
    for v in range(u):
        a, b, c, d, e, f = ends[v, 0], ends[v + 1, 0], ends[v, 1], ends[v + 1, 1], ends[v, 2], ends[v + 1, 2]
        found = _fill(
            data[offsets[v] : offsets[v + 1]], begins[v], rows[a:b], times[a:b], weights[a:b], kinds[a:b],
            keys[a:b], labels[a:b], medoids[c:d], importances[c:d], seen[e:f],
        )  # fmt: skip
        if found != OK:
            status, u = found, v
            break
    columns = (rows, times, weights, kinds, keys, labels)
    return status, u, as_of_ms, ends, columns, (medoids, importances), seen

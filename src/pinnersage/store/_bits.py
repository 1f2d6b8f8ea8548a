"""Varints, bit-packed columns and CRC-32: the primitives under the record format."""

# Inside a kernel an int and numba's fixed-width integers are one; mypy cannot know.
# mypy: disable-error-code="assignment,arg-type,return-value,operator"

from __future__ import annotations

import numpy as np

from pinnersage._arrays import UInt8s, UInt64s
from pinnersage._kernel import kernel

MAX_VARINT_BYTES = 9


def _crc_table() -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0xEDB88320), table >> 1)
    return table.astype(np.uint32)


_CRC_TABLE = _crc_table()


@kernel
def crc32(data: UInt8s, start: int, stop: int, crc: int) -> int:
    """Extend ``crc`` (0 at the start) over ``data[start:stop]``, as ``zlib.crc32`` does."""
    state = np.uint32(crc) ^ np.uint32(0xFFFFFFFF)
    for i in range(start, stop):
        state = _CRC_TABLE[(state ^ data[i]) & np.uint32(255)] ^ (state >> np.uint32(8))
    return np.int64(state ^ np.uint32(0xFFFFFFFF))


@kernel
def put_u32(out: UInt8s, pos: int, value: int) -> None:
    """Write four bytes, least significant first."""
    for i in range(4):
        out[pos + i] = (value >> (8 * i)) & 255


@kernel
def get_u32(data: UInt8s, pos: int) -> int:
    """Read four bytes, least significant first."""
    value = 0
    for i in range(4):
        value |= np.int64(data[pos + i]) << (8 * i)
    return value


@kernel
def put_varint(out: UInt8s, pos: int, value: int) -> int:
    """Write ``0 <= value < 2**63`` in groups of seven bits, lowest first; return the next position."""
    while value >= 128:
        out[pos] = (value & 127) | 128
        value >>= 7
        pos += 1
    out[pos] = value
    return pos + 1


@kernel
def get_varint(data: UInt8s, pos: int) -> tuple[int, int]:
    """Return the value and the next position; position -1 when it is cut short or not minimal."""
    value = np.int64(0)
    for i in range(MAX_VARINT_BYTES):
        if pos + i >= len(data):
            break
        byte = np.int64(data[pos + i])
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            minimal = byte > 0 or i == 0
            return value, (pos + i + 1 if minimal else -1)
    return np.int64(0), -1


@kernel
def packed_width(values: UInt64s, n: int) -> int:
    """Bits needed by the largest of the first ``n`` values."""
    union = np.uint64(0)
    for i in range(n):
        union |= values[i]
    width = 0
    while union > np.uint64(0):
        union >>= np.uint64(1)
        width += 1
    return width


@kernel
def put_packed(out: UInt8s, pos: int, values: UInt64s, n: int) -> int:
    """Write the width in bits as one byte, then the values, lowest bit first; return the next position.

    A column of zeros has width 0 and takes that one byte.
    """
    width = packed_width(values, n)
    out[pos] = width
    pos += 1
    byte, filled = np.uint64(0), 0
    for i in range(n):
        value, left = values[i], width
        while left > 0:
            take = min(left, 8 - filled)
            mask = (np.uint64(1) << np.uint64(take)) - np.uint64(1)
            byte |= (value & mask) << np.uint64(filled)
            value >>= np.uint64(take)
            left -= take
            filled += take
            if filled == 8:
                out[pos] = byte
                pos += 1
                byte, filled = np.uint64(0), 0
    if filled > 0:
        out[pos] = byte
        pos += 1
    return pos


@kernel
def get_packed(data: UInt8s, pos: int, values: UInt64s, n: int, max_width: int) -> int:
    """Read ``n`` values; return the next position, -1 when cut short or wider than ``max_width``."""
    if pos >= len(data) or data[pos] > max_width:
        return -1
    width = np.int64(data[pos])
    pos += 1
    n_bytes = (n * width + 7) >> 3
    if pos + n_bytes > len(data):
        return -1
    byte, held = np.uint64(0), 0
    for i in range(n):
        value, got = np.uint64(0), 0
        while got < width:
            if held == 0:
                byte, held = np.uint64(data[pos]), 8
                pos += 1
            take = min(width - got, held)
            mask = (np.uint64(1) << np.uint64(take)) - np.uint64(1)
            value |= (byte & mask) << np.uint64(got)
            byte >>= np.uint64(take)
            got += take
            held -= take
        values[i] = value
    return pos if byte == np.uint64(0) else -1

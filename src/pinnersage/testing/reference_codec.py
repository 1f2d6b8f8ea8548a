"""The record format once more, in plain Python: slow, short, and what the kernels are compared with."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence

from pinnersage.interests.record import UserRecord


def reference_encode(record: UserRecord) -> bytes:
    """Return the bytes of format version 1; see :mod:`pinnersage.store.codec`."""
    rows, labels = record.item_rows.tolist(), record.labels.tolist()
    medoids = record.medoid_rows.tolist()
    shifted = -1 in labels
    as_positions = all(medoid in rows for medoid in medoids)
    body = b"".join(
        [
            varints([record.as_of_ms, len(rows), len(medoids), len(record.seen_rows)]),
            _times(record.times_ms.tolist()),
            packed(rows),
            packed([label + shifted for label in labels]),
            packed(record.kinds.tolist()),
            packed([mirrored(weight) ^ mirrored(1.0) for weight in record.weights.tolist()]),
            packed(record.event_keys.tolist()),
            packed([rows.index(medoid) for medoid in medoids] if as_positions else medoids),
            struct.pack(f"<{len(medoids)}d", *record.importances.tolist()),
            varints(_gaps(record.seen_rows.tolist())),
        ]
    )
    flags = (0 if as_positions else 1) + (2 if shifted else 0) + (4 if record.untied else 0)
    head = struct.pack("<2sBBI", b"PS", 1, flags, 12 + len(body))
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def varints(values: Iterable[int]) -> bytes:
    """Seven bits a byte, lowest first, the high bit set on all but the last."""
    out = bytearray()
    for value in values:
        while value >= 128:
            out.append(value % 128 + 128)
            value //= 128
        out.append(value)
    return bytes(out)


def packed(values: Sequence[int]) -> bytes:
    """One byte of width in bits, then one large number holding all values, lowest first."""
    width = max((value.bit_length() for value in values), default=0)
    number = sum(value << (i * width) for i, value in enumerate(values))
    return bytes([width]) + number.to_bytes(math.ceil(len(values) * width / 8), "little")


def mirrored(weight: float) -> int:
    """Read the float32's 32 bits from the other end."""
    (word,) = struct.unpack("<I", struct.pack("<f", weight))
    return int(f"{word:032b}"[::-1], 2)


def _times(times: list[int]) -> bytes:
    if not times:
        return b""
    unit = math.gcd(*times) or 1
    return varints([unit, *((b - a) // unit for a, b in zip([0, *times], times, strict=False))])


def _gaps(rows: list[int]) -> list[int]:
    return [b - a - 1 for a, b in zip([-1, *rows], rows, strict=False)]

"""Sequence numbers in the keys of the LMDB journal, and the keys with a prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def listed(txn: Any, prefix: bytes, after: int = 0) -> Iterator[int]:
    """Yield the sequence numbers at the ends of the keys with a prefix, ascending."""
    for key in keys_of(txn, prefix, after):
        yield number_of(key[-8:])


def keys_of(txn: Any, prefix: bytes, after: int = 0) -> Iterator[bytes]:
    """Yield the keys with a prefix, ascending; those after a sequence number if one is given."""
    cursor = txn.cursor()
    more = cursor.set_range(prefix + sequence_bytes(after + 1) if after else prefix)
    while more:
        key = bytes(cursor.key())
        if not key.startswith(prefix):
            return
        yield key
        more = cursor.next()


def sequence_bytes(sequence: int) -> bytes:
    """Return a sequence number as it stands in keys."""
    return sequence.to_bytes(8, "big")


def number_of(value: bytes | memoryview | None) -> int:
    """Return the number in some bytes, 0 for none."""
    return 0 if value is None else int.from_bytes(value, "big")

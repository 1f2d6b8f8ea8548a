"""Which entries of the LMDB journal concern a user.

A key per user at its place among all users changes a page of the file for nearly every action, and each of
them must reach the disk before the action is acknowledged. So new keys may go into *blocks*, one per 4,096
sequence numbers: what a commit adds lies on the few pages of the newest block. A question about one user
then looks into every block; :func:`settle_some` moves keys to where one look finds them all.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from pinnersage.streaming._key_ranges import keys_of, listed, number_of, sequence_bytes

SETTLED, IN_BLOCKS = b"\2", b"\x08"
"""``SETTLED USER SEQUENCE`` and ``IN_BLOCKS BLOCK USER SEQUENCE``, the highest of all keys."""

_BLOCK_BITS = 12
_BLOCK_BYTES = 8
_SETTLED_AT_ONCE = 512


def user_entry_key(digest: bytes, sequence: int, *, settled: bool) -> bytes:
    """Return the key under which a new entry is found by its user."""
    prefix = SETTLED if settled else _block_prefix(sequence >> _BLOCK_BITS)
    return prefix + digest + sequence_bytes(sequence)


def delete_user_entry(txn: Any, digest: bytes, sequence: int) -> None:
    """Delete the key that leads from a user to an entry, wherever it is."""
    if not txn.delete(user_entry_key(digest, sequence, settled=False)):
        txn.delete(user_entry_key(digest, sequence, settled=True))


def sequences_of_user(txn: Any, digest: bytes, *, newest: int | None = None, after: int = 0) -> list[int]:
    """Return the sequence numbers of a user's entries, ascending.

    Parameters
    ----------
    newest
        Only the last so many.
    after
        Only those behind this sequence number.
    """
    found = list(listed(txn, SETTLED + digest, after))
    first, last = _blocks(txn)
    cursor, n_in_blocks = txn.cursor(), 0
    for block in range(last, max(first, after >> _BLOCK_BITS) - 1, -1):
        if newest and n_in_blocks >= newest:
            break
        prefix = _block_prefix(block) + digest
        if cursor.set_range(prefix) and bytes(cursor.key()).startswith(prefix):
            own = list(listed(txn, prefix, after))
            found += own
            n_in_blocks += len(own)
    found.sort()
    return found[-newest:] if newest else found


def settle_some(txn: Any) -> bool:
    """Move some keys out of the oldest block; tell whether there was one."""
    first, last = _blocks(txn)
    for key in list(islice(keys_of(txn, _block_prefix(first)), _SETTLED_AT_ONCE)):
        txn.put(SETTLED + key[1 + _BLOCK_BYTES :], b"")
        txn.delete(key)
    return first <= last


def _blocks(txn: Any) -> tuple[int, int]:
    """Return the numbers of the oldest and the newest block, the oldest above the newest if there is none."""
    cursor = txn.cursor()
    if not cursor.set_range(IN_BLOCKS):
        return 1, 0
    first = _block_of(cursor.key())
    cursor.last()
    return first, _block_of(cursor.key())


def _block_prefix(block: int) -> bytes:
    return IN_BLOCKS + block.to_bytes(_BLOCK_BYTES, "big")


def _block_of(key: bytes | memoryview) -> int:
    return number_of(key[1 : 1 + _BLOCK_BYTES])

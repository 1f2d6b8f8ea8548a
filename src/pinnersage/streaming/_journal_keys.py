"""How the journal's entries are found: its keys inside an LMDB transaction.

Keys begin with a byte that says what they are::

    0 n "head", "items", "parked", "layout"     numbers of the whole journal
    1 SEQUENCE                          an entry
    2, 8                                which entries concern a user: see _user_index
    3 SEQUENCE                          which entries concern items
    4 ITEM SEQUENCE                     actions on an item that a generation did not know; b"" while they wait
    5 USER                              preferences, JSON
    6 USER SEQUENCE                     what a user took back
    7 USER                              erased since the last build began

SEQUENCE is 8 bytes, highest first; USER and ITEM are 16-byte digests of the ids as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

from pinnersage._ids import ItemId, UserId
from pinnersage.store.keys import user_key
from pinnersage.streaming._key_ranges import keys_of, listed, number_of, sequence_bytes
from pinnersage.streaming._user_index import delete_user_entry, user_entry_key
from pinnersage.streaming.entries import ActionEntry, Entry, ItemEntry, decode_entry, encode_entry, shortened

ENTRY, OF_ITEMS, PARKED = b"\1", b"\3", b"\4"
PREFERENCES, RETRACTED, ERASED = b"\5", b"\6", b"\7"
N_PARKED = b"\0nparked"
WAITING, APPLIED = b"", b"\1"
_DIGEST_BYTES = 16


def put_entry(txn: Any, sequence: int, entry: Entry, data: bytes, *, settled: bool) -> None:
    """Write an encoded entry and the keys that lead to it, but for that of a parked action."""
    at = sequence_bytes(sequence)
    txn.put(ENTRY + at, data)
    if isinstance(entry, ItemEntry):
        txn.put(OF_ITEMS + at, b"")
        return
    digest = user_digest(entry.user_id)
    txn.put(user_entry_key(digest, sequence, settled=settled), b"")
    if entry.retract:
        txn.put(RETRACTED + digest + at, b"")


def parked_key(entry: Entry, at: bytes) -> bytes:
    """Return the key under which a parked action is found by its item."""
    return PARKED + item_digest(entry.item_id) + at


def delete_entry(txn: Any, sequence: int, entry: Entry, *, keep_retraction: bool) -> None:
    """Delete an entry and the keys that lead to it."""
    at = sequence_bytes(sequence)
    txn.delete(ENTRY + at)
    if isinstance(entry, ItemEntry):
        txn.delete(OF_ITEMS + at)
        return
    digest = user_digest(entry.user_id)
    delete_user_entry(txn, digest, sequence)
    if not keep_retraction:
        txn.delete(RETRACTED + digest + at)
    if txn.get(parked_key(entry, at)) == WAITING:
        count_parked(txn, -1)
    txn.delete(parked_key(entry, at))


def trim_items(txn: Any, before: int) -> int:
    """Delete or shorten the entries about items that later ones replace; see the journal's base class."""
    n = 0
    replaced, replaced_before = set[str](), set[str]()
    for sequence in reversed(list(listed(txn, OF_ITEMS))):
        at = sequence_bytes(sequence)
        entry = decode_entry(txn.get(ENTRY + at))
        item = str(entry.item_id)
        if item in replaced_before:
            delete_entry(txn, sequence, entry, keep_retraction=False)
            n += 1
        elif isinstance(entry, ItemEntry) and item in replaced and (shorter := shortened(entry)) != entry:
            txn.put(ENTRY + at, encode_entry(shorter))
            n += 1
        replaced.add(item)
        if sequence <= before:
            replaced_before.add(item)
    return n


def trimmed(txn: Any, received_before_ms: int, applied: int) -> int:
    """Delete what was received before a time and nothing needs any more; count it."""
    n = 0
    for sequence in list(listed(txn, ENTRY)):
        entry = decode_entry(txn.get(ENTRY + sequence_bytes(sequence)))
        if sequence > applied or entry.received_ms >= received_before_ms:
            break
        n += _delete_unneeded(txn, sequence, entry)
    return n


def _delete_unneeded(txn: Any, sequence: int, entry: Entry) -> int:
    """Delete an entry that nothing needs any more; tell whether it was one."""
    if isinstance(entry, ItemEntry) or txn.get(ERASED + user_digest(entry.user_id)) is not None:
        return 0
    if entry.retract:
        unpark(txn, sequence, entry)
        return 0
    delete_entry(txn, sequence, entry, keep_retraction=True)
    return 1


def park(txn: Any, sequence: int, entry: Entry) -> None:
    """Let an action wait for its item."""
    key = parked_key(entry, sequence_bytes(sequence))
    if txn.get(key) != WAITING:
        txn.put(key, WAITING)
        count_parked(txn, 1)


def let_find(txn: Any, sequence: int, entry: Entry) -> None:
    """Let an action that was never parked be found by its item."""
    key = parked_key(entry, sequence_bytes(sequence))
    if txn.get(key) is None:
        txn.put(key, APPLIED)


def unpark(txn: Any, sequence: int, entry: Entry) -> None:
    """Let a parked action wait no longer; it is still found by its item."""
    key = parked_key(entry, sequence_bytes(sequence))
    if txn.get(key) == WAITING:
        txn.put(key, APPLIED)
        count_parked(txn, -1)


def count_parked(txn: Any, n_more: int) -> None:
    """Keep count of the actions that wait."""
    txn.put(N_PARKED, sequence_bytes(number_of(txn.get(N_PARKED)) + n_more))


def entries_after(txn: Any, after: int) -> Iterator[tuple[int, Entry]]:
    """Yield the entries after a sequence number, ascending."""
    cursor = txn.cursor()
    more = cursor.set_range(ENTRY + sequence_bytes(after + 1))
    while more and bytes(cursor.key()[:1]) == ENTRY:
        yield number_of(cursor.key()[1:]), decode_entry(cursor.value())
        more = cursor.next()


def entries_at(txn: Any, sequences: Iterable[int]) -> Iterator[tuple[int, Entry]]:
    """Yield the entries of sequence numbers; those that are gone are left out."""
    for sequence in sequences:
        data = txn.get(ENTRY + sequence_bytes(sequence))
        if data is not None:
            yield sequence, decode_entry(data)


def about_user(txn: Any, sequences: Iterable[int], user_id: UserId) -> list[tuple[int, ActionEntry]]:
    """Return those of the entries that concern a user: two users may share a digest."""
    return [
        (sequence, entry)
        for sequence, entry in entries_at(txn, sequences)
        if isinstance(entry, ActionEntry) and str(entry.user_id) == str(user_id)
    ]


def retractions_of(txn: Any, user_ids: Iterable[UserId]) -> dict[UserId, list[ActionEntry]]:
    """Return what users took back; those without any are missing."""
    found: dict[UserId, list[ActionEntry]] = {}
    if next(keys_of(txn, RETRACTED), None) is None:
        return found
    for user_id in user_ids:
        own = list(listed(txn, RETRACTED + user_digest(user_id)))
        if own:
            found[user_id] = [entry for _, entry in about_user(txn, own, user_id)]
    return found


def user_digest(user_id: UserId) -> bytes:
    """Return what stands for a user in keys; the same for 7 and "7"."""
    key = user_key(user_id)
    if not isinstance(user_id, str):
        key = user_key(str(user_id))
    return blake2b(key, digest_size=_DIGEST_BYTES).digest()


def item_digest(item_id: ItemId) -> bytes:
    """Return what stands for an item in keys."""
    return blake2b(str(item_id).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def copied(value: bytes | memoryview | None) -> bytes | None:
    """Return bytes that outlive the transaction."""
    return None if value is None else bytes(value)

"""What the log of a build takes back, beside the records of that build: an LMDB file.

The records of the build lack these actions; but one of them may come again, and then must not count. So
what is asked is whether a user took back a given action, and one look tells, however many there are.

A key is ``1 USER ACTION``: 16-byte digests (BLAKE2b) of the user's id as text, as in the journal, and of what
makes two actions the same. That is ``e`` and the event's key (8 bytes, lowest first); without an event ``c``,
time and weight (an integer and a float of 8 bytes, lowest first), kind, a zero byte and the item as text; of
a kind that holds a zero byte ``k`` and its length (8 bytes, lowest first) stand in place of ``c``.
The value is the retraction as an entry of the journal. ``0 layout`` holds the version of all this.
"""

from __future__ import annotations

import struct
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pinnersage._ids import UserId
from pinnersage.errors import StoredFormatError
from pinnersage.store._data_file import rewrite_beside
from pinnersage.store._environment import acquire, release
from pinnersage.streaming._journal_keys import copied, user_digest
from pinnersage.streaming._key_ranges import keys_of
from pinnersage.streaming.entries import ActionEntry, decode_entry, encode_entry
from pinnersage.streaming.journal import Journal

LAYOUT_VERSION = b"1"
MAP_BYTES = 1 << 26
_LAYOUT, _RETRACTED = b"\0layout", b"\1"
_DIGEST_BYTES = 16
_USER_BYTES = len(_RETRACTED) + _DIGEST_BYTES
_AFTER_USER = b"\xff" * (_DIGEST_BYTES + 1)
_LISTING_CHUNK = 2_000
_TIME_AND_WEIGHT = struct.Struct("<qd")


class LogRetractions:
    """Opened for one generation; close it, or let it go.

    Parameters
    ----------
    path
        Directory of the file.

    Raises
    ------
    ModelNotFoundError
        There is no such file.
    StoredFormatError
        It is damaged or of a newer layout.
    """

    def __init__(self, path: str | Path) -> None:
        self._environment = acquire(Path(path), create=False, bulk=False, map_bytes=MAP_BYTES)
        self.close = weakref.finalize(self, release, self._environment)
        layout = self._environment.read(lambda txn, _: copied(txn.get(_LAYOUT)))
        if layout != LAYOUT_VERSION:
            self.close()
            raise StoredFormatError(
                f"what the log takes back has layout {layout!r}, this pinnersage reads {LAYOUT_VERSION!r}: "
                "upgrade pinnersage (pip install --upgrade pinnersage)"
            )

    def among(self, entries: Mapping[UserId, Iterable[ActionEntry]]) -> dict[UserId, list[ActionEntry]]:
        """Return, as retractions, those of some users' entries that the log takes back.

        Users without any are missing.
        """

        def work(txn: Any, _: object) -> dict[UserId, list[ActionEntry]]:
            found = {}
            for user_id, own in entries.items():
                user = _RETRACTED + user_digest(user_id)
                back = {e.identity: e for e in own if txn.get(user + _action_digest(e)) is not None}
                if back:
                    found[user_id] = [replace(entry, retract=True) for entry in back.values()]
            return found

        return self._environment.read(work)

    def of_user(self, user_id: UserId) -> list[ActionEntry]:
        """Return all that the log takes back of a user, by time."""
        prefix = _RETRACTED + user_digest(user_id)
        found = self._environment.read(
            lambda txn, _: [decode_entry(bytes(txn.get(key))) for key in keys_of(txn, prefix)]
        )
        return sorted((e for e in found if isinstance(e, ActionEntry)), key=lambda entry: entry.time_ms)

    def user_ids(self) -> Iterator[UserId]:
        """Yield the users of whom the log takes back something, in no order."""
        start = _RETRACTED

        def work(txn: Any, _: object) -> list[tuple[bytes, UserId]]:
            cursor, at, found = txn.cursor(), start, list[tuple[bytes, UserId]]()
            while len(found) < _LISTING_CHUNK and cursor.set_range(at):
                at = bytes(cursor.key()[:_USER_BYTES]) + _AFTER_USER
                found.append((at, decode_entry(cursor.value()).user_id))  # type: ignore[union-attr]
            return found

        while chunk := self._environment.read(work):
            yield from (user_id for _, user_id in chunk)
            start = chunk[-1][0]

    def forget(self, user_ids: Iterable[UserId]) -> int:
        """Remove all that concerns some users, and count it; :meth:`compact` removes the last bytes."""
        prefixes = [_RETRACTED + user_digest(user_id) for user_id in user_ids]

        def work(txn: Any, _: object) -> int:
            return sum(bool(txn.delete(key)) for p in prefixes for key in list(keys_of(txn, p)))

        return self._environment.write(work) if prefixes else 0

    def compact(self) -> None:
        """Rewrite the file so that nothing of what was removed is left in it."""
        self._environment.write(rewrite_beside)

    def copy_to(self, directory: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write a copy into a new directory; ``begun`` is called once it is settled what will be in it."""
        self._environment.copy_to(directory, begun)

    def check_present(self) -> None:
        """Raise when the file is gone, also where what is open could still be read."""
        self._environment.check_present()


def write_log_retractions(path: str | Path, parts: Iterable[Sequence[ActionEntry]]) -> None:
    """Write what a log takes back into a new directory.

    Raises
    ------
    StorageFullError
        There is no room.
    """
    folder = Path(path)
    folder.mkdir(parents=True)
    environment = acquire(folder, create=True, bulk=True, map_bytes=MAP_BYTES)
    try:
        for part in parts:
            pairs = sorted((_key(entry), encode_entry(entry)) for entry in part)
            environment.write(lambda txn, _, pairs=pairs: txn.cursor().putmulti(pairs))  # type: ignore[misc]
        environment.write(lambda txn, _: txn.put(_LAYOUT, LAYOUT_VERSION))
        environment.write(rewrite_beside)  # Keys came in no order: half of each page is room.
    finally:
        release(environment)


def retractions_among(
    journal: Journal, log: LogRetractions | None, entries: Mapping[UserId, Iterable[ActionEntry]]
) -> dict[UserId, list[ActionEntry]]:
    """Return what users ever took back: all that the journal knows, and of the log's what is in ``entries``.

    Parameters
    ----------
    log
        Of the build; None where that takes back nothing.
    entries
        The actions in question, and the retractions that may be repeats, of each user.
    """
    found = journal.retractions(entries)
    for user_id, own in (log.among(entries) if log is not None else {}).items():
        found[user_id] = found.get(user_id, []) + own
    return found


def _key(entry: ActionEntry) -> bytes:
    return _RETRACTED + user_digest(entry.user_id) + _action_digest(entry)


def _action_digest(entry: ActionEntry) -> bytes:
    """Return what is equal for two actions of a user that are the same; see ``ActionEntry.identity``."""
    if entry.event_key:
        told = b"e" + entry.event_key.to_bytes(8, "little")
    else:
        weight = entry.weight + 0.0  # -0.0 is 0.0
        kind, item = (str(part).encode("utf-8", "surrogatepass") for part in (entry.kind, entry.item_id))
        # A kind that holds a zero byte would not end at the first one.
        head = b"k" + len(kind).to_bytes(8, "little") if b"\0" in kind else b"c"
        told = head + _TIME_AND_WEIGHT.pack(entry.time_ms, weight) + kind + b"\0" + item
    return blake2b(told, digest_size=_DIGEST_BYTES).digest()

"""The default journal: an LMDB file beside the generations of a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pinnersage._ids import ItemId, UserId
from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.store._data_file import DataFile, rewrite_beside
from pinnersage.store._environment import Environment, acquire, release
from pinnersage.streaming._journal_keys import (
    ERASED,
    N_PARKED,
    OF_ITEMS,
    PARKED,
    PREFERENCES,
    about_user,
    copied,
    delete_entry,
    entries_after,
    entries_at,
    item_digest,
    let_find,
    park,
    put_entry,
    retractions_of,
    trim_items,
    trimmed,
    unpark,
    user_digest,
)
from pinnersage.streaming._key_ranges import keys_of, listed, number_of, sequence_bytes
from pinnersage.streaming._user_index import sequences_of_user, settle_some
from pinnersage.streaming.entries import ActionEntry, Entry, ItemEntry, encode_entry
from pinnersage.streaming.journal import Forgotten, Heads, Journal

T = TypeVar("T")

LAYOUT_VERSION, ALL_SETTLED = b"3", b"2"
MAP_BYTES = 1 << 28
_LAYOUT, _HEAD, _ITEMS_HEAD = b"\0nlayout", b"\0nhead", b"\0nitems"


class LmdbJournal(Journal):
    """A journal in one LMDB file; many processes may read, one at a time writes.

    Parameters
    ----------
    path
        Directory of the file; made when missing.
    durability
        ``disk``: an append returns when the disk has it. ``process``: when the operating system has
        it; a killed process loses nothing, a power cut may lose the last second or damage the file.

    Raises
    ------
    UsageError
        There is no such durability.
    StoredFormatError
        The file is damaged or of a newer layout.
    """

    _environment: Environment | None = None

    def __init__(self, path: str | Path, *, create: bool = True, durability: str = "disk") -> None:
        if durability not in ("disk", "process"):
            raise UsageError(f"expected durability 'disk' or 'process', got {durability!r}")
        folder, self._waits = Path(path), durability == "disk"
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        self._environment = acquire(folder, create=create, bulk=False, map_bytes=MAP_BYTES, sync=self._waits)
        try:
            self._check_layout(create)
        except BaseException:
            self.close()
            raise

    def heads(self) -> Heads:
        """See the base class."""
        return self._read(_heads)

    def append(
        self, entries: Sequence[Entry], *, parked: Collection[int] = (), often_asked: bool = False
    ) -> int:
        """See the base class."""
        encoded = [encode_entry(entry) for entry in entries]

        def work(txn: Any) -> int:
            sequence = number_of(txn.get(_HEAD))
            for position, (entry, data) in enumerate(zip(entries, encoded, strict=True)):
                sequence += 1
                put_entry(txn, sequence, entry, data, settled=often_asked)
                if position in parked:
                    park(txn, sequence, entry)
                if isinstance(entry, ItemEntry):
                    txn.put(_ITEMS_HEAD, sequence_bytes(sequence))
            txn.put(_HEAD, sequence_bytes(sequence))
            txn.put(_LAYOUT, LAYOUT_VERSION)
            return sequence

        return self._write(work)

    def read(self, after: int, limit: int = 10_000) -> list[tuple[int, Entry]]:
        """See the base class."""
        return self._read(lambda txn: list(islice(entries_after(txn, after), limit)))

    def read_items(self, after: int) -> list[tuple[int, ItemEntry]]:
        """See the base class."""
        return self._read(
            lambda txn: [
                (sequence, entry)
                for sequence, entry in entries_at(txn, listed(txn, OF_ITEMS, after))
                if isinstance(entry, ItemEntry)
            ]
        )

    def of_user(
        self, user_id: UserId, *, newest: int | None = None, after: int = 0
    ) -> list[tuple[int, ActionEntry]]:
        """See the base class."""
        digest = user_digest(user_id)
        return self._read(
            lambda txn: about_user(txn, sequences_of_user(txn, digest, newest=newest, after=after), user_id)
        )

    def parked_of(self, item_id: ItemId) -> list[tuple[int, ActionEntry]]:
        """See the base class."""
        prefix = PARKED + item_digest(item_id)
        return self._read(
            lambda txn: [
                (sequence, entry)
                for sequence, entry in entries_at(txn, listed(txn, prefix))
                if isinstance(entry, ActionEntry) and str(entry.item_id) == str(item_id)
            ]
        )

    def set_parked(
        self, *, add: Iterable[int] = (), find: Iterable[int] = (), remove: Iterable[int] = ()
    ) -> None:
        """See the base class."""
        steps = [(park, list(add)), (let_find, list(find)), (unpark, list(remove))]

        def work(txn: Any) -> None:
            for step, sequences in steps:
                for sequence, entry in entries_at(txn, sequences):
                    step(txn, sequence, entry)

        if any(sequences for _, sequences in steps):
            self._write(work)

    def n_parked(self) -> int:
        """See the base class."""
        return self._read(lambda txn: number_of(txn.get(N_PARKED)))

    def retractions(self, user_ids: Iterable[UserId]) -> dict[UserId, list[ActionEntry]]:
        """See the base class."""
        return self._read(lambda txn: retractions_of(txn, user_ids))

    def preferences(self, user_id: UserId) -> dict[str, Any]:
        """See the base class."""
        return self.heads_and_preferences(user_id)[1]

    def heads_and_preferences(self, user_id: UserId) -> tuple[Heads, dict[str, Any]]:
        """See the base class; one transaction."""
        key = PREFERENCES + user_digest(user_id)
        heads, value = self._read(lambda txn: (_heads(txn), copied(txn.get(key))))
        return heads, {} if value is None else json.loads(value)

    def heads_and_newest(self) -> tuple[Heads, list[tuple[int, Entry]]]:
        """See the base class; one transaction."""

        def work(txn: Any) -> tuple[Heads, list[tuple[int, Entry]]]:
            heads = _heads(txn)
            return heads, list(entries_at(txn, [heads.all]))

        return self._read(work)

    def set_preferences(self, user_id: UserId, preferences: Mapping[str, Any]) -> None:
        """See the base class."""
        key = PREFERENCES + user_digest(user_id)
        if preferences:
            self._write(lambda txn: txn.put(key, json.dumps(dict(preferences)).encode()))
        else:
            self._write(lambda txn: txn.delete(key))

    def forget(self, user_id: UserId) -> Forgotten:
        """See the base class."""
        digest = user_digest(user_id)

        def work(txn: Any) -> Forgotten:
            own = about_user(txn, sequences_of_user(txn, digest), user_id)
            for sequence, entry in own:
                delete_entry(txn, sequence, entry, keep_retraction=False)
            txn.put(ERASED + digest, b"")
            return Forgotten(len(own), int(txn.delete(PREFERENCES + digest)))

        return self._write(work)

    def erased_of(self, user_ids: Iterable[UserId]) -> list[UserId]:
        """See the base class."""
        erased = self._erased()
        return [user_id for user_id in user_ids if ERASED + user_digest(user_id) in erased] if erased else []

    def has_erasures(self) -> bool:
        """See the base class."""
        return bool(self._erased())

    def forget_erasures(self) -> None:
        """See the base class."""
        erased = self._erased()
        if erased:
            self._write(lambda txn: [txn.delete(key) for key in erased])

    def trim(self, received_before_ms: int, applied: int) -> int:
        """See the base class."""
        return self._write(lambda txn: trimmed(txn, received_before_ms, applied))

    def trim_items(self, before: int) -> int:
        """See the base class."""
        return self._write(lambda txn: trim_items(txn, before))

    def check_present(self) -> None:
        """See the base class."""
        self._opened().check_present()
        super().check_present()

    def settle(self) -> None:
        """See the base class; in small steps, so that whoever appends meanwhile waits for one of them."""
        while self._write(settle_some):
            pass

    def compact(self) -> None:
        """See the base class."""
        self._opened().write(rewrite_beside)

    @property
    def n_bytes(self) -> int:
        """See the base class."""

        def work(_: Any, file: DataFile) -> int:
            return int((file.env.info()["last_pgno"] + 1) * file.env.stat()["psize"])

        return self._opened().read(work)

    def copy_to(self, directory: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write a copy of the journal, as it is now, into a new directory; others may write meanwhile.

        ``begun`` is called once it is settled what will be in the copy.
        """
        self._opened().copy_to(directory, begun)

    def sync(self) -> None:
        """Wait until the disk has all; with durability ``disk`` it has it already."""
        self._opened().sync()

    def close(self) -> None:
        """See the base class."""
        environment, self._environment = self._environment, None
        if environment is not None:
            release(environment)

    def _read(self, work: Callable[[Any], T]) -> T:
        return self._opened().read(lambda txn, _: work(txn))

    def _write(self, work: Callable[[Any], T]) -> T:
        environment = self._opened()
        result = environment.write(lambda txn, _: work(txn))
        if self._waits and environment.sync_level is not True:  # Opened before by one that does not wait.
            environment.sync()
        return result

    def _opened(self) -> Environment:
        if self._environment is None:
            raise UsageError("this journal is closed: open it again")
        return self._environment

    def _erased(self) -> set[bytes]:
        return self._read(lambda txn: set(keys_of(txn, ERASED)))

    def _check_layout(self, create: bool) -> None:
        layout = self._read(lambda txn: copied(txn.get(_LAYOUT)))
        if layout is None and create:
            self._write(lambda txn: txn.put(_LAYOUT, LAYOUT_VERSION))
        elif layout is None and self.heads().all == 0:
            return  # Somebody makes it at this moment.
        elif layout not in (LAYOUT_VERSION, ALL_SETTLED):
            raise StoredFormatError(
                f"the journal has layout {layout!r}, this pinnersage reads up to {LAYOUT_VERSION!r}: "
                "use the pinnersage that wrote it, or a newer one (pip install --upgrade pinnersage)"
            )


def _heads(txn: Any) -> Heads:
    return Heads(number_of(txn.get(_HEAD)), number_of(txn.get(_ITEMS_HEAD)))

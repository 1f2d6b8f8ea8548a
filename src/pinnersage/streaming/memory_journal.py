"""The reference journal: one process, nothing kept when it ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pinnersage._ids import ItemId, UserId
from pinnersage.store.keys import user_key
from pinnersage.streaming.entries import ActionEntry, Entry, ItemEntry, decode_entry, encode_entry, shortened
from pinnersage.streaming.journal import Forgotten, Heads, Journal


class MemoryJournal(Journal):
    """Keeps encoded entries in a dictionary, and looks through all of them for every question."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: dict[int, bytes] = {}
        self._parked: dict[int, bool] = {}
        self._retracted: dict[int, ActionEntry] = {}
        self._preferences: dict[str, str] = {}
        self._erased: set[str] = set()
        self._heads = Heads(0, 0)

    def heads(self) -> Heads:
        """See the base class."""
        return self._heads

    def append(
        self,
        entries: Sequence[Entry],
        *,
        parked: Collection[int] = (),
        often_asked: bool = False,  # noqa: ARG002
    ) -> int:
        """See the base class."""
        for entry in entries:
            if isinstance(entry, ActionEntry):
                user_key(entry.user_id)  # refuses what no journal can keep
        with self._lock:
            for position, (entry, data) in enumerate([(e, encode_entry(e)) for e in entries]):
                at = self._heads.all + 1
                self._entries[at] = data
                if position in parked:
                    self._parked[at] = True
                if isinstance(entry, ActionEntry) and entry.retract:
                    self._retracted[at] = entry
                self._heads = Heads(at, at if isinstance(entry, ItemEntry) else self._heads.items)
            return self._heads.all

    def read(self, after: int, limit: int = 10_000) -> list[tuple[int, Entry]]:
        """See the base class."""
        with self._lock:
            chosen = sorted(at for at in self._entries if at > after)[:limit]
            return [(at, decode_entry(self._entries[at])) for at in chosen]

    def read_items(self, after: int) -> list[tuple[int, ItemEntry]]:
        """See the base class."""
        return [(at, e) for at, e in self._all() if at > after and isinstance(e, ItemEntry)]

    def of_user(
        self, user_id: UserId, *, newest: int | None = None, after: int = 0
    ) -> list[tuple[int, ActionEntry]]:
        """See the base class."""
        own = [(at, e) for at, e in self._all() if isinstance(e, ActionEntry) and _is_of(e, user_id)]
        return [(at, e) for at, e in (own[-newest:] if newest else own) if at > after]

    def parked_of(self, item_id: ItemId) -> list[tuple[int, ActionEntry]]:
        """See the base class."""
        return [
            (at, e)
            for at, e in self._all()
            if at in self._parked and isinstance(e, ActionEntry) and str(e.item_id) == str(item_id)
        ]

    def set_parked(
        self, *, add: Iterable[int] = (), find: Iterable[int] = (), remove: Iterable[int] = ()
    ) -> None:
        """See the base class."""
        with self._lock:
            self._parked |= dict.fromkeys(add, True)
            self._parked |= {at: False for at in find if at in self._entries and at not in self._parked}
            self._parked |= {at: False for at in remove if at in self._parked}

    def n_parked(self) -> int:
        """See the base class."""
        return sum(self._parked.values())

    def retractions(self, user_ids: Iterable[UserId]) -> dict[UserId, list[ActionEntry]]:
        """See the base class."""
        found: dict[UserId, list[ActionEntry]] = {}
        for user_id in user_ids:
            own = [entry for _, entry in sorted(self._retracted.items()) if _is_of(entry, user_id)]
            if own:
                found[user_id] = own
        return found

    def preferences(self, user_id: UserId) -> dict[str, Any]:
        """See the base class."""
        found: dict[str, Any] = json.loads(self._preferences.get(str(user_id), "{}"))
        return found

    def set_preferences(self, user_id: UserId, preferences: Mapping[str, Any]) -> None:
        """See the base class."""
        self._preferences.pop(str(user_id), None)
        if preferences:
            self._preferences[str(user_id)] = json.dumps(dict(preferences))

    def forget(self, user_id: UserId) -> Forgotten:
        """See the base class."""
        with self._lock:
            own = [at for at, _ in self.of_user(user_id)]
            for at in own:
                self._drop(at)
                self._retracted.pop(at, None)
            self._erased.add(str(user_id))
            return Forgotten(len(own), int(self._preferences.pop(str(user_id), None) is not None))

    def erased_of(self, user_ids: Iterable[UserId]) -> list[UserId]:
        """See the base class."""
        return [user_id for user_id in user_ids if str(user_id) in self._erased]

    def has_erasures(self) -> bool:
        """See the base class."""
        return bool(self._erased)

    def forget_erasures(self) -> None:
        """See the base class."""
        self._erased.clear()

    def trim(self, received_before_ms: int, applied: int) -> int:
        """See the base class."""
        n = 0
        with self._lock:
            for at, entry in self._all():
                if at > applied or entry.received_ms >= received_before_ms:
                    break
                if not isinstance(entry, ActionEntry) or str(entry.user_id) in self._erased:
                    continue
                if entry.retract:
                    self.set_parked(remove=[at])
                else:
                    self._drop(at)
                    n += 1
        return n

    def trim_items(self, before: int) -> int:
        """See the base class."""
        n = 0
        with self._lock:
            items = self.read_items(0)
            for at, entry in items:
                later = [other for other, e in items if other > at and str(e.item_id) == str(entry.item_id)]
                if later and min(later) <= before:
                    self._drop(at)
                    n += 1
                elif later and shortened(entry) != entry:
                    self._entries[at] = encode_entry(shortened(entry))
                    n += 1
        return n

    def compact(self) -> None:
        """See the base class; here nothing removed stays anyway."""

    @property
    def n_bytes(self) -> int:
        """See the base class."""
        return sum(map(len, self._entries.values()))

    def close(self) -> None:
        """See the base class."""

    def _all(self) -> list[tuple[int, Entry]]:
        return self.read(0, len(self._entries) + 1)

    def _drop(self, at: int) -> None:
        self._entries.pop(at)
        self._parked.pop(at, None)


def _is_of(entry: ActionEntry, user_id: UserId) -> bool:
    return str(entry.user_id) == str(user_id)

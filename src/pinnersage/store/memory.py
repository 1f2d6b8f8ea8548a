"""The reference store: one process, nothing kept when it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pinnersage._ids import UserId
from pinnersage.interests.record import UserRecord
from pinnersage.store.base import InterestStore
from pinnersage.store.codec import decode_record, encode_record
from pinnersage.store.keys import user_key


class MemoryStore(InterestStore):
    """Keeps encoded records in a dictionary, so that what it accepts and returns is what a file would.

    Examples
    --------
    >>> with MemoryStore() as store:
    ...     store.put_meta("journal", b"17")
    ...     store.get("ada"), len(store), store.get_meta("journal")
    (None, 0, b'17')
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[bytes, tuple[UserId, bytes]] = {}
        self._meta: dict[str, bytes] = {}

    def get_many(self, user_ids: Sequence[UserId]) -> list[UserRecord | None]:
        """See the base class."""
        keys = [user_key(user_id) for user_id in user_ids]
        with self._lock:
            found = [self._records.get(key) for key in keys]
        return [decode_record(entry[1]) if entry else None for entry in found]

    def put_many(
        self, records: Iterable[tuple[UserId, UserRecord]], *, meta: Mapping[str, bytes] | None = None
    ) -> None:
        """See the base class."""
        entries = {user_key(user_id): (user_id, encode_record(record)) for user_id, record in records}
        with self._lock:
            self._records.update(entries)
            self._meta.update(meta or {})

    def delete(self, user_id: UserId) -> bool:
        """See the base class."""
        with self._lock:
            return self._records.pop(user_key(user_id), None) is not None

    def user_ids(self, *, start: UserId | None = None) -> Iterator[UserId]:
        """See the base class."""
        first = b"" if start is None else user_key(start)
        with self._lock:
            entries = sorted(entry for entry in self._records.items() if entry[0] >= first)
        return iter([user_id for _, (user_id, _) in entries])

    def __len__(self) -> int:
        """See the base class."""
        return len(self._records)

    @property
    def n_bytes(self) -> int:
        """See the base class."""
        with self._lock:
            return sum(len(key) + len(record) for key, (_, record) in self._records.items())

    def get_meta(self, name: str) -> bytes | None:
        """See the base class."""
        return self._meta.get(name)

    def compact(self) -> None:
        """See the base class; here nothing removed stays anyway."""

    def close(self) -> None:
        """See the base class."""

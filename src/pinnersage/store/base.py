"""Where user interests live between a build and a request: user id -> record.

Batch builds fill a store with ``put_batch``, streaming rewrites single records with ``put_many``,
serving reads with ``get``. Every write is atomic, and durable when the call returns; readers see the
state before it or after it. A backend implements the abstract methods, and its tests subclass
``pinnersage.testing.store.StoreConformance``; ``MemoryStore`` is the reference, ``LmdbStore`` the default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

from pinnersage._ids import UserId
from pinnersage.interests.record import RecordBatch, UserRecord


class InterestStore(ABC):
    """A map from user id to :class:`~pinnersage.interests.record.UserRecord`.

    A user id is a non-empty string or a 64-bit integer; ``7`` and ``"7"`` are different users. *Meta*
    values, text -> bytes, hold what belongs to the whole store, such as how far a journal is applied.
    """

    @abstractmethod
    def get_many(self, user_ids: Sequence[UserId]) -> list[UserRecord | None]:
        """Return these users' records in the order asked, all from one moment; None where there is none."""

    @abstractmethod
    def put_many(
        self, records: Iterable[tuple[UserId, UserRecord]], *, meta: Mapping[str, bytes] | None = None
    ) -> None:
        """Write all these records and meta values, or none of them if this raises.

        A record replaces the user's former one; of two for the same user the later counts.

        Raises
        ------
        UsageError
            If an id or a record cannot be stored.
        StorageFullError
            If there is no room.
        """

    @abstractmethod
    def delete(self, user_id: UserId) -> bool:
        """Remove the user's record and tell whether there was one; :meth:`compact` removes its last bytes."""

    @abstractmethod
    def user_ids(self, *, start: UserId | None = None) -> Iterator[UserId]:
        """Yield the ids ascending from ``start`` on: integers by value, then strings by their UTF-8 bytes.

        Users written or removed meanwhile may or may not appear; all others appear once.
        """

    @abstractmethod
    def __len__(self) -> int:
        """Count the users."""

    @property
    @abstractmethod
    def n_bytes(self) -> int:
        """Bytes the store takes, on disk or in memory."""

    @abstractmethod
    def get_meta(self, name: str) -> bytes | None:
        """Return a meta value, None where there is none."""

    @abstractmethod
    def compact(self) -> None:
        """Rewrite the store so that nothing of removed or replaced records is left in its files."""

    @abstractmethod
    def close(self) -> None:
        """Give the resources back; calling it again does nothing."""

    def get_metas(self, names: Sequence[str]) -> list[bytes | None]:
        """Return meta values, None where there is none; from one moment where the store can do that."""
        return [self.get_meta(name) for name in names]

    def get(self, user_id: UserId) -> UserRecord | None:
        """Return the user's record, None where there is none."""
        return self.get_many([user_id])[0]

    def get_with_meta(
        self, user_id: UserId, names: Sequence[str]
    ) -> tuple[UserRecord | None, list[bytes | None]]:
        """Return a user's record and meta values; a backend that can reads them at one moment."""
        return self.get(user_id), [self.get_meta(name) for name in names]

    def check_present(self) -> None:
        """Raise when the store is gone or does not answer, also where what is open could still be read.

        Raises
        ------
        NotFoundError, UnavailableError, DataError
            What is wrong.
        """
        self.get_meta("present")

    def put(self, user_id: UserId, record: UserRecord) -> None:
        """Write one record; see :meth:`put_many`."""
        self.put_many([(user_id, record)])

    def put_batch(self, batch: RecordBatch) -> None:
        """Write a batch as :meth:`put_many` does; fastest when users ascend from batch to batch."""
        self.put_many(zip(batch.user_ids, batch.records(), strict=True))

    def put_meta(self, name: str, value: bytes) -> None:
        """Write one meta value."""
        self.put_many((), meta={name: value})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Where user interests live between a build and a request: user id -> record.

A store is a sorted map that survives its process. Batch builds fill one with :meth:`~InterestStore.put_batch`,
streaming rewrites single records with :meth:`~InterestStore.put_many`, serving reads with
:meth:`~InterestStore.get`. Every write is atomic and durable when the call returns; readers see the
state before it or after it. A backend implements the abstract methods and subclasses
:class:`pinnersage.testing.store.StoreConformance` in its tests; :class:`~pinnersage.store.memory.MemoryStore`
is the reference, :class:`~pinnersage.store.lmdb.LmdbStore` the default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from pinnersage._ids import UserId
from pinnersage.interests.record import RecordBatch, UserRecord


class InterestStore(ABC):
    """A map from user id to :class:`~pinnersage.interests.record.UserRecord`.

    A user id is a non-empty string or a 64-bit integer; ``7`` and ``"7"`` are different users. Beside
    the records stands a small map of *meta* values, text -> bytes, for what belongs to the whole
    store, such as how far a journal has been applied.
    """

    @abstractmethod
    def get_many(self, user_ids: Sequence[UserId]) -> list[UserRecord | None]:
        """Return the records of these users, in the order asked, all from one moment; None where there is none."""

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
        """Remove the user's record; tell whether there was one. Bytes on disk may stay until :meth:`compact`."""

    @abstractmethod
    def user_ids(self) -> Iterator[UserId]:
        """Yield the ids ascending: integers by value, then strings by their UTF-8 bytes.

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

    def get(self, user_id: UserId) -> UserRecord | None:
        """Return the user's record, None where there is none."""
        return self.get_many([user_id])[0]

    def put(self, user_id: UserId, record: UserRecord) -> None:
        """Write one record; see :meth:`put_many`."""
        self.put_many([(user_id, record)])

    def put_batch(self, batch: RecordBatch) -> None:
        """Write all records of a batch, or none if this raises; fastest when batches come in ascending order."""
        self.put_many((user_id, batch.record(u)) for u, user_id in enumerate(batch.user_ids))

    def put_meta(self, name: str, value: bytes) -> None:
        """Write one meta value."""
        self.put_many((), meta={name: value})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

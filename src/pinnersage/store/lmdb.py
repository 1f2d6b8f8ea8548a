"""The default store: an LMDB file, read by many processes, written by one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pinnersage._arrays import Int64s, UInt8s
from pinnersage._ids import UserId
from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.interests.record import RecordBatch, UserRecord
from pinnersage.store._data_file import DataFile, Sync, rewrite_beside
from pinnersage.store._environment import Environment, Work, acquire, release
from pinnersage.store.base import InterestStore
from pinnersage.store.codec import decode_record, decode_records, encode_batch, encode_records
from pinnersage.store.keys import has_long_id, pack_value, unpack_record, unpack_user_id, user_key

T = TypeVar("T")

MAP_BYTES = 1 << 30
LAYOUT_VERSION = b"1"

# Keys of users begin at 1, so what begins with 0 is none.
_LAYOUT_KEY, _NAME, _FIRST_USER_KEY = b"\0layout", b"\0n", b"\1"
_LISTING_CHUNK = 2_000
_Entry = tuple[bytes, bytes | memoryview]


class LmdbStore(InterestStore):
    """Records in one LMDB file.

    Any number of processes and threads may read and write; writes queue. A read costs no lock and
    sees the last finished write. A process killed at any moment leaves the last finished write. After
    a fork the child opens the file anew. A directory without write permission is read without locks.

    Parameters
    ----------
    path
        Directory of the store's files; made when missing.
    create
        False: refuse a directory without a store.
    readonly
        Refuse writes, and a directory without a store.
    bulk
        For a build into a fresh directory: writes reach the disk only in :meth:`close`, and no other
        store may be open on the directory in this process.
    sync
        False: writes reach the disk some time after they return. A killed process loses none.
        ``ordered``: half the waiting; a power cut may undo the last write, as if it had never been. For
        whoever can tell by a meta value, and write it again.
    map_bytes
        First size of the memory map; it doubles when it is full. Address space, not memory or disk.

    Raises
    ------
    ModelNotFoundError
        If there is no store and none may be made.
    StoredFormatError
        If the file is damaged or of a newer layout.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory, LmdbStore(directory) as store:
    ...     store.put_meta("journal", b"17")
    ...     store.get(7), list(store.user_ids()), store.get_meta("journal")
    (None, [], b'17')
    """

    _environment: Environment | None = None

    def __init__(
        self,
        path: str | Path,
        *,
        create: bool = True,
        readonly: bool = False,
        bulk: bool = False,
        sync: Sync = True,
        map_bytes: int = MAP_BYTES,
    ) -> None:
        directory = Path(path)
        create = create and not readonly
        if create:
            directory.mkdir(parents=True, exist_ok=True)
        self._readonly = readonly
        self._environment = acquire(directory, create=create, bulk=bulk, map_bytes=map_bytes, sync=sync)
        try:
            self._check_layout()
        except BaseException:
            self.close()
            raise

    def get_many(self, user_ids: Sequence[UserId]) -> list[UserRecord | None]:
        """See the base class."""
        keys = [user_key(user_id) for user_id in user_ids]

        def work(txn: Any, _: DataFile) -> list[UserRecord | None]:
            found = [(key, txn.get(key)) for key in keys]
            records = iter(decode_records([unpack_record(key, v) for key, v in found if v is not None]))
            return [None if value is None else next(records) for _, value in found]

        return self._read(work)

    def get_with_meta(
        self, user_id: UserId, names: Sequence[str]
    ) -> tuple[UserRecord | None, list[bytes | None]]:
        """See the base class; one moment, one transaction."""
        key, meta_keys = user_key(user_id), [_meta_key(name) for name in names]

        def work(txn: Any, _: DataFile) -> tuple[UserRecord | None, list[bytes | None]]:
            value = txn.get(key)
            record = None if value is None else decode_record(unpack_record(key, value))
            return record, [_copied(txn.get(name)) for name in meta_keys]

        return self._read(work)

    def put_many(
        self, records: Iterable[tuple[UserId, UserRecord]], *, meta: Mapping[str, bytes] | None = None
    ) -> None:
        """See the base class."""
        pairs = list(records)
        buffer, offsets = encode_records([record for _, record in pairs])
        self._put(_entries([user_id for user_id, _ in pairs], buffer, offsets), meta or {})

    def put_batch(self, batch: RecordBatch) -> None:
        """See the base class."""
        self._put(_entries(batch.user_ids, *encode_batch(batch)), {})

    def delete(self, user_id: UserId) -> bool:
        """See the base class."""
        key = user_key(user_id)
        return self._write(lambda txn, _: bool(txn.delete(key)))

    def user_ids(self, *, start: UserId | None = None) -> Iterator[UserId]:
        """See the base class."""
        first = _FIRST_USER_KEY if start is None else user_key(start)
        last: bytes | None = None
        while True:
            ids, last = self._read(partial(_list_ids, first=first if last is None else last + b"\0"))
            yield from ids
            if last is None:
                return

    def __len__(self) -> int:
        """See the base class."""
        return self._read(lambda txn, _: int(txn.stat()["entries"]) - _n_meta(txn))

    @property
    def n_bytes(self) -> int:
        """Bytes of the data file in use, free pages between included."""
        return self._read(lambda _, file: int((file.env.info()["last_pgno"] + 1) * file.env.stat()["psize"]))

    def get_meta(self, name: str) -> bytes | None:
        """See the base class."""
        return self.get_metas([name])[0]

    def get_metas(self, names: Sequence[str]) -> list[bytes | None]:
        """See the base class."""
        return self._read(lambda txn, _: [_copied(txn.get(_meta_key(name))) for name in names])

    def check_present(self) -> None:
        """See the base class."""
        self._opened().check_present()
        super().check_present()

    def compact(self) -> None:
        """See the base class. Other processes read on and follow to the new file with their next call."""
        self._write(rewrite_beside)

    def copy_to(self, directory: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write a copy of the store, as it is now, into a new directory; others may write meanwhile.

        ``begun`` is called once it is settled what will be in the copy.
        """
        self._opened().copy_to(directory, begun)

    def close(self) -> None:
        """See the base class; the last store on a directory closes the file."""
        environment, self._environment = self._environment, None
        if environment is not None:
            release(environment)

    def _put(self, entries: list[_Entry], meta: Mapping[str, bytes]) -> None:
        ascending = all(a[0] < b[0] for a, b in pairwise(entries))

        def work(txn: Any, _: DataFile) -> None:
            cursor = txn.cursor()
            append = ascending and bool(entries) and (not cursor.last() or cursor.key() < entries[0][0])
            cursor.putmulti(entries, append=append)
            for name, value in meta.items():
                txn.put(_meta_key(name), value)

        self._write(work)

    def _read(self, work: Work[T]) -> T:
        return self._opened().read(work)

    def _write(self, work: Work[T]) -> T:
        if self._readonly:
            raise UsageError("this store was opened for reading: open it with readonly=False to write")
        return self._opened().write(work)

    def _opened(self) -> Environment:
        if self._environment is None:
            raise UsageError("this store is closed: open it again")
        return self._environment

    def _check_layout(self) -> None:
        layout = self._read(lambda txn, _: _copied(txn.get(_LAYOUT_KEY)))
        if layout is None and not self._readonly:
            self._write(lambda txn, _: txn.put(_LAYOUT_KEY, LAYOUT_VERSION))
        elif layout != LAYOUT_VERSION:
            raise StoredFormatError(
                f"the store has layout {layout!r}, this pinnersage reads {LAYOUT_VERSION!r}: "
                "upgrade pinnersage (pip install --upgrade pinnersage)"
            )


def _entries(user_ids: Sequence[UserId], buffer: UInt8s, offsets: Int64s) -> list[_Entry]:
    """Return key and value of records that lie end to end."""
    view = memoryview(buffer.data)
    entries: list[_Entry] = []
    for user_id, (start, stop) in zip(user_ids, pairwise(offsets.tolist()), strict=True):
        key, record = user_key(user_id), view[start:stop]
        entries.append((key, pack_value(user_id, bytes(record)) if has_long_id(key) else record))
    return entries


def _list_ids(txn: Any, _: DataFile, *, first: bytes) -> tuple[list[UserId], bytes | None]:
    """Return some ids from the key ``first`` on, and the last key seen; None at the end."""
    cursor = txn.cursor()
    found = cursor.set_range(first)
    ids: list[UserId] = []
    last: bytes | None = None
    while found and len(ids) < _LISTING_CHUNK:
        key = bytes(cursor.key())
        ids.append(unpack_user_id(key, cursor.value()))
        last = key
        found = cursor.next()
    return ids, last if found else None


def _meta_key(name: str) -> bytes:
    return _NAME + name.encode()


def _n_meta(txn: Any) -> int:
    """Count the entries that are not users; there are few."""
    cursor = txn.cursor()
    n_meta, found = 0, cursor.first()
    while found and bytes(cursor.key()) < _FIRST_USER_KEY:
        n_meta += 1
        found = cursor.next()
    return n_meta


def _copied(value: memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)

"""The LMDB file inside a store's directory: which one it is, opening it, replacing it.

The file carries a number. Compaction writes the next number beside it and then removes the old one,
with its lock file: LMDB's lock file remembers the last transaction, so a new data file under an old
lock file would be misread. The highest number counts.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lmdb
from lmdb import verify

from pinnersage.errors import (
    ModelNotFoundError,
    PinnerSageError,
    StoredFormatError,
    UnavailableError,
    UsageError,
)
from pinnersage.store._durable import is_full, storage_full, sync_path

Sync = bool | Literal["ordered"]
"""Whether the disk has a write when it returns; ``ordered``: it has all before it, and the file is whole."""

MAX_READERS = 1_024
_COPY_CHUNK = 10_000
FIRST_NAME = "records-00000001.mdb"
_NAME = re.compile(r"records-(\d{8})\.mdb")
_LOCK_SUFFIX = "-lock"


@dataclass(frozen=True, slots=True)
class DataFile:
    """An open LMDB environment; records and meta values are told apart by their keys' first byte."""

    path: Path
    inode: tuple[int, int]
    env: Any
    name: str

    def is_current(self) -> bool:
        """Tell whether the file is still the one under its name."""
        try:
            status = os.stat(self.name)  # noqa: PTH116 - every read passes here.
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self.inode


def newest(directory: Path) -> Path | None:
    """Return the data file that counts, None where there is none."""
    numbered = [path for path in directory.glob("records-*.mdb") if _NAME.fullmatch(path.name)]
    return max(numbered, default=None)


def open_newest(directory: Path, *, create: bool, sync: Sync, map_bytes: int) -> DataFile:
    """Open the data file that counts; a compaction may replace it meanwhile."""
    while True:
        path = newest(directory)
        if path is None and not create:
            raise ModelNotFoundError(
                f"no store in {directory}: run `pinnersage build` first, or check the path"
            )
        path = path or directory / FIRST_NAME
        try:
            opened = _open(path, create=create, sync=sync, map_bytes=map_bytes)
        except FileNotFoundError:
            if newest(directory) == path:
                raise
            continue
        if newest(directory) == path and opened.is_current():
            _sweep_older(path)
            return opened
        opened.env.close()


def translated(error: lmdb.Error, path: Path) -> PinnerSageError:
    """Return our error for one of LMDB's."""
    if isinstance(
        error, (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)
    ):
        return _damaged(path, str(error))
    if is_full(error.code, path):
        return storage_full(path, error)
    if error.code == errno.ENOMEM:
        return UnavailableError(
            f"the store at {path} could not be mapped ({error}): does `ulimit -v` bound the address space? "
            "Lift that, and bound memory by a container instead"
        )
    return UnavailableError(
        f"the store at {path} could not be read or written ({error}): check the disk and its rights"
    )


def rewrite_beside(txn: Any, old: DataFile) -> None:
    """Write what ``txn`` sees into a new data file and put it in the old one's place.

    ``txn`` must hold the write lock: no other process can then write to the file that goes.
    """
    directory = old.path.parent
    number = int(old.path.stem.removeprefix("records-")) + 1
    new, part = directory / f"records-{number:08d}.mdb", directory / f"records-{number:08d}.mdb.part"
    for leftover in directory.glob("records-*.part"):
        leftover.unlink()
    try:
        _copy(txn, old, part)
        sync_path(part)
        part.rename(new)
    finally:
        part.unlink(missing_ok=True)
    sync_path(directory)
    _sweep_older(new)


def _open(path: Path, *, create: bool, sync: Sync, map_bytes: int) -> DataFile:
    writable = os.access(path.parent, os.W_OK)
    if not create and path.stat().st_size == 0:
        raise _damaged(path, "it is empty")
    try:
        env = lmdb.open(
            str(path),
            subdir=False,
            map_size=map_bytes,
            max_readers=MAX_READERS,
            max_spare_txns=8,
            readahead=False,
            sync=bool(sync),
            metasync=sync is True,
            readonly=not writable,
            lock=writable,
        )
    except lmdb.Error as error:
        if "already open" in str(error):
            raise UsageError(f"{path} is already open under another name: close that store first") from error
        raise translated(error, path) from error
    try:
        _refuse_truncated(env, path)
        status = path.stat()
    except (PinnerSageError, OSError):
        env.close()
        raise
    return DataFile(path, (status.st_dev, status.st_ino), env, str(path))


def _refuse_truncated(env: Any, path: Path) -> None:
    """Refuse a file shorter than its pages: reading the map beyond its end would kill the process."""
    n_bytes_used = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    if path.stat().st_size >= n_bytes_used:
        return
    # Pages at the end may be free and never written; only a full check can tell.
    problems = verify.verify(str(path))  # type: ignore[no-untyped-call]
    if problems:
        raise _damaged(path, str(problems[0]))


def _damaged(path: Path, reason: str) -> StoredFormatError:
    return StoredFormatError(
        f"expected an LMDB data file at {path}, but it is damaged ({reason}): "
        "restore it from a copy, or run `pinnersage build` again"
    )


def _copy(txn: Any, old: DataFile, path: Path) -> None:
    map_bytes = old.env.info()["map_size"]
    env = lmdb.open(str(path), subdir=False, map_size=map_bytes, sync=False, lock=False)
    try:
        entries = iter(txn.cursor())
        while chunk := list(itertools.islice(entries, _COPY_CHUNK)):
            with env.begin(write=True) as writing:
                writing.cursor().putmulti(chunk, append=True)
        env.sync(True)
    finally:
        env.close()


def _sweep_older(current: Path) -> None:
    """Remove data files that a compaction has replaced, and locks whose file a killed one removed."""
    if not os.access(current.parent, os.W_OK):
        return
    for suffix in ("", _LOCK_SUFFIX):
        for path in current.parent.glob(f"records-*.mdb{suffix}"):
            name = path.name.removesuffix(_LOCK_SUFFIX)
            if _NAME.fullmatch(name) and name < current.name:
                path.unlink(missing_ok=True)

"""Files that are whole or absent, also after a power cut."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinnersage.errors import StorageFullError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_ROOM_BYTES = 1 << 20


def sync_path(path: Path) -> None:
    """Force a file's content, or a directory's entries, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Force a directory and everything below it onto the disk."""
    for directory, _, names in os.walk(root):
        for name in names:
            sync_path(Path(directory) / name)
        sync_path(Path(directory))


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` by a file with this content: readers see the old one or the new one."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_path(path.parent)


def is_full(code: int, path: Path) -> bool:
    """Tell whether a failed write to ``path`` failed for lack of room.

    A write cut short by a full disk or a size limit comes back from LMDB as an input/output error.
    """
    if code in _FULL:
        return True
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    at_limit = limit != resource.RLIM_INFINITY and path.is_file() and path.stat().st_size >= limit
    return code == errno.EIO and (at_limit or shutil.disk_usage(path.parent).free < _NO_ROOM_BYTES)


def storage_full(path: Path, error: Exception) -> StorageFullError:
    """Return the error to raise when there was no room to write ``path``."""
    return StorageFullError(
        f"no room to write {path} ({error}); what was stored before is unharmed: "
        "free disk space and run it again"
    )


@contextmanager
def full_disk_is_named(path: Path) -> Iterator[None]:
    """Raise a full disk inside the block as :class:`StorageFullError`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise storage_full(path, error) from error
        raise

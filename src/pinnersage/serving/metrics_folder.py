"""Where several workers keep their metrics, and the end of what killed services left there."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pinnersage.errors import UnavailableError

_PREFIX, _LOCK = "pinnersage-metrics-", "lock"


@contextmanager
def metrics_folder() -> Iterator[Path]:
    """Make a directory for the metrics of this process's workers, and remove it in the end.

    A process that is killed cannot: its lock on the directory is free then, and whoever comes next
    removes both. Directories of other users, or without a lock, are left alone.

    Raises
    ------
    UnavailableError
        There is no directory for temporary files.
    """
    try:
        place = Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise UnavailableError(
            "several workers need a directory for temporary files that can be written: set TMPDIR"
        ) from None
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_if_abandoned(folder)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        descriptor = _locked(Path(name))
        try:
            yield Path(name)
        finally:
            os.close(descriptor)


def _locked(folder: Path) -> int:
    partial = folder / f"{_LOCK}.partial"
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    partial.replace(folder / _LOCK)  # Nobody sees it before it is held.
    return descriptor


def _remove_if_abandoned(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        return
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)

"""One build at a time into a directory."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinnersage.errors import BuildInProgressError, UnavailableError

_RETRY_S = 0.02
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def build_lock(path: Path, target: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the lock file ``path`` for a build into ``target``; the kernel frees it when the process dies.

    Raises
    ------
    BuildInProgressError
        If someone else holds it, and does not let go within ``patience_s``.
    UnavailableError
        The directory may not be written to.
    """
    descriptor = _locked(path, target, time.monotonic() + patience_s)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path, target: Path, until_s: float) -> int:
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            if time.monotonic() < until_s:
                time.sleep(_RETRY_S)
                continue
            raise BuildInProgressError(
                f"process {holder or 'unknown'} is building into {target}: "
                "wait until it has finished, or stop it"
            ) from error
        if _still_there(descriptor, path):
            return descriptor
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise
        raise UnavailableError(
            f"{path} cannot be opened for writing ({error.strerror}): check the disk and its rights"
        ) from error


def _still_there(descriptor: int, path: Path) -> bool:
    """Tell whether the file locked is the one a newcomer would open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

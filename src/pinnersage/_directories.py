"""Directories that a caller names to be written to."""

from __future__ import annotations

import errno
from pathlib import Path

from pinnersage.errors import StorageFullError, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def make_directory(path: Path) -> None:
    """Make a directory and those above it, unless they are there.

    Raises
    ------
    UsageError
        It cannot be made there: a file is in the way, or the place may not be written to.
    StorageFullError
        The disk is full.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(f"{path}: no room to make this directory; free some space") from error
        raise UsageError(
            f"{path}: this directory cannot be made ({error.strerror}); name one where you may write"
        ) from error

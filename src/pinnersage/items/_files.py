"""Files that appear under their name only when they are whole and on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pinnersage._tables.engine import translated
from pinnersage.errors import UsageError


def check_new_file(out: Path, endings: Sequence[str]) -> None:
    """Refuse a file that is there, has another ending, or is to be in no directory.

    Raises
    ------
    UsageError
        It says what was expected.
    """
    if out.suffix.lower() not in endings:
        raise UsageError(f"out: expected a file ending in {', '.join(endings)}, got {out}")
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} is there already: choose another name, or move it away")
    if not out.parent.is_dir():
        raise UsageError(f"out: expected a file in an existing directory, got {out}")


@contextmanager
def finished_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside ``path``; when the block ends well, flush it to the disk and rename it.

    Raises
    ------
    StorageFullError
        The disk is full; nothing is left behind.
    """
    part = path.with_name(path.name + ".part")
    try:
        with translated(str(path)):
            with part.open("w+b") as file:
                yield file
                sync_file(file)
            part.replace(path)
            sync_directory(path.parent)
    finally:
        part.unlink(missing_ok=True)


def sync_file(file: BinaryIO) -> None:
    """Wait until a file's bytes are on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

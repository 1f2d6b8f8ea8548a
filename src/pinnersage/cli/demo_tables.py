"""The tables the demo was built from, left as files for the commands that read tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pinnersage.errors import UsageError
from pinnersage.items._files import finished_file, sync_file

ITEMS, ACTIONS = "items.parquet", "actions.parquet"


def check_tables(directory: Path) -> None:
    """Refuse a directory that could not be written to, or holds such tables, before any work is done.

    Raises
    ------
    UsageError
        It is no directory and cannot become one, or a table of these names is there.
    """
    if not directory.is_dir() and (directory.exists() or not directory.parent.is_dir()):
        raise UsageError(f"--tables: expected a directory, or a new name in one, got {directory}")
    for path in (directory / ITEMS, directory / ACTIONS):
        if path.exists() or path.is_symlink():
            raise UsageError(f"--tables: {path} is there already: remove it, or choose another directory")


def write_tables(items: pa.Table, actions: pa.Table, directory: Path) -> None:
    """Write both tables as Parquet; they appear whole, and both or neither.

    Raises
    ------
    UsageError
        As :func:`check_tables`.
    StorageFullError
        The disk is full; nothing is left behind.
    """
    check_tables(directory)
    is_new = not directory.exists()
    directory.mkdir(exist_ok=True)
    try:
        with (
            finished_file(directory / ITEMS) as items_file,
            finished_file(directory / ACTIONS) as actions_file,
        ):
            pq.write_table(items, items_file)
            pq.write_table(actions, actions_file)
            # The actions get their name first, and nothing may lack room after that.
            sync_file(items_file)
    except BaseException:
        if is_new:
            directory.rmdir()
        raise

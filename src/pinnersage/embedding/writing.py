"""Writes a table of items; it appears under its name whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pinnersage.errors import UsageError
from pinnersage.items._files import finished_file

_ROWS_PER_GROUP = 16_384
_SUFFIXES = (".parquet", ".pq")


def check_out(out: Path, items: Any) -> None:
    """Refuse a name that could not be written to, before any work is done.

    Raises
    ------
    UsageError
        It is not a Parquet file in an existing directory, or it is the table of items itself.
    """
    if out.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"out: expected a file ending in {' or '.join(_SUFFIXES)}, got {out}")
    if out.is_dir() or not out.parent.is_dir():
        raise UsageError(f"out: expected a file in an existing directory, got {out}")
    is_path = isinstance(items, (str, os.PathLike))
    if out.exists() and is_path and Path(items).exists() and out.samefile(items):
        raise UsageError(f"out: expected another file than the items, got {out} twice")


def write_items(table: pa.Table, out: Path) -> None:
    """Write ``table`` as Parquet, flushed to the disk, in place of what was there.

    Raises
    ------
    StorageFullError
        The disk is full; what was there stays.
    """
    with finished_file(out) as sink:
        pq.write_table(table, sink, row_group_size=_ROWS_PER_GROUP)

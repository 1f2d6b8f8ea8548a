"""From what a caller passes (paths, globs, frames, streams) to a list of readable pieces."""

from __future__ import annotations

import glob  # Path.glob takes no absolute pattern
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from pinnersage._tables.engine import translated
from pinnersage.errors import DataError, UsageError

Format = Literal["parquet", "arrow", "csv", "jsonl", "memory"]
TableSource = Any
"""A path, a list of paths or globs, or a table in memory (pandas, Polars, Arrow, any Arrow C stream)."""

_FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_KNOWN = ".parquet, .arrow/.feather, .csv/.tsv and .jsonl (the last two also .gz)"


@dataclass(frozen=True, slots=True)
class Piece:
    """One file, or one table in memory (then ``path`` is None)."""

    name: str
    format: Format
    path: Path | None = None
    table: pa.Table | None = None

    @property
    def n_bytes(self) -> int:
        """Size, for progress."""
        if self.table is not None:
            return int(self.table.nbytes)
        return self.file.stat().st_size

    @property
    def file(self) -> Path:
        """The path of a piece that is a file."""
        if self.path is None:
            raise TypeError("a table in memory has no path")
        return self.path

    def stamp(self) -> tuple[int, int]:
        """Return what changes when the file is written to."""
        if self.path is None:
            return (0, 0)
        status = self.path.stat()
        return (status.st_size, status.st_mtime_ns)


def resolve_source(source: TableSource, scratch: Path, named: str) -> list[Piece]:
    """Return the pieces of ``source`` in reading order: as listed, globs and directories by name.

    A stream that can be read only once is first written to ``scratch``. What comes without a file is told
    of as ``<named>``.

    Raises
    ------
    UsageError
        A path does not exist, matches nothing, or has an unknown extension.
    DataError
        A file is empty.
    """
    if isinstance(source, (str, os.PathLike)):
        source = [source]
    if isinstance(source, Sequence):
        paths = [path for entry in source for path in _expand(entry)]
        if not paths:
            raise UsageError("expected at least one file or table, found an empty list")
        return [_file_piece(path) for path in paths]
    return [_memory_piece(source, scratch, f"<{named}>")]


def check_paths(*paths: str | os.PathLike[str]) -> None:
    """Tell what is wrong with the paths of tables without opening a file.

    Raises
    ------
    UsageError
        A path does not exist, matches nothing, or has an unknown extension.
    """
    for path in paths:
        for file in _expand(path):
            format_of(file)


def _expand(entry: Any) -> Iterator[Path]:
    if not isinstance(entry, (str, os.PathLike)):
        raise UsageError(f"expected a path in the list of tables, found {type(entry).__name__}")
    path = Path(entry)
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.is_file() and p.name[0] not in "._")
        if not inside:
            raise UsageError(f"{path}: expected a directory of table files, found none in it")
        yield from inside
    elif path.exists():
        yield path
    elif matches := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207
        yield from map(Path, matches)
    else:
        raise UsageError(f"{path}: no such file. Check the path.")


def format_of(path: Path) -> Format:
    """Return the format that the extension promises."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        inner = _FORMATS.get(Path(path.stem).suffix.lower())
        if inner in ("csv", "jsonl"):
            return inner
    found = _FORMATS.get(suffix)
    if found is None:
        raise UsageError(f"{path}: unknown extension {suffix!r}; expected {_KNOWN}")
    return found


def _file_piece(path: Path) -> Piece:
    piece = Piece(str(path), format_of(path), path)
    with translated(str(path)):
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty; expected a table")
        with path.open("rb") as file:
            head = file.read(4)
    if piece.format in ("csv", "jsonl") and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}: expected UTF-8, found UTF-16; convert it (iconv -f UTF-16 -t UTF-8)")
    return piece


def _memory_piece(source: Any, scratch: Path, label: str) -> Piece:
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return Piece(label, "memory", table=source)
    if not hasattr(source, "__arrow_c_stream__"):
        raise UsageError(
            "expected a path, a list of paths, or a table (pandas, Polars, Arrow), "
            f"found {type(source).__name__}"
        )
    with translated(label):
        reader = pa.RecordBatchReader.from_stream(source)
        if not _reads_once(source):
            return Piece(label, "memory", table=reader.read_all())
        return Piece(label, "arrow", _spill_stream(reader, scratch))


def _reads_once(source: Any) -> bool:
    lazy = type(source).__module__.split(".")[0] in ("duckdb", "_duckdb")
    return lazy or isinstance(source, pa.RecordBatchReader) or not hasattr(source, "__len__")


def _spill_stream(reader: pa.RecordBatchReader, scratch: Path) -> Path:
    path = scratch / f"stream-{len(list(scratch.iterdir()))}.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    return path

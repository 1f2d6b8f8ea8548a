"""Reads a table of items and writes the three files of an :class:`ItemTable`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from pinnersage._report import ImportReport
from pinnersage._tables.columns import ITEM_COLUMNS, mapping_of, resolve_columns
from pinnersage._tables.engine import Connection, Progress, open_engine, translated
from pinnersage._tables.parts import column_names
from pinnersage._tables.sources import Piece, TableSource, resolve_source
from pinnersage.config import ImportConfig
from pinnersage.errors import DataError, SchemaError, UsageError
from pinnersage.items._files import sync_directory
from pinnersage.items.attributes import attribute_columns, plan_attributes
from pinnersage.items.embeddings import is_embedding_type, open_matrix
from pinnersage.items.intake import Intake, PieceLayout
from pinnersage.items.origin import latest_origin, origin_of_schema
from pinnersage.items.reading import schema_of
from pinnersage.items.sorting import write_sorted
from pinnersage.items.table import ATTRIBUTES_FILE, EMBEDDINGS_FILE, VOCABULARY_FILE, ItemTable

_FILES = (EMBEDDINGS_FILE, VOCABULARY_FILE, ATTRIBUTES_FILE)


def import_items(
    source: TableSource,
    out_dir: str | Path,
    config: ImportConfig,
    *,
    embeddings_npy: str | Path | npt.NDArray[Any] | None = None,
    without_embeddings: bool = False,
    progress: Progress | None = None,
) -> tuple[ItemTable, ImportReport]:
    """Read items, leave out bad rows, and write embeddings, ids and attributes in order of id.

    Embeddings are never whole in memory. On failure ``out_dir`` is as it was before.

    Parameters
    ----------
    source
        A path, a list of paths or globs, or a table in memory.
    out_dir
        Directory to write to; made if it is missing.
    config
        Mapping of columns, how embeddings are stored, how many bad rows are too many, memory.
    embeddings_npy
        Matrix of embeddings in row order of the table (one file). Without it, and without
        a column ``embedding``, the ``.npy`` file beside each file is taken.
    without_embeddings
        Read ids and attributes alone: every embedding is the one number 1.
    progress
        Told the stage, the rows or bytes done, and of how many.

    Returns
    -------
    ItemTable
        Mapped from the files written; its ``origin`` is that of the latest embeddings among the files read.
    ImportReport
        What was read and left out. Reasons: ``unreadable_row, empty_item_id, duplicate_item_id`` (the
        first good row stays), ``embedding_missing, embedding_unparsable, embedding_wrong_width``
        (expected is the usual width of the first rows), ``embedding_not_finite, embedding_zero``,
        ``created_at_unparsable, quality_unparsable, available_unparsable``.

    Raises
    ------
    UsageError
        A path is wrong.
    SchemaError
        A column is missing or has an unusable type.
    BadRowsError
        Too many rows are bad.
    DataError
        A file is damaged, empty or not UTF-8.
    StorageFullError
        The disk is full.
    """
    out_dir = Path(out_dir)
    with _all_or_nothing(out_dir), ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".items-", dir=out_dir)))
        pieces = resolve_source(source, scratch, "items")
        connection = open_engine(scratch, config.memory_limit_mb)
        stack.callback(connection.close)
        layouts = [_layout(piece, config, embeddings_npy, without_embeddings) for piece in pieces]
        if not without_embeddings:
            _give_matrices(layouts, embeddings_npy)
        report = _import(layouts, out_dir, scratch, connection, config, progress)
        sync_directory(out_dir)
    told = [origin_of_schema(layout.schema) for layout in layouts if layout.embedding is not None]
    return replace(ItemTable.open(out_dir), origin=latest_origin(told)), report


@contextmanager
def _all_or_nothing(out_dir: Path) -> Iterator[None]:
    with translated(str(out_dir)):
        is_new = not out_dir.exists()
        out_dir.mkdir(exist_ok=True)
        before = {name for name in _FILES if (out_dir / name).exists()}
    if before:
        raise UsageError(f"{out_dir}: expected no items there yet, found {', '.join(sorted(before))}")
    try:
        yield
    except BaseException:
        for name in _FILES:
            (out_dir / name).unlink(missing_ok=True)
        if is_new:  # A signal may have come before the scratch directory in it was noted for removal.
            shutil.rmtree(out_dir, ignore_errors=True)
        raise


def _import(
    layouts: list[PieceLayout],
    out_dir: Path,
    scratch: Path,
    connection: Connection,
    config: ImportConfig,
    progress: Progress | None,
) -> ImportReport:
    pieces = [layout.piece for layout in layouts]
    plan = plan_attributes([(it.attributes, it.schema, it.is_text) for it in layouts])
    with translated(pieces[0].name):
        intake = Intake(connection, scratch, config, plan, progress, _n_rows(pieces))
        for layout in layouts:
            intake.take(layout)
        intake.leave_out_unreadable(pieces[0].name)
        intake.leave_out_duplicates()
    report = intake.report(tuple(piece.name for piece in pieces))
    if report.n_rows == 0:
        raise DataError(f"{pieces[0].name}: the table of items holds no rows")
    report.raise_if_too_many(config)
    with translated("sorting items by id"):
        write_sorted(intake, out_dir, config, progress)
    return report


def _layout(piece: Piece, config: ImportConfig, embeddings_npy: Any, without: bool) -> PieceLayout:
    found = column_names(piece)
    mapping = mapping_of("items", config.columns)
    columns = resolve_columns(piece.name, found, mapping, ITEM_COLUMNS[:1], ITEM_COLUMNS[1:])
    given = columns.pop("embedding", None) if without or embeddings_npy is not None else None
    attributes = attribute_columns(columns, [name for name in found if name != given])
    schema = schema_of(piece, found)
    if "embedding" in columns and not is_embedding_type(schema.field(columns["embedding"]).type):
        kind = schema.field(columns["embedding"]).type
        raise SchemaError(f"{piece.name}: expected lists of numbers in embedding, found {kind}")
    return PieceLayout(piece, columns["item_id"], columns.get("embedding"), attributes, schema, found)


def _give_matrices(layouts: list[PieceLayout], embeddings_npy: Any) -> None:
    if embeddings_npy is not None:
        if len(layouts) > 1:
            raise UsageError(
                "expected one table with embeddings_npy, found "
                f"{len(layouts)}; put a .npy file with the same name beside each table instead"
            )
        layouts[0].matrix, layouts[0].matrix_name = open_matrix(embeddings_npy), _matrix_name(embeddings_npy)
        return
    for layout in layouts:
        if layout.embedding is None:
            path = _beside(layout.piece)
            if path is None or not path.exists():
                raise SchemaError(
                    f"{layout.piece.name}: expected a column embedding, or a .npy file beside the table; "
                    f"found columns {', '.join(layout.found)}. If it has another name, map it: "
                    "--map embedding=<name in the table> (from Python: columns={'embedding': ...}, or "
                    "embeddings_npy=). If there are no embeddings yet, make them: pinnersage embed"
                )
            layout.matrix, layout.matrix_name = open_matrix(path), str(path)


def _matrix_name(embeddings_npy: Any) -> str:
    return "the matrix of embeddings" if isinstance(embeddings_npy, np.ndarray) else str(embeddings_npy)


def _beside(piece: Piece) -> Path | None:
    if piece.path is None:
        return None
    inner = piece.path.with_suffix("") if piece.path.suffix == ".gz" else piece.path
    return inner.with_suffix(".npy")


def _n_rows(pieces: list[Piece]) -> int | None:
    """Return the number of rows, where the formats tell without reading."""
    total = 0
    for piece in pieces:
        if piece.table is not None:
            total += piece.table.num_rows
        elif piece.format == "parquet":
            total += pq.read_metadata(piece.file).num_rows
        else:
            return None
    return total

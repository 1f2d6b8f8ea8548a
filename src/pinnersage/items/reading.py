"""Tables of items as Arrow batches in reading order, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from pinnersage._tables.columns import quoted
from pinnersage._tables.engine import Connection, translated
from pinnersage._tables.idcolumns import id_column
from pinnersage._tables.parts import UNREADABLE, Rejects, csv_rejects, open_dataset, open_part
from pinnersage._tables.sources import Piece
from pinnersage.errors import SchemaError

IS_INTEGER = "__is_integer__"
"""Name of the column of flags that an id was an integer (text formats only)."""

_BATCH_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of one batch as texts (null where empty), and whether all of them are 64-bit integers."""

    texts: pa.Array
    all_integers: bool


def read_batches(
    piece: Piece, names: list[str], id_name: str, connection: Connection, rejects: Rejects
) -> Iterator[pa.RecordBatch]:
    """Yield the columns ``names`` of a piece in row order, a few thousand rows at a time.

    Lines of a CSV file that had to be skipped are added to ``rejects`` once all the rest is read.
    """
    with translated(piece.name):
        if piece.format in ("csv", "jsonl"):
            yield from _read_text(piece, names, id_name, connection, rejects)
        elif piece.table is not None:
            yield from piece.table.select(names).to_batches(max_chunksize=_BATCH_ROWS)
        elif piece.format == "parquet":
            with pa.parquet.ParquetFile(piece.file, buffer_size=2**20, pre_buffer=False) as file:
                yield from file.iter_batches(_BATCH_ROWS, columns=names)
        else:
            yield from _read_ipc(piece, names)


def schema_of(piece: Piece, names: list[str]) -> pa.Schema:
    """Return the Arrow types of a piece's columns; texts for formats without types."""
    with translated(piece.name):
        if piece.table is not None:
            return piece.table.schema
        if piece.format == "parquet":
            return pa.parquet.read_schema(piece.file)
        if piece.format == "arrow":
            return open_dataset(piece.file).schema
        return pa.schema([(name, pa.large_string()) for name in names])


def _read_ipc(piece: Piece, names: list[str]) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(piece.file)) as source, pa.ipc.open_file(source) as reader:
        for i in range(reader.num_record_batches):
            batch = reader.get_batch(i).select(names)
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                yield batch.slice(start, _BATCH_ROWS)


def _read_text(
    piece: Piece, names: list[str], id_name: str, connection: Connection, rejects: Rejects
) -> Iterator[pa.RecordBatch]:
    part = open_part(connection, [piece], names, [id_name])
    ids = id_column(piece.name, "item_id", id_name, part.types[id_name])
    shown = [ids.text if name == id_name else quoted(name) for name in names]
    columns = [f"{sql} AS {quoted(name)}" for sql, name in zip(shown, names, strict=True)]
    columns.append(f"{ids.is_integer} AS {IS_INTEGER}")
    if piece.format == "jsonl":
        columns.append(UNREADABLE)
    sql = f"SELECT {', '.join(columns)} FROM {part.relation}"
    # A cursor of its own: the connection goes on inserting while this result is read.
    with connection.cursor() as cursor:
        cursor.execute("SET preserve_insertion_order = true")
        yield from cursor.sql(sql).to_arrow_reader(_BATCH_ROWS)
        rejects.update(csv_rejects(cursor))


def ids_of_batch(batch: pa.RecordBatch, name: str, table: str) -> Ids:
    """Return a batch's ids.

    Raises
    ------
    SchemaError
        The column holds neither strings nor integers.
    """
    column = batch.column(name)
    if pa.types.is_dictionary(column.type):
        # Taken by hand: Arrow cannot unfold the dictionaries of text views that Polars hands over.
        values = column.dictionary
        views = pa.types.is_string_view(values.type)
        column = (values.cast(pa.large_string()) if views else values).take(column.indices)
    kind = column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    whole = pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)
    if not (text or whole):
        raise SchemaError(
            f"{table}: expected strings or integers in item_id (column {name}), found {kind}. Convert the "
            "column; integers that became floating point because of missing values too."
        )
    texts = column.cast(pa.large_string())
    texts = pa.compute.if_else(pa.compute.equal(texts, ""), None, texts)
    return Ids(texts, _all_integers(batch, column, whole))


def _all_integers(batch: pa.RecordBatch, column: pa.Array, whole: bool) -> bool:
    if IS_INTEGER in batch.schema.names:
        return bool(pa.compute.all(batch.column(IS_INTEGER)).as_py() is not False)
    if not whole:
        return False
    try:
        column.cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return True

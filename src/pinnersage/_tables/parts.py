"""Pieces as DuckDB relations: typed where the format has types, text where it has none."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet

from pinnersage._arrays import Int64s
from pinnersage._tables.columns import literal, quoted
from pinnersage._tables.engine import Connection, translated
from pinnersage._tables.sources import Format, Piece
from pinnersage.errors import DataError

TEXT = "TEXT"
"""Type of a column of a format without types: nothing is known but the characters."""

JSON_VALUE = "JSON"
"""Type of an id in JSONL: the value as JSON text, so that 7 and "7" stay apart."""

UNREADABLE = "__unreadable__"
"""Name of the flag that a line could not be parsed (JSONL only)."""

Rejects = dict[str, list[tuple[int, str]]]
"""File -> lines that the CSV reader left out: (data row from 1, what was found)."""

_SAMPLE_LINES = 1_000
_CSV_BUFFER_BYTES = 8 * 2**20
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows behind one FROM clause.

    Attributes
    ----------
    pieces
        What it reads, in order.
    relation
        SQL for the FROM clause.
    types
        Column -> DuckDB type, or :data:`TEXT` or :data:`JSON_VALUE`.
    """

    pieces: tuple[Piece, ...]
    relation: str
    types: dict[str, str]

    @property
    def format(self) -> Format:
        """Format of all its pieces."""
        return self.pieces[0].format


def column_names(piece: Piece, wanted: Collection[str] = ()) -> list[str]:
    """Return the names of a piece's columns; of JSONL those in the first thousand lines.

    Parameters
    ----------
    piece
        Part of a table.
    wanted
        Columns that are looked for in JSONL until all are found, if need be to the end.

    Raises
    ------
    DataError
        The file is damaged.
    """
    with translated(piece.name):
        if piece.format == "memory" and piece.table is not None:
            return list(piece.table.column_names)
        if piece.format == "parquet":
            return list(pa.parquet.read_schema(piece.file).names)
        if piece.format == "arrow":
            return list(open_dataset(piece.file).schema.names)
        if piece.format == "csv":
            return csv_header(piece.file)[0]
        return _json_keys(piece.file, wanted)


def open_part(
    connection: Connection, pieces: Sequence[Piece], wanted: Sequence[str], ids: Sequence[str]
) -> Part:
    """Open pieces that have the same format and columns as one relation.

    Parameters
    ----------
    connection
        Tables in memory and Arrow files are registered with it.
    pieces
        At least one; only Parquet, CSV and JSONL may be read several at a time.
    wanted
        Columns to read.
    ids
        Those of ``wanted`` that hold ids.
    """
    first = pieces[0]
    with translated(first.name):
        if first.format in ("memory", "arrow"):
            return _arrow_part(connection, first, wanted)
        names = "[" + ", ".join(literal(str(piece.file)) for piece in pieces) + "]"
        if first.format == "parquet":
            relation = f"read_parquet({names}, union_by_name = true)"
            return Part(tuple(pieces), relation, _described(connection, relation, wanted))
        if first.format == "csv":
            return Part(tuple(pieces), _csv_relation(first.file, names), dict.fromkeys(wanted, TEXT))
        types = {name: JSON_VALUE if name in ids else TEXT for name in wanted}
        return Part(tuple(pieces), _json_relation(names, types), types)


def _arrow_part(connection: Connection, piece: Piece, wanted: Sequence[str]) -> Part:
    name = f"arrow_{id(piece)}"
    if piece.table is not None:
        connection.register(name, piece.table.select(list(wanted)))
    else:
        connection.register(name, open_dataset(piece.file))
    return Part((piece,), name, _described(connection, name, wanted))


def _described(connection: Connection, relation: str, wanted: Sequence[str]) -> dict[str, str]:
    columns = ", ".join(map(quoted, wanted))
    rows = connection.execute(f"DESCRIBE SELECT {columns} FROM {relation}").fetchall()
    return {row[0]: row[1] for row in rows}


def _open_bytes(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def csv_header(path: Path) -> tuple[list[str], str]:
    """Return the column names and the delimiter, the one that splits the first line most."""
    try:
        with _open_bytes(path) as file:
            line = file.readline().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(str(path), 1) from error
    delimiter = "\t" if ".tsv" in path.suffixes else max(_DELIMITERS, key=line.count)
    return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), []), delimiter


def not_utf8(name: str, line: int) -> DataError:
    """Return the error for bytes that are not UTF-8."""
    return DataError(
        f"{name} line {line}: expected UTF-8, found other bytes; convert the file "
        f"(for example iconv -f LATIN1 -t UTF-8)"
    )


def _csv_relation(path: Path, names: str) -> str:
    header, delimiter = csv_header(path)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({names}, columns = {{{columns}}}, auto_detect = false, header = true, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', "
        f"store_rejects = true, rejects_limit = 0, buffer_size = {_CSV_BUFFER_BYTES})"
    )


def _json_relation(names: str, types: dict[str, str]) -> str:
    shape = json.dumps({name: "JSON" if kind == JSON_VALUE else "VARCHAR" for name, kind in types.items()})
    fields = ", ".join(f"fields.{quoted(name)} AS {quoted(name)}" for name in types)
    objects = f"read_json_objects({names}, format = 'newline_delimited', ignore_errors = true)"
    return (
        f"(SELECT {fields}, unreadable AS {UNREADABLE} FROM (SELECT from_json(json, {literal(shape)}) "
        f"AS fields, json IS NULL AS unreadable FROM {objects}))"
    )


def _json_keys(path: Path, wanted: Collection[str]) -> list[str]:
    keys: dict[str, None] = {}
    with _open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            if number > _SAMPLE_LINES and keys.keys() >= {*wanted}:
                break
            try:
                keys.update(dict.fromkeys(_keys_of(line)))
            except UnicodeDecodeError as error:
                raise not_utf8(str(path), number) from error
    if not keys:
        raise DataError(f"{path}: expected a JSON object in each line, found none in the first lines")
    return list(keys)


def _keys_of(line: bytes) -> list[str]:
    try:
        value = json.loads(line.decode())
    except json.JSONDecodeError:
        return []
    return list(value) if isinstance(value, dict) else []


def csv_rejects(connection: Connection) -> Rejects:
    """Return and forget the lines that the CSV reader left out: file -> (data row from 1, found).

    Raises
    ------
    DataError
        Some bytes were not UTF-8: the whole file is suspect then.
    """
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS no_rejects (x INTEGER)")
    known = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    if "reject_errors" not in known:
        return {}
    rows = connection.execute(
        "SELECT s.file_path, e.line, any_value(e.error_type::VARCHAR), any_value(e.error_message) "
        "FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    connection.execute("DELETE FROM reject_errors")
    connection.execute("DELETE FROM reject_scans")
    rejects: Rejects = {}
    for path, line, kind, message in rows:
        if kind == "INVALID ENCODING":
            raise not_utf8(path, line)
        rejects.setdefault(path, []).append((line - 1, message.splitlines()[0]))
    return rejects


def true_row(row: int, rejects: Sequence[tuple[int, str]]) -> int:
    """Return the row in the file of the ``row``-th accepted row (both from 1)."""
    for rejected, _ in rejects:
        if rejected > row:
            break
        row += 1
    return row


def true_rows(rows: Int64s, rejects: Sequence[tuple[int, str]]) -> Int64s:
    """Return :func:`true_row` of many ascending rows."""
    shifted = rows.copy()
    for rejected, _ in rejects:
        shifted[shifted >= rejected] += 1
    return shifted


def open_dataset(file: Path) -> Any:
    """Open an Arrow file as a dataset; importing datasets imports pandas, which is slow to load."""
    import pyarrow.dataset  # noqa: PLC0415

    return pyarrow.dataset.dataset([str(file)], format="ipc")

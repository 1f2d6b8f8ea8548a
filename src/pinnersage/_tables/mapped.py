"""Whether the columns that a mapping names are there, told before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pinnersage._tables.columns import ACTION_COLUMNS, ITEM_COLUMNS, check_mapping, tables_of
from pinnersage._tables.parts import column_names
from pinnersage._tables.sources import Piece, resolve_source
from pinnersage.errors import UsageError


def check_mapped(mapping: Mapping[str, str], items: Sequence[Path], logs: Sequence[Path]) -> None:
    """Refuse a mapping to a column that none of the tables has.

    One mapping serves all tables: it is enough that one of those the name may stand in has the column, and
    a name that may stand in none of them is passed over.

    Parameters
    ----------
    mapping
        Contract name -> column.
    items
        Tables of items.
    logs
        Tables of actions, and those with columns of the same names.

    Raises
    ------
    UsageError
        No table has the column; a path is wrong, or a name is not in the contract.
    DataError
        A file is damaged or empty.
    """
    check_mapping(mapping)
    for name, column in mapping.items():
        kind, plain = tables_of(name)
        of_items = items if plain in ITEM_COLUMNS and kind != "actions" else ()
        of_logs = logs if plain in ACTION_COLUMNS and kind != "items" else ()
        tables = [*of_items, *of_logs]
        # For a path nothing is written to the scratch directory.
        pieces = [piece for table in tables for piece in resolve_source(table, table, "table")]
        if pieces and not _any_has(pieces, column):
            raise UsageError(_message(name, column, pieces))


def _any_has(pieces: Sequence[Piece], column: str) -> bool:
    if any(column in column_names(piece) for piece in pieces):
        return True
    # In JSONL a key may first occur beyond the lines that are sampled.
    return any(column in column_names(piece, [column]) for piece in pieces if piece.format == "jsonl")


def _message(name: str, column: str, pieces: Sequence[Piece]) -> str:
    read = ", ".join(piece.name for piece in pieces)
    found = dict.fromkeys(other for piece in pieces for other in column_names(piece))
    return (
        f"--map {name}={column}: expected a column {column} in {read}; found {', '.join(found)}. "
        f"Map {name} to one of these, or leave it out"
    )

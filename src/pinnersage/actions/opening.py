"""From a source of actions to parts whose columns are known and whose times have a unit."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage._tables.columns import ACTION_COLUMNS, mapping_of, quoted, resolve_columns
from pinnersage._tables.engine import Connection
from pinnersage._tables.parts import Part, column_names, csv_header, open_part
from pinnersage._tables.sources import Piece
from pinnersage._tables.times import check_unit, is_number, is_text, unit_needed
from pinnersage.config import ImportConfig

REQUIRED = ACTION_COLUMNS[:3]
OPTIONAL = ACTION_COLUMNS[3:]
_IDS = ("user_id", "item_id")
_N_SAMPLED = 10_000
_NOTHING = '"NULL"'
"""Type of a column without a single value, as of a frame's column of None; it is as good as absent."""

ActionPart = tuple[Part, dict[str, str]]


def open_action_parts(
    connection: Connection,
    pieces: Sequence[Piece],
    config: ImportConfig,
    wall_clock_ms: int,
) -> list[ActionPart]:
    """Open pieces as few parts as their formats, columns and types allow, in reading order.

    Raises
    ------
    SchemaError
        A required column is missing or has an unusable type; a unit is missing or makes no sense.
    DataError
        A file is damaged.
    """
    single: list[ActionPart] = [_open_one(connection, [piece], config) for piece in pieces]
    groups: list[list[ActionPart]] = []
    for one in single:
        if groups and _alike(groups[-1][-1], one):
            groups[-1].append(one)
        else:
            groups.append([one])
    opened = [
        group[0] if len(group) == 1 else _open_one(connection, [p.pieces[0] for p, _ in group], config)
        for group in groups
    ]
    for part, columns in opened:
        _check_times(connection, part, columns["timestamp"], config, wall_clock_ms)
    return opened


def _alike(a: ActionPart, b: ActionPart) -> bool:
    """Return whether one reader can read both."""
    if a[0].format != b[0].format or a[0].format in ("arrow", "memory"):
        return False
    if a[0].format == "csv" and csv_header(a[0].pieces[0].file) != csv_header(b[0].pieces[0].file):
        return False
    return a[1] == b[1] and a[0].types == b[0].types


def _open_one(connection: Connection, pieces: Sequence[Piece], config: ImportConfig) -> ActionPart:
    first = pieces[0]
    found = column_names(first)
    mapping = mapping_of("actions", config.columns)
    columns = resolve_columns(first.name, found, mapping, REQUIRED, OPTIONAL)
    if first.format == "jsonl":
        # A key may first occur beyond the sampled lines: always ask for the optional ones.
        columns = {name: mapping.get(name, name) for name in OPTIONAL} | columns
    wanted = list(dict.fromkeys(columns.values()))
    ids = [columns[name] for name in _IDS]
    part = open_part(connection, pieces, wanted, ids)
    empty = {name for name in OPTIONAL if name in columns and part.types[columns[name]] == _NOTHING}
    return part, {name: column for name, column in columns.items() if name not in empty}


def _check_times(
    connection: Connection,
    part: Part,
    column: str,
    config: ImportConfig,
    wall_clock_ms: int,
) -> None:
    name, sql_type = part.pieces[0].name, part.types[column]
    if not (is_number(sql_type) or is_text(sql_type)):
        return
    if is_number(sql_type) and config.time_unit is None:
        raise unit_needed(name, column)
    c = quoted(column)
    rows = connection.execute(
        f"SELECT {c} IS NOT NULL, TRY_CAST({c} AS DOUBLE) FROM {part.relation} LIMIT {_N_SAMPLED}"
    ).fetchall()
    numbers = [value for given, value in rows if given and value is not None]
    n_given = sum(given for given, _ in rows)
    if 2 * len(numbers) > n_given:
        check_unit(name, column, numbers, config.time_unit, wall_clock_ms)

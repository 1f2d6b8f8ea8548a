"""Rows of a table of users: ids of either kind, values as text and number, and what cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pinnersage._report import N_EXAMPLES, BadRowCounter, ImportReport
from pinnersage._tables.columns import literal, quoted, resolve_columns
from pinnersage._tables.engine import Connection, Progress, run
from pinnersage._tables.idcolumns import id_column
from pinnersage._tables.parts import (
    JSON_VALUE,
    TEXT,
    UNREADABLE,
    Part,
    Rejects,
    column_names,
    csv_rejects,
    open_part,
    true_row,
)
from pinnersage._tables.sources import Piece
from pinnersage._tables.times import is_number
from pinnersage.config import ImportConfig
from pinnersage.errors import SchemaError, UsageError
from pinnersage.evaluation.user_groups import UNKNOWN

STAGED = "staged_users"
"""Relation ``(part, row, reason, integer_id, text_id, text_0, number_0, ...)``; good rows have no reason."""

_STAGE = "reading users"
_WIDE = ("HUGEINT", "UHUGEINT")
_NUMBER = r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_SPACES = r"[\s\v\pZ]+"
_MISSING = ("", "na", "n/a", "nan", "null", "none", "-")
_EXACT = 2**53


def stage_users(
    connection: Connection,
    pieces: Sequence[Piece],
    group_by: Sequence[str],
    config: ImportConfig,
    progress: Progress | None,
) -> ImportReport:
    """Write ids and values of all rows into :data:`STAGED`, and count those that cannot be used.

    Parameters
    ----------
    connection
        Of the table engine.
    pieces
        In reading order.
    group_by
        Columns; ``text_0`` and ``number_0`` are of the first.
    config
        Mapping of ``user_id``.
    progress
        Told the stage, the bytes done and the bytes in all.

    Raises
    ------
    UsageError, SchemaError
        A column is missing, of a type that cannot be used, or called like another but for upper and lower
        case.
    """
    parts = []
    for piece in pieces:
        found = column_names(piece, wanted=group_by)
        user = resolve_columns(piece.name, found, config.columns, ["user_id"])["user_id"]
        _check_columns(piece, found, user, group_by)
        part = open_part(connection, [piece], [user, *group_by], [user])
        parts.append((part, user))
    # Files of one table mean the same users, as in a log: 7 of the one is "7" of the other.
    either = len({_kind_of_ids(part, user) for part, user in parts}) > 1
    selects = [
        _part_sql(part, number, user, group_by, either=either) for number, (part, user) in enumerate(parts)
    ]
    n_bytes = sum(piece.n_bytes for piece in pieces)
    run(connection, f"CREATE TABLE {STAGED} AS {' UNION ALL '.join(selects)}", _STAGE, n_bytes, progress)
    return _report(connection, tuple(piece.name for piece in pieces), csv_rejects(connection))


def _check_columns(piece: Piece, found: Sequence[str], user: str, group_by: Sequence[str]) -> None:
    others = [name for name in found if name != user]
    missing = [name for name in group_by if name not in others]
    if missing:
        raise UsageError(
            f"{piece.name}: expected a column {', '.join(missing)} to group users by (--group-by, from "
            f"Python: group_by=); besides {user} there is {', '.join(others) or 'none'}"
        )
    # The table engine takes names that differ in case for one; of CSV it needs those of all columns.
    read = {name.lower() for name in (found if piece.format == "csv" else [user, *group_by])}
    n_alike = Counter(name.lower() for name in found)
    twins = [name for name in found if name.lower() in read and n_alike[name.lower()] > 1]
    if twins:
        raise SchemaError(
            f"{piece.name}: expected names of columns that differ in more than upper and lower case, found "
            f"{', '.join(twins)}; rename all but one"
        )


def _kind_of_ids(part: Part, user: str) -> str:
    sql_type = part.types[user]
    if sql_type in (TEXT, JSON_VALUE):
        return sql_type
    is_text = id_column(part.pieces[0].name, "user_id", user, sql_type).is_integer == "false"
    return "string" if is_text else "integer"


def _part_sql(part: Part, number: int, user: str, group_by: Sequence[str], *, either: bool) -> str:
    """Return SQL for the rows of a part; ``either``: its ids are integers and texts wherever they can be."""
    table, sql_type = part.pieces[0].name, part.types[user]
    ids = id_column(table, "user_id", user, sql_type)
    is_integer = f"coalesce({ids.is_integer}, false)"
    # In CSV 7 may be either; in JSONL too where the log's own ids are texts, as 7 among "abc" is read there.
    is_text = "true" if either or sql_type in (TEXT, JSON_VALUE) else f"NOT {is_integer}"
    unreadable = UNREADABLE if part.format == "jsonl" else "false"
    columns = [
        f"{number} AS part, row_number() OVER () AS row",
        f"CASE WHEN {unreadable} THEN 'unreadable_row' "
        f"WHEN coalesce({ids.text}, '') = '' THEN 'empty_user_id' END AS reason",
        f"CASE WHEN {'true' if either else is_integer} THEN {ids.integer} END AS integer_id",
        f"CASE WHEN {is_text} THEN {ids.text} END AS text_id",
    ]
    for i, name in enumerate(group_by):
        text, value = _value_sql(table, name, part.types[name])
        columns.append(f"nullif({text}, '{UNKNOWN}') AS text_{i}, {value} AS number_{i}")
    return f"SELECT {', '.join(columns)} FROM {part.relation}"


def _value_sql(table: str, column: str, sql_type: str) -> tuple[str, str]:
    """Return SQL for a value as text, NULL where there is none, and as a number, NULL where it is none."""
    c = quoted(column)
    if sql_type in (TEXT, "VARCHAR", "UUID") or sql_type.startswith("ENUM("):
        text = _known_sql(f"{c}::VARCHAR")
        if sql_type != TEXT:
            return text, "NULL::DOUBLE"
        value = f"TRY_CAST({text} AS DOUBLE)"
        number = f"(CASE WHEN regexp_full_match({text}, '{_NUMBER}') AND isfinite({value}) THEN {value} END)"
        return _name_sql(number, text, f"{number}::VARCHAR"), number
    if sql_type == "BOOLEAN":
        return f"{c}::VARCHAR", "NULL::DOUBLE"
    if is_number(sql_type) or sql_type in _WIDE:
        number = f"(CASE WHEN isfinite({c}::DOUBLE) THEN {c}::DOUBLE END)"
        broken = f"{c}::VARCHAR" if sql_type == "FLOAT" else f"{number}::VARCHAR"
        return f"CASE WHEN {number} IS NOT NULL THEN {_name_sql(number, f'{c}::VARCHAR', broken)} END", number
    raise SchemaError(
        f"{table}: expected texts, booleans or numbers to group users by in column {column}, found "
        f"{sql_type}. Convert the column: to text for named groups, to a number for thirds."
    )


def _known_sql(text: str) -> str:
    """Return SQL for a text without white space around it; NULL where it says that nothing is known."""
    bare = f"regexp_replace({text}, '^{_SPACES}|{_SPACES}$', '', 'g')"
    return f"(CASE WHEN lower({bare}) NOT IN ({', '.join(map(literal, _MISSING))}) THEN {bare} END)"


def _name_sql(number: str, text: str, broken: str) -> str:
    """Return SQL for a text in which 31.0 reads 31 (a missing value makes floats of whole numbers).

    ``broken`` is SQL for one that is not whole: 2.50 reads 2.5. Numbers too large for float64 stay as they
    are.
    """
    is_whole = f"{number} = trunc({number}) AND abs({number}) < {_EXACT}"
    return (
        f"CASE WHEN {is_whole} THEN {number}::BIGINT::VARCHAR WHEN {number} <> trunc({number}) "
        f"THEN {broken} ELSE {text} END"
    )


def _report(connection: Connection, sources: tuple[str, ...], rejects: Rejects) -> ImportReport:
    """Count rows that cannot be used; show the first of each reason."""
    bad, n_rows = BadRowCounter(), sum(map(len, rejects.values()))
    bad.count("unreadable_row", n_rows)
    for name, lines in rejects.items():
        for row, found in lines[:N_EXAMPLES]:
            bad.show(name, row, "unreadable_row", found)
    counts = connection.execute(f"SELECT reason, count(*) FROM {STAGED} GROUP BY reason").fetchall()
    for reason, n in counts:
        n_rows += n
        if reason is not None:
            bad.count(reason, n)
    first = connection.execute(
        f"SELECT part, row, reason FROM {STAGED} WHERE reason IS NOT NULL QUALIFY row_number() OVER "
        f"(PARTITION BY reason ORDER BY part, row) <= {N_EXAMPLES} ORDER BY part, row"
    ).fetchall()
    for part, row, reason in first:
        bad.show(sources[part], true_row(row, rejects.get(sources[part], [])), reason, None)
    return bad.report("users", sources, n_rows)

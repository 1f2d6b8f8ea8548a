"""What is kept of an item besides its id and embedding, and in which types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from pinnersage._tables.columns import ITEM_COLUMNS, ITEM_TEXTS, quoted
from pinnersage._tables.engine import Connection
from pinnersage._tables.parts import TEXT
from pinnersage._tables.times import TimeUnit, time_ms_sql

_RESERVED = ("item_id", "embedding", "created_at_ms")
CHECKED = {"created_at": "created_at_ms", "quality": "quality", "available": "available"}
"""Attributes that must be of a kind -> their column in the table of items."""


@dataclass(frozen=True, slots=True)
class AttributePlan:
    """Attributes over all pieces of a table.

    Attributes
    ----------
    types
        Name of the attribute -> Arrow type in which it is staged.
    untyped
        Those that came as text from a format without types.
    """

    types: dict[str, pa.DataType]
    untyped: frozenset[str]

    def schema(self) -> pa.Schema:
        """Return the staged columns."""
        return pa.schema(list(self.types.items()))


def attribute_columns(columns: dict[str, str], found: Sequence[str]) -> dict[str, str]:
    """Return attribute -> column: those of the contract that are there, and all others by their name."""
    named = {name: column for name, column in columns.items() if name not in ("item_id", "embedding")}
    taken = set(columns.values())
    others = {
        name: name
        for name in found
        if name not in taken
        and name not in ITEM_COLUMNS
        and name not in _RESERVED
        and not name.startswith("__")
    }
    return named | others


def plan_attributes(pieces: Sequence[tuple[dict[str, str], pa.Schema, bool]]) -> AttributePlan:
    """Return one type per attribute: the pieces' common type, or text where they differ.

    Parameters
    ----------
    pieces
        Of each its attribute -> column, its Arrow types, and whether its format has none.
    """
    seen: dict[str, list[pa.DataType]] = {}
    untyped = set()
    for attributes, schema, is_text in pieces:
        for name, column in attributes.items():
            kind = _scalar(schema.field(column).type)
            if kind is not None:
                seen.setdefault(name, []).append(kind)
            if is_text:
                untyped.add(name)
    types = {
        name: kinds[0] if all(kind == kinds[0] for kind in kinds) else pa.large_string()
        for name, kinds in seen.items()
    }
    return AttributePlan(types, frozenset(untyped & set(types)))


def _scalar(kind: pa.DataType) -> pa.DataType | None:
    """Return the type to stage a scalar in; None for nested and binary columns, which are not kept."""
    if pa.types.is_dictionary(kind):
        return _scalar(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind):
        return pa.float64()
    plain = pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return kind if plain or pa.types.is_timestamp(kind) or pa.types.is_date(kind) else None


def attribute_sql(
    connection: Connection, table: str, plan: AttributePlan, unit: TimeUnit | None
) -> list[str]:
    """Return SELECT expressions for the final attributes over the staged ones.

    Raises
    ------
    SchemaError
        ``created_at`` holds numbers and no unit is declared.
    """
    staged = _staged_types(connection, plan)
    checked = _checked_sql(table, staged, plan, unit)
    return [
        f"{checked[name]} AS {CHECKED[name]}" if name in checked else _plain_sql(connection, name, plan)
        for name in staged
    ]


def fault_sql(
    connection: Connection, table: str, plan: AttributePlan, unit: TimeUnit | None
) -> dict[str, tuple[str, str]]:
    """Return reason -> SQL of the text given, and of whether it is there and cannot be read.

    Raises
    ------
    SchemaError
        As :func:`attribute_sql`.
    """
    staged = _staged_types(connection, plan)
    faults = {}
    for name, value in _checked_sql(table, staged, plan, unit).items():
        text = f"{quoted(name)}::VARCHAR"
        missing = f"coalesce({text} = '' OR {_is_nan(name, staged[name])}, true)"
        faults[f"{name}_unparsable"] = (text, f"NOT {missing} AND ({value}) IS NULL")
    return faults


def _staged_types(connection: Connection, plan: AttributePlan) -> dict[str, str]:
    described = connection.execute("DESCRIBE SELECT * FROM staged").fetchall()
    return {row[0]: row[1] for row in described if row[0] in plan.types}


def _checked_sql(
    table: str, staged: dict[str, str], plan: AttributePlan, unit: TimeUnit | None
) -> dict[str, str]:
    """Return, of the attributes that must be of a kind, SQL that is NULL where they are not."""
    found = {}
    for name in [name for name in CHECKED if name in staged]:
        c, kind = quoted(name), staged[name]
        if name == "created_at":
            found[name] = time_ms_sql(table, name, TEXT if name in plan.untyped else kind, unit)
        elif name == "quality":
            found[name] = f"TRY_CAST({c} AS DOUBLE)"
        else:  # Truth values that had a gap are floating point in many tables: 1.0 and 0.0.
            number = f"TRY_CAST({c}::VARCHAR AS DOUBLE)"
            whole = f"CASE {number} WHEN 1 THEN true WHEN 0 THEN false END"
            found[name] = f"coalesce(TRY_CAST({c}::VARCHAR AS BOOLEAN), {whole})"
    return found


def _is_nan(name: str, sql_type: str) -> str:
    return f"isnan({quoted(name)})" if sql_type in ("FLOAT", "DOUBLE") else "false"


def _plain_sql(connection: Connection, name: str, plan: AttributePlan) -> str:
    c = quoted(name)
    if name in ITEM_TEXTS:
        return f"nullif({c}::VARCHAR, '') AS {c}"
    return f"{_inferred_sql(connection, c)} AS {c}" if name in plan.untyped else c


def _inferred_sql(connection: Connection, c: str) -> str:
    """Return a cast to the narrowest of integer, number and truth value that loses nothing."""
    given = f"FROM staged WHERE {c} <> ''"
    whole, real, truth = connection.execute(
        f"SELECT bool_and(coalesce(TRY_CAST({c} AS BIGINT)::VARCHAR = {c}, false)), "
        f"bool_and(regexp_full_match({c}, '-?(0|[1-9][0-9]*)?([.][0-9]*)?([eE][-+]?[0-9]+)?') "
        f"AND TRY_CAST({c} AS DOUBLE) IS NOT NULL), "
        f"bool_and({c} IN ('true', 'false', 'True', 'False')) {given}"
    ).fetchall()[0]
    kind = "BIGINT" if whole else "BOOLEAN" if truth else "DOUBLE" if real else "VARCHAR"
    return f"nullif({c}, '')::{kind}"

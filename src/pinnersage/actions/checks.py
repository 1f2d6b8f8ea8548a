"""SQL that turns the user's columns into checked actions: values, and a reason where a row is bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pinnersage._tables.columns import quoted
from pinnersage._tables.engine import Connection
from pinnersage._tables.idcolumns import IdColumn, IdKind, id_column
from pinnersage._tables.parts import TEXT, UNREADABLE, Part
from pinnersage._tables.times import TimeUnit, time_ms_sql
from pinnersage.actions.event_keys import event_key_sql
from pinnersage.errors import SchemaError

REASONS = (
    "good",
    "unreadable_row",
    "empty_user_id",
    "empty_item_id",
    "unknown_item",
    "time_missing",
    "time_unparsable",
    "time_before_1970",
    "time_in_future",
    "weight_unparsable",
    "weight_not_finite",
    "weight_negative",
    "retract_unparsable",
)
"""Position = code; of several faults of a row the first counts."""

VOCABULARY = "item_vocabulary"
"""Relation ``(vocabulary_id, item_row)`` that must be registered with the engine."""

_FLOAT32_MAX = 3.4028234663852886e38
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checks need to know besides the columns.

    Attributes
    ----------
    item_kind
        Kind of the item vocabulary.
    time_unit
        Declared unit of numeric times.
    last_ms
        Later times are in the future.
    """

    item_kind: IdKind
    time_unit: TimeUnit | None
    last_ms: int


def checked_sql(
    parts: Sequence[tuple[Part, dict[str, str]]], checks: Checks, *, numbered: bool = False
) -> str:
    """Return a SELECT of checked actions over all parts.

    Parameters
    ----------
    parts
        With each part its contract name -> column.
    checks
        Kinds, units and limits.
    numbered
        Add ``row`` (from 1) and the texts ``item_text``, ``time_text``, ``weight_text``, ``retract_text``.

    Returns
    -------
    str
        Columns ``user_id`` (BIGINT when every part has integers, else VARCHAR), ``user_is_integer``,
        ``item_row`` INTEGER, ``time_ms`` BIGINT, ``kind`` VARCHAR, ``weight`` FLOAT, ``event_key``
        UBIGINT, ``retract`` BOOLEAN (never NULL), ``retracted_item`` VARCHAR (the item's id as text where
        ``retract`` holds), ``reason`` UTINYINT.
    """
    integers = users_are_integers(parts)
    raw = " UNION ALL ".join(_raw_sql(part, columns, checks, integers, numbered) for part, columns in parts)
    extra = ", row, item_text, time_text, weight_text, retract_text" if numbered else ""
    return (
        "SELECT user_id, user_is_integer, item_row, time_ms, kind, "
        "TRY_CAST(weight AS FLOAT) AS weight, event_key, retract, retracted_item, "
        f"{_reason_sql(checks, integers)} AS reason{extra} "
        f"FROM ({raw}) LEFT JOIN {VOCABULARY} ON item_key = vocabulary_id"
    )


def users_are_integers(parts: Sequence[tuple[Part, dict[str, str]]]) -> bool:
    """Return whether the type of every part's user column is an integer that fits in 64 bits."""
    return all(_user(part, columns).is_integer == "true" for part, columns in parts)


def unknown_item_ids(
    connection: Connection, parts: Sequence[tuple[Part, dict[str, str]]], kind: IdKind
) -> list[Any]:
    """Return the ids of items acted on that the vocabulary lacks, ascending."""
    keys = []
    for part, columns in parts:
        name = columns["item_id"]
        item = id_column(part.pieces[0].name, "item_id", name, part.types[name])
        keys.append(f"SELECT {item.integer if kind == 'integer' else item.text} AS key FROM {part.relation}")
    empty = "" if kind == "integer" else "AND key <> ''"
    rows = connection.sql(
        f"SELECT DISTINCT key FROM ({' UNION ALL '.join(keys)}) "
        f"ANTI JOIN {VOCABULARY} ON key = vocabulary_id WHERE key IS NOT NULL {empty} ORDER BY key"
    ).fetchall()
    return [row[0] for row in rows]


def _user(part: Part, columns: dict[str, str]) -> IdColumn:
    name = columns["user_id"]
    return id_column(part.pieces[0].name, "user_id", name, part.types[name])


def _raw_sql(part: Part, columns: dict[str, str], checks: Checks, integers: bool, numbered: bool) -> str:
    table = part.pieces[0].name
    user = _user(part, columns)
    item = id_column(table, "item_id", columns["item_id"], part.types[columns["item_id"]])
    time = columns["timestamp"]
    values = {
        "user_id": user.integer if integers else user.text,
        "user_is_integer": user.is_integer,
        "item_key": item.integer if checks.item_kind == "integer" else item.text,
        "item_empty": f"coalesce({item.text} = '', true)",
        "time_ms": time_ms_sql(table, time, part.types[time], checks.time_unit),
        "time_missing": _missing_sql(part, time),
        "kind": _kind_sql(columns),
        **_weight_sql(part, columns),
        "event_key": _event_sql(part, columns),
        **_retract_sql(part, columns, item.text),
        "unreadable": UNREADABLE if part.format == "jsonl" else "false",
    }
    if numbered:
        weight = quoted(columns["weight"]) + "::VARCHAR" if "weight" in columns else "NULL::VARCHAR"
        values |= {"row": "row", "item_text": item.text, "time_text": f"{quoted(time)}::VARCHAR"}
        values["weight_text"] = weight
        given = quoted(columns["retract"]) + "::VARCHAR" if "retract" in columns else "NULL::VARCHAR"
        values["retract_text"] = given
    relation = f"(SELECT *, row_number() OVER () AS row FROM {part.relation})" if numbered else part.relation
    return "SELECT " + ", ".join(f"{sql} AS {name}" for name, sql in values.items()) + f" FROM {relation}"


def _missing_sql(part: Part, column: str) -> str:
    c = quoted(column)
    return f"coalesce({c} = '', true)" if part.types[column] in (TEXT, "VARCHAR") else f"{c} IS NULL"


def _kind_sql(columns: dict[str, str]) -> str:
    return f"coalesce({quoted(columns['action'])}::VARCHAR, '')" if "action" in columns else "''"


def _weight_sql(part: Part, columns: dict[str, str]) -> dict[str, str]:
    if "weight" not in columns:
        return {"weight": "1.0::DOUBLE", "weight_unparsable": "false"}
    c, sql_type = quoted(columns["weight"]), part.types[columns["weight"]]
    if sql_type in (TEXT, "VARCHAR"):
        given = f"({c} IS NOT NULL AND {c} <> '')"
        value = f"CASE WHEN {given} THEN TRY_CAST({c} AS DOUBLE) ELSE 1.0 END"
        return {"weight": value, "weight_unparsable": f"{given} AND TRY_CAST({c} AS DOUBLE) IS NULL"}
    if sql_type in (*_NUMBERS, "FLOAT", "DOUBLE", "HUGEINT") or sql_type.startswith("DECIMAL("):
        return {"weight": f"coalesce({c}::DOUBLE, 1.0)", "weight_unparsable": "false"}
    raise SchemaError(
        f"{part.pieces[0].name}: expected numbers in weight (column {columns['weight']}), found {sql_type}"
    )


def _event_sql(part: Part, columns: dict[str, str]) -> str:
    if "event_id" not in columns:
        return "0::UBIGINT"
    name = columns["event_id"]
    return event_key_sql(id_column(part.pieces[0].name, "event_id", name, part.types[name]).text)


def _retract_sql(part: Part, columns: dict[str, str], item_text: str) -> dict[str, str]:
    if "retract" not in columns:
        return {"retract": "false", "retracted_item": "NULL::VARCHAR", "retract_unparsable": "false"}
    c, sql_type = quoted(columns["retract"]), part.types[columns["retract"]]
    if sql_type not in (TEXT, "VARCHAR", "BOOLEAN", *_NUMBERS):
        raise SchemaError(
            f"{part.pieces[0].name}: expected true or false in retract (column {columns['retract']}), "
            f"found {sql_type}"
        )
    text = f"{c}::VARCHAR"
    # Of numbers 0 and 1 alone are truth values; as text both are among those that the engine knows.
    retract = f"coalesce(TRY_CAST({text} AS BOOLEAN), false)"
    return {
        "retract": retract,
        "retracted_item": f"CASE WHEN {retract} THEN {item_text} END",
        "retract_unparsable": f"({c} IS NOT NULL AND {text} <> '' AND TRY_CAST({text} AS BOOLEAN) IS NULL)",
    }


def _reason_sql(checks: Checks, integers: bool) -> str:
    no_user = "user_id IS NULL" if integers else "user_id IS NULL OR user_id = ''"
    faults = {
        "unreadable_row": "unreadable",
        "empty_user_id": no_user,
        "empty_item_id": "item_empty",
        # What an event id takes back it names alone.
        "unknown_item": "item_row IS NULL AND NOT (retract AND event_key <> 0)",
        "time_missing": "time_missing",
        "time_unparsable": "time_ms IS NULL",
        "time_before_1970": "time_ms < 0",
        "time_in_future": f"time_ms > {checks.last_ms}",
        "weight_unparsable": "weight_unparsable",
        "weight_not_finite": f"NOT isfinite(weight) OR abs(weight) > {_FLOAT32_MAX!r}",
        "weight_negative": "weight < 0",
        "retract_unparsable": "retract_unparsable",
    }
    whens = " ".join(f"WHEN {sql} THEN {REASONS.index(name)}" for name, sql in faults.items())
    return f"(CASE {whens} ELSE 0 END)::UTINYINT"

"""SQL for time columns: whatever they hold, as whole milliseconds since 1970 in UTC, floored."""

from __future__ import annotations

from typing import Literal

from pinnersage._tables.columns import quoted
from pinnersage._tables.parts import JSON_VALUE, TEXT
from pinnersage.errors import SchemaError

TimeUnit = Literal["s", "ms", "us", "ns"]

_PER_S: dict[str, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_MAX_S = 9_000_000_000_000_000
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_FLOATS = ("FLOAT", "DOUBLE")
_MS_PER_YEAR = 31_556_952_000


def time_ms_sql(table: str, column: str, sql_type: str, unit: TimeUnit | None) -> str:
    """Return SQL of type BIGINT; NULL where the value is missing or no time, below 0 before 1970.

    Raises
    ------
    SchemaError
        The type cannot hold times, or holds numbers and no unit is declared.
    """
    c = quoted(column)
    if sql_type == "TIMESTAMP_NS":
        return _floored(f"epoch_ns({c})", 1_000_000)
    if sql_type.startswith("TIMESTAMP") and sql_type.endswith("WITH TIME ZONE"):
        return _floored(f"epoch_us(TRY_CAST({c} AS TIMESTAMPTZ))", 1_000)
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return _floored(f"epoch_us(TRY_CAST({c} AS TIMESTAMP))", 1_000)
    if is_number(sql_type):
        if unit is None:
            raise unit_needed(table, column)
        if sql_type in _INTEGERS:
            return _integer(f"TRY_CAST({c} AS BIGINT)", unit)
        return _float(f"{c}::DOUBLE", unit)
    if sql_type in (TEXT, JSON_VALUE, "VARCHAR"):
        return _text(c if sql_type != JSON_VALUE else f"({c}->>'$')", unit)
    raise SchemaError(
        f"{table}: expected timestamps, ISO 8601 texts or numbers in column {column}, found {sql_type}. "
        "Convert the column to a timestamp."
    )


def is_number(sql_type: str) -> bool:
    """Return whether a column of this type needs a declared unit."""
    return sql_type in _INTEGERS or sql_type in _FLOATS or sql_type.startswith("DECIMAL(")


def is_text(sql_type: str) -> bool:
    """Return whether a column of this type may hold numbers or ISO 8601 as text."""
    return sql_type in (TEXT, JSON_VALUE, "VARCHAR")


def _floored(finer: str, per_ms: int) -> str:
    # SQL division truncates toward zero; before 1970 it is enough to stay below zero.
    # (Not as CASE: outside of it the engine reckons a repeated expression once.)
    return f"({finer} // {per_ms} - ({finer} < 0)::BIGINT)"


def _integer(value: str, unit: TimeUnit) -> str:
    if unit == "s":
        return f"CASE WHEN {value} BETWEEN -{_MAX_S} AND {_MAX_S} THEN {value} * 1000 END"
    return _floored(value, _PER_S[unit] // 1_000)


def _float(value: str, unit: TimeUnit) -> str:
    # Seconds as doubles carry about 0.2 us: rounding to whole us first undoes the binary fraction.
    if unit == "ns":
        return f"TRY_CAST(floor({value} / 1e6) AS BIGINT)"
    us = 1_000_000 // _PER_S[unit]
    return f"TRY_CAST(floor(round({value} * {us}) / 1000) AS BIGINT)"


def _text(text: str, unit: TimeUnit | None) -> str:
    iso = _floored(f"epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))", 1_000)
    if unit is None:
        return iso
    whole, real = f"TRY_CAST({text} AS BIGINT)", f"TRY_CAST({text} AS DOUBLE)"
    return (
        f"CASE WHEN contains({text}, '.') AND {real} IS NOT NULL THEN {_float(real, unit)} "
        f"WHEN {whole} IS NOT NULL THEN {_integer(whole, unit)} ELSE {iso} END"
    )


def unit_needed(table: str, column: str) -> SchemaError:
    """Return the error for numbers without a declared unit."""
    return SchemaError(
        f"{table}: column {column} holds numbers and their unit is not known; "
        "pass --time-unit s|ms|us|ns (time_unit in Python)"
    )


def check_unit(
    table: str, column: str, values: list[float], unit: TimeUnit | None, wall_clock_ms: int
) -> None:
    """Refuse numbers without a unit, and a unit that puts nearly all of them out of reach.

    Parameters
    ----------
    table, column
        For the message.
    values
        A sample of the column.
    unit
        The declared unit.
    wall_clock_ms
        Times more than 100 years after this are out of reach, and those before 1971.

    Raises
    ------
    SchemaError
        Suggests the unit under which the times make sense.
    """
    if not values:
        return
    if unit is None:
        raise unit_needed(table, column)
    shares = {name: _share_in_reach(values, per_s, wall_clock_ms) for name, per_s in _PER_S.items()}
    best = max(shares, key=lambda name: shares[name])
    if shares[unit] <= 0.05 and shares[best] > 0.5:
        raise SchemaError(
            f"{table}: with unit {unit!r} nearly all times of column {column} are before 1971 or more "
            f"than 100 years ahead (first value {values[0]:.0f}); these look like {best!r}: "
            f"pass --time-unit {best}"
        )


def _share_in_reach(values: list[float], per_s: int, wall_clock_ms: int) -> float:
    last_ms = wall_clock_ms + 100 * _MS_PER_YEAR
    return sum(_MS_PER_YEAR <= value * 1_000 / per_s <= last_ms for value in values) / len(values)

"""SQL for id columns: one canonical text or integer, and whether every value is an integer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pinnersage._tables.columns import quoted
from pinnersage._tables.parts import JSON_VALUE, TEXT
from pinnersage.errors import SchemaError

IdKind = Literal["string", "integer"]

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_WIDE_INTEGERS = ("UBIGINT", "HUGEINT", "UHUGEINT")


@dataclass(frozen=True, slots=True)
class IdColumn:
    """How to read one id column.

    Attributes
    ----------
    text
        SQL of type VARCHAR: the id as text, integers in canonical decimal form.
    integer
        SQL of type BIGINT: the id as an integer; NULL where it is none.
    is_integer
        SQL of type BOOLEAN; the column's kind is integer when it holds for every usable row.
    """

    text: str
    integer: str
    is_integer: str


def id_column(table: str, contract_name: str, column: str, sql_type: str) -> IdColumn:
    """Return the expressions for a column of this type.

    Raises
    ------
    SchemaError
        The type cannot hold ids.
    """
    c = quoted(column)
    canonical = f"(TRY_CAST({c} AS BIGINT)::VARCHAR = {c})"
    if sql_type in _INTEGERS:
        return IdColumn(f"{c}::VARCHAR", f"{c}::BIGINT", "true")
    if sql_type in _WIDE_INTEGERS or (sql_type.startswith("DECIMAL(") and sql_type.endswith(",0)")):
        return IdColumn(
            f"{c}::HUGEINT::VARCHAR",
            f"TRY_CAST({c} AS BIGINT)",
            f"CASE WHEN {c} IS NOT NULL THEN {_fits(c)} END",
        )
    if sql_type == TEXT:
        return IdColumn(c, f"CASE WHEN {canonical} THEN TRY_CAST({c} AS BIGINT) END", _surely(c, canonical))
    if sql_type == JSON_VALUE:
        text = f"({c}->>'$')"
        whole = f"CASE WHEN TRY_CAST({text} AS BIGINT)::VARCHAR = {text} THEN TRY_CAST({text} AS BIGINT) END"
        is_integer = f"(json_type({c}) IN ('BIGINT', 'UBIGINT') AND {_fits(text)})"
        return IdColumn(text, whole, _surely(text, is_integer))
    if sql_type in ("VARCHAR", "UUID") or sql_type.startswith("ENUM("):
        text = f"{c}::VARCHAR"
        whole = f"CASE WHEN TRY_CAST({text} AS BIGINT)::VARCHAR = {text} THEN TRY_CAST({text} AS BIGINT) END"
        return IdColumn(text, whole, "false")
    raise SchemaError(
        f"{table}: expected strings or integers in {contract_name} (column {column}), found {sql_type}. "
        "Convert the column; integers that became floating point because of missing values too."
    )


def _surely(c: str, condition: str) -> str:
    """Return SQL that is false, not NULL, where a value is there and does not fulfil the condition."""
    return f"CASE WHEN {c} <> '' THEN coalesce({condition}, false) END"


def _fits(c: str) -> str:
    return f"(TRY_CAST({c} AS BIGINT) IS NOT NULL)"

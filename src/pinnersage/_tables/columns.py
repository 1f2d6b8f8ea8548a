"""Which column of the user's table plays which part of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pinnersage.errors import SchemaError, UsageError

ACTION_COLUMNS = ("user_id", "item_id", "timestamp", "action", "weight", "event_id", "retract")
ITEM_TEXTS = ("title", "url", "image_url", "category", "provider")
ITEM_COLUMNS = ("item_id", "embedding", *ITEM_TEXTS, "quality", "created_at", "available")
TableKind = Literal["items", "actions"]
ALIASES = {"timestamp": "datetime"}
"""Contract name -> the name that RecTools has for it, taken where neither the mapping nor it is there."""

_KNOWN = frozenset(ACTION_COLUMNS + ITEM_COLUMNS)
_OF_TABLE = {"items": frozenset(ITEM_COLUMNS), "actions": frozenset(ACTION_COLUMNS)}


def resolve_columns(
    table: str,
    found: Sequence[str],
    mapping: Mapping[str, str],
    required: Iterable[str],
    optional: Iterable[str] = (),
) -> dict[str, str]:
    """Return contract name -> column of the table, for those columns that are there.

    One mapping serves the table of items and that of actions (:func:`mapping_of` for what differs): where
    the mapped column is missing, the contract's own name is taken, then its alias.

    Raises
    ------
    SchemaError
        A required column is missing, or a column stands twice.
    """
    doubled = sorted({name for name in found if found.count(name) > 1})
    if doubled:
        raise SchemaError(f"{table}: expected each column once, found twice: {', '.join(doubled)}")
    columns = {}
    for name in (*required, *optional):
        names = (mapping.get(name, name), name, ALIASES.get(name, name))
        choices = [column for column in names if column in found]
        if choices:
            columns[name] = choices[0]
    missing = [name for name in required if name not in columns]
    if missing:
        raise SchemaError(_missing_message(table, missing, found, mapping))
    return columns


def mapping_of(table: TableKind, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return what a mapping says of the tables of one kind: ``items.item_id`` is of items alone.

    Raises
    ------
    UsageError
        It names something that is not in the contract.

    Examples
    --------
    >>> mapping_of("items", {"item_id": "sku", "items.item_id": "asin", "actions.item_id": "bought"})
    {'item_id': 'asin'}
    """
    check_mapping(mapping)
    plain = {name: column for name, column in mapping.items() if "." not in name}
    start = f"{table}."
    return plain | {n.removeprefix(start): column for n, column in mapping.items() if n.startswith(start)}


def tables_of(name: str) -> tuple[str, str]:
    """Return the kind of table that a name of a mapping is limited to, "" for none, and the plain name."""
    table, dot, plain = name.partition(".")
    return (table, plain) if dot else ("", name)


def _is_known(name: str) -> bool:
    table, plain = tables_of(name)
    return plain in (_OF_TABLE.get(table, ()) if table else _KNOWN)


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Refuse a mapping of a name that is not in the contract."""
    unknown = sorted(name for name in mapping if not _is_known(name))
    if unknown:
        raise UsageError(
            f"cannot map {', '.join(unknown)}: expected one of {', '.join(sorted(_KNOWN))} "
            "on the left, as in --map item_id=asin (from Python: columns={'item_id': 'asin'}); where tables "
            "differ, items.item_id and actions.item_id"
        )


def _missing_message(
    table: str, missing: Sequence[str], found: Sequence[str], mapping: Mapping[str, str]
) -> str:
    wanted = ", ".join(f"{name} (mapped to {mapping[name]})" if name in mapping else name for name in missing)
    shown = ", ".join(found) or "no columns"
    return (
        f"{table}: expected a column {wanted}; found {shown}. "
        f"If it has another name, map it: --map {missing[0]}=<name in the table> "
        f"(from Python: columns={{'{missing[0]}': '<name in the table>'}})"
    )


def quoted(column: str) -> str:
    """Return a column name as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"

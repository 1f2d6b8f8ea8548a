"""Which items have an attribute of one of some values."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pinnersage._arrays import Bools
from pinnersage._ids import exact_integer
from pinnersage.errors import UsageError

Value = str | int | bool
Where = Mapping[str, Value | Sequence[Value]]
"""Attribute -> the value, or one of the values, that items must have."""
Values = frozenset[str]
"""As text: whole numbers in digits, ``true`` and ``false``."""

N_HELD = 32
_NOT_ASKED = frozenset({"created_at_ms", "created_at", "available", "embedding_version"})
"""A moment is no kind of item; the others are the same of all that may come."""


class AttributeMatches:
    """Masks of the rows that have a value, held for the next who asks; safe to use from several threads.

    Parameters
    ----------
    base
        Attributes of the build's items, row by row.
    n_rows
        Rows of the embedding matrix, spare ones among them.
    """

    def __init__(self, base: pa.Table, n_rows: int) -> None:
        self._base, self._n_rows = base, n_rows
        self._changes: list[tuple[int, Mapping[str, Any]]] = []
        self._new_names: set[str] = set()
        self._held: OrderedDict[tuple[str, Values], tuple[Bools, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, row: int, attributes: Mapping[str, Any]) -> None:
        """Take over what a row's attributes are from now on."""
        with self._lock:
            self._changes.append((row, attributes))
            self._new_names.update(attributes)

    def of(self, name: str, values: Values) -> Bools:
        """Return which rows have one of some values: bool ``(n_rows,)``, not to be changed.

        Raises
        ------
        UsageError
            No item has such an attribute, or its values are neither text nor whole numbers nor yes and no.
        """
        with self._lock:
            n_changes = len(self._changes)
            mask, n_known = self._held.get((name, values), (None, 0))
        if mask is None:
            self._check(name)
            mask = self._of_base(name, values)
        if n_known < n_changes:
            mask = mask.copy()
            for row, attributes in self._changes[n_known:n_changes]:
                mask[row] = as_text(attributes.get(name)) in values
        with self._lock:
            self._held[name, values] = mask, n_changes
            self._held.move_to_end((name, values))
            while len(self._held) > N_HELD:
                self._held.popitem(last=False)
        return mask

    def _check(self, name: str) -> None:
        columns = {field.name: field.type for field in self._base.schema if field.name not in _NOT_ASKED}
        new = self._new_names - columns.keys() - _NOT_ASKED
        fit = sorted({n for n, kind in columns.items() if _is_fit(kind)} | new)
        if name in fit:
            return
        known = f"one of {', '.join(fit)}" if fit else "no attribute, for the items have none that can be"
        wrong = f", whose values are of the type {columns[name]}" if name in columns else ""
        raise UsageError(f"where: expected {known}, got {name!r:.100}{wrong}")

    def _of_base(self, name: str, values: Values) -> Bools:
        mask = np.zeros(self._n_rows, np.bool_)
        if name in self._base.column_names:
            column = self._base.column(name)
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            wanted = pa.array(_in_type(column.type, values), column.type)
            mask[: len(column)] = pc.is_in(column, value_set=wanted).to_numpy()
        return mask


def where_of(told: Iterable[str], sign: str) -> dict[str, list[str]]:
    """Return what items must be like, from attribute, sign and value as often as it is told.

    Raises
    ------
    UsageError
        One has no attribute, or no sign.

    Examples
    --------
    >>> where_of(["category=pots", "category=pans", "provider=a=b"], "=")
    {'category': ['pots', 'pans'], 'provider': ['a=b']}
    """
    found: dict[str, list[str]] = {}
    for one in told:
        name, found_sign, value = one.partition(sign)
        if not (name and found_sign):
            raise UsageError(f"where: expected attribute{sign}value, got {one!r:.100}")
        found.setdefault(name, []).append(value)
    return found


def as_text(value: Any) -> str | None:
    """Return a value of an attribute as it is asked for; None for one that cannot be.

    Examples
    --------
    >>> [as_text(value) for value in ("Shoes", 7, True, 0.5, None)]
    ['Shoes', '7', 'true', None, None]
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | np.integer) else None


def _is_fit(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(is_text or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _in_type(kind: pa.DataType, values: Values) -> list[Any]:
    """Return those of the values that a column of some type may hold."""
    if pa.types.is_boolean(kind):
        return [value == "true" for value in values & {"true", "false"}]
    if not pa.types.is_integer(kind):
        return sorted(values)
    numbers = [n for n in map(exact_integer, values) if n is not None and str(n) in values]
    found = []
    for n in numbers:
        try:
            found.append(pa.scalar(n, kind).as_py())
        except (pa.ArrowInvalid, OverflowError):  # No column of this type holds it.
            continue
    return found

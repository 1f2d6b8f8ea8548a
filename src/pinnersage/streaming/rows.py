"""Journal entries as the columns of records hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnersage._arrays import Bools
from pinnersage._ids import UserId
from pinnersage.actions.batch import ActionBatch
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import LiveItems
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.kinds import NO_KIND, Codes, codes_of

RowColumns = tuple[int, int, int, float]
BatchOrder = tuple[int, Any, bytes, float, int]


@dataclass(frozen=True, slots=True)
class Row:
    """An event as the columns of a record hold it; ``item_row`` is UNKNOWN for an item that is not there."""

    item_row: int
    kind: int
    entry: ActionEntry

    @property
    def columns(self) -> RowColumns:
        """What tells it from others that have no event id."""
        return self.item_row, self.kind, self.entry.time_ms, self.entry.weight

    @property
    def action(self) -> int | RowColumns:
        """Equal for two events of a user about the same action."""
        return self.entry.event_key or self.columns


def as_rows(entries: Sequence[ActionEntry], items: LiveItems, code: Codes) -> list[Row]:
    """Return entries as the columns of records hold them."""
    rows = items.vocabulary.rows_of([entry.item_id for entry in entries]).tolist() if entries else []
    return [Row(row, code[e.kind], e) for row, e in zip(rows, entries, strict=True)]


def joinable(rows: Sequence[Row]) -> list[Row]:
    """Return those of the rows that a record can hold: actions on items that are there."""
    return [row for row in rows if row.item_row != UNKNOWN and row.kind != NO_KIND and not row.entry.retract]


def counted(
    entries: Sequence[ActionEntry],
    retractions: Sequence[ActionEntry],
    items: LiveItems,
    kinds: Sequence[str],
) -> list[Row]:
    """Return the entries that count: on items that are there, and not taken back."""
    code = codes_of(kinds)
    taken_back = {row.action for row in as_rows(retractions, items, code)}
    return [row for row in joinable(as_rows(entries, items, code)) if row.action not in taken_back]


def order_of(row: Row, items: LiveItems, kinds: Sequence[str]) -> BatchOrder:
    """Return what a batch sorts an action by: items by id, kinds by name."""
    entry = row.entry
    item = _sortable(row.item_row, items)
    return entry.time_ms, item, kinds[row.kind].encode(), entry.weight, entry.event_key


def order_of_first(record: UserRecord, items: LiveItems, kinds: Sequence[str]) -> BatchOrder:
    """Return what a batch sorts the first action of a record by."""
    kind = kinds[int(record.kinds[0])].encode()
    item = _sortable(int(record.item_rows[0]), items)
    return int(record.times_ms[0]), item, kind, float(record.weights[0]), int(record.event_keys[0])


def _sortable(item_row: int, items: LiveItems) -> Any:
    item_id = items.vocabulary.id_of(item_row)
    return item_id if items.vocabulary.kind == "integer" else str(item_id).encode()


def as_batch(users: Sequence[UserId], rows: Sequence[Sequence[Row]]) -> ActionBatch:
    """Return the rows of each user as the actions of a batch."""
    joining = [row for own in rows for row in own]
    return ActionBatch(
        list(users),  # type: ignore[arg-type]
        np.concatenate(([0], np.cumsum([len(own) for own in rows]))).astype(np.int64),
        np.array([row.item_row for row in joining], np.int32),
        np.array([row.entry.time_ms for row in joining], np.int64),
        np.array([row.entry.weight for row in joining], np.float32),
        np.array([row.kind for row in joining], np.uint8),
        np.array([row.entry.event_key for row in joining], np.uint64),
    )


def marked(record: UserRecord, row: Row, items: LiveItems) -> Bools:
    """Mark the actions of a record that an event is the same as."""
    if row.entry.event_key:
        by_key: Bools = record.event_keys == np.uint64(row.entry.event_key)
        return by_key
    found: Bools = (
        (record.times_ms == row.entry.time_ms)
        & (items.current_rows[record.item_rows] == row.item_row)
        & (record.kinds == row.kind)
        & (record.weights == np.float32(row.entry.weight))
        & (record.event_keys == 0)
    )
    return found

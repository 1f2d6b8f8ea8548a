"""The journal as a table of actions, for batch builds elsewhere, for evaluation and for other programs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from pinnersage._ids import UserId
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.journal import Journal


def journal_table(journal: Journal) -> pa.Table:
    """Return the actions of a journal in the columns of the contract; what was taken back is left out.

    Event ids are given as ``key:`` and the 64-bit key in hexadecimal: the journal keeps no others. Ids
    are texts, unless all are integers.
    """
    kept: dict[tuple[Any, ...], ActionEntry] = {}
    taken_back: set[tuple[Any, ...]] = set()
    after = 0
    while read := journal.read(after):
        after = read[-1][0]
        for _, entry in read:
            if isinstance(entry, ActionEntry):
                key = (entry.user_id, *entry.identity)
                if entry.retract:
                    taken_back.add(key)
                else:
                    kept[key] = entry
    entries = [entry for key, entry in kept.items() if key not in taken_back]
    return pa.table(
        {
            "user_id": _ids([entry.user_id for entry in entries]),
            "item_id": _ids([entry.item_id for entry in entries]),
            "timestamp": pa.array([entry.time_ms for entry in entries], pa.timestamp("ms", tz="UTC")),
            "action": pa.array([entry.kind or None for entry in entries], pa.string()),
            "weight": pa.array([entry.weight for entry in entries], pa.float32()),
            "event_id": pa.array(
                [f"key:{entry.event_key:016x}" if entry.event_key else None for entry in entries], pa.string()
            ),
        }
    )


def _ids(ids: list[UserId]) -> pa.Array:
    if all(isinstance(value, int) for value in ids):
        return pa.array(ids, pa.int64())
    return pa.array([str(value) for value in ids], pa.string())

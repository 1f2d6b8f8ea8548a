"""What is held of a user, as plain values for an export."""

from __future__ import annotations

from pinnersage._times import rfc3339
from pinnersage.interests.record import UserRecord
from pinnersage.model.answers import Answer
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.entries import ActionEntry


def exported_actions(record: UserRecord, opened: OpenedGeneration) -> list[Answer]:
    """Return the actions that count for a user, with times and kinds as people read them."""
    kinds = opened.kinds
    columns = zip(
        opened.items.vocabulary.ids_of(record.item_rows), record.times_ms.tolist(),
        record.kinds.tolist(), record.weights.tolist(), record.event_keys.tolist(), strict=True,
    )  # fmt: skip
    return [
        {
            "item_id": item_id,
            "timestamp": rfc3339(time_ms),
            "action": kinds[kind] or None,
            "weight": weight,
            "event_key": f"{key:016x}" if key else None,
        }
        for item_id, time_ms, kind, weight, key in columns
    ]


def exported_entry(sequence: int, entry: ActionEntry) -> Answer:
    """Return what the journal keeps of one action of a user."""
    return {
        "sequence": sequence,
        "item_id": entry.item_id,
        "timestamp": rfc3339(entry.time_ms),
        "action": entry.kind or None,
        "weight": entry.weight,
        "event_key": f"{entry.event_key:016x}" if entry.event_key else None,
        "retracted": entry.retract,
        "received_at": rfc3339(entry.received_ms),
    }


def exported_retraction(entry: ActionEntry, opened: OpenedGeneration) -> Answer:
    """Return what a build keeps of an action that its log takes back."""
    return {
        "item_id": opened.items.vocabulary.as_own(entry.item_id),
        "timestamp": rfc3339(entry.time_ms),
        "action": entry.kind or None,
        "weight": entry.weight,
        "event_key": f"{entry.event_key:016x}" if entry.event_key else None,
    }

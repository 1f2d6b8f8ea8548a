"""A record as it would be without some of its interests, and many of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pinnersage._arrays import Int64s
from pinnersage.interests.record import RecordBatch, UserRecord, offsets_of

_COLUMNS = (
    "item_rows", "times_ms", "weights", "kinds", "event_keys", "labels", "medoid_rows", "importances",
    "seen_rows",
)  # fmt: skip


def without_interests(record: UserRecord, left_out: Int64s) -> UserRecord:
    """Return a record as if some interests did not exist.

    Their actions leave the window with them, so nothing that looks at the history still sees them;
    their items stay known as seen, so none of them becomes a candidate. All else is as it was.

    Parameters
    ----------
    record
        The user.
    left_out
        int64 positions among the record's interests.
    """
    stays = np.ones(record.n_interests, np.bool_)
    stays[left_out] = False
    kept = np.append(stays, True)[record.labels]  # the label -1, in no interest, finds the last
    numbers = np.append(np.cumsum(stays) - 1, -1).astype(np.int32)
    rows = record.item_rows[kept]
    seen = np.setdiff1d(np.union1d(record.seen_rows, record.item_rows[~kept]), rows)
    return replace(
        record,
        item_rows=rows,
        times_ms=record.times_ms[kept],
        weights=record.weights[kept],
        kinds=record.kinds[kept],
        event_keys=record.event_keys[kept],
        labels=numbers[record.labels[kept]],
        medoid_rows=record.medoid_rows[stays],
        importances=record.importances[stays],
        seen_rows=seen.astype(np.int32),
    )


def batch_without_interest(batch: RecordBatch, position: int) -> RecordBatch:
    """Return records as if nobody had the interest at one place; see :func:`without_interests`.

    Parameters
    ----------
    batch
        Many users.
    position
        Place among the interests of each; users with fewer are as they were.
    """
    left_out = np.array([position], np.int64)
    records = [
        without_interests(record, left_out) if record.n_interests > position else record
        for record in batch.records()
    ]
    if not records:
        return batch
    columns: dict[str, Any] = {name: np.concatenate([getattr(r, name) for r in records]) for name in _COLUMNS}
    return replace(
        batch,
        action_offsets=offsets_of([r.n_actions for r in records]),
        interest_offsets=offsets_of([r.n_interests for r in records]),
        seen_offsets=offsets_of([len(r.seen_rows) for r in records]),
        **columns,
    )

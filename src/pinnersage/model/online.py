"""Mode ``recent`` on a model's files: what a build keeps, and what the journal adds to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pinnersage._ids import UserId
from pinnersage.actions.batch import ActionBatch
from pinnersage.interests.record import UserRecord
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.model.watermark import store_applied
from pinnersage.store.base import InterestStore
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.extending import live_record
from pinnersage.streaming.journal import Journal
from pinnersage.streaming.recent import united, without_window

if TYPE_CHECKING:
    from pinnersage.model.opened import OpenedGeneration

_CHUNK_USERS = 1_000


def drop_windows(store: InterestStore, decay_per_day: float, user_ids: Iterable[UserId]) -> None:
    """Leave in a store, of these users' records, what mode ``recent`` may keep."""
    for chunk in _chunks(user_ids):
        records = zip(chunk, store.get_many(chunk), strict=True)
        store.put_many(
            (user_id, without_window(record, decay_per_day))
            for user_id, record in records
            if record is not None
        )


def with_recent(
    opened: OpenedGeneration, journal: Journal, user_id: UserId, record: UserRecord | None
) -> UserRecord | None:
    """Return a user's kept record with their newest actions since the build; None where there is neither."""
    since = _since_build(opened, journal, user_id)
    entries = since[-opened.config.online.n_recent :]
    if not entries:
        return record
    config, kinds = opened.config.interests, opened.kinds
    now_ms = max(opened.now_ms, *(entry.time_ms for entry in entries))
    kept = record and live_record(record, opened.items, kinds, config, opened.now_ms)
    batch = ActionBatch(
        [user_id],  # type: ignore[arg-type]
        np.array([0, len(entries)], np.int64),
        opened.items.vocabulary.rows_of([entry.item_id for entry in entries]),
        np.array([entry.time_ms for entry in entries], np.int64),
        np.array([entry.weight for entry in entries], np.float32),
        np.array([kinds.index(e.kind) if e.kind in kinds else 0 for e in entries], np.uint8),
        np.array([entry.event_key for entry in entries], np.uint64),
    )
    found = united(kept, batch, opened.items.embeddings, config, now_ms)
    older = opened.items.vocabulary.rows_of([entry.item_id for entry in since[: -len(entries)]])
    seen = np.setdiff1d(np.union1d(found.seen_rows, older), found.item_rows).astype(np.int32)
    return replace(found, seen_rows=seen)


def _since_build(opened: OpenedGeneration, journal: Journal, user_id: UserId) -> list[ActionEntry]:
    """Return the actions of a user that the build does not know, oldest first."""
    applied = store_applied(opened.store)
    since = [entry for at, entry in journal.of_user(user_id) if at > applied]
    taken_back = {entry.identity for entry in since if entry.retract}
    rows = opened.items.vocabulary.rows_of([entry.item_id for entry in since]).tolist() if since else []
    kept = [
        entry
        for entry, row in zip(since, rows, strict=True)
        if row != UNKNOWN and not entry.retract and entry.identity not in taken_back
    ]
    return sorted(kept, key=lambda entry: entry.time_ms)


def _chunks(user_ids: Iterable[UserId]) -> Iterator[list[UserId]]:
    chunk: list[UserId] = []
    for user_id in user_ids:
        chunk.append(user_id)
        if len(chunk) == _CHUNK_USERS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

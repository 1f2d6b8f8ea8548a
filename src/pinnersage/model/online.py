"""Mode ``recent`` on a model's files: what a build keeps, and what the journal adds to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnersage._ids import UserId
from pinnersage.actions.batch import ActionBatch
from pinnersage.interests.record import UserRecord
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.model.watermark import store_applied
from pinnersage.store.base import InterestStore
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.journal import Journal
from pinnersage.streaming.log_retractions import retractions_among
from pinnersage.streaming.recent import kept_at, united, without_window

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
    opened: OpenedGeneration, journal: Journal | None, user_id: UserId, record: UserRecord | None
) -> UserRecord | None:
    """Return a user's kept record with their newest actions since the build; None where there is neither."""
    since = [] if journal is None else _since_build(opened, journal, user_id)
    entries = since[-opened.config.online.n_recent :]
    config, kinds = opened.config.interests, opened.kinds
    now_ms = max([opened.now_ms, *(entry.time_ms for entry in entries)])
    kept = record and kept_at(record, opened.items, config, now_ms)
    if not entries:
        return kept
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
    seen_before = older if kept is None else np.union1d(older, kept.seen_rows)
    seen = np.setdiff1d(np.union1d(found.seen_rows, seen_before), found.item_rows).astype(np.int32)
    return replace(found, seen_rows=seen)


def waiting_for_build(opened: OpenedGeneration, journal: Journal, entries: Sequence[ActionEntry]) -> set[int]:
    """Return which of some new entries take back what only the next build can leave out.

    That is what did not come since the build: it is part of an interest that is kept as a whole.
    """
    applied = store_applied(opened.store)
    since: dict[UserId, set[tuple[Any, ...]]] = {}
    for user_id in {entry.user_id for entry in entries if entry.retract}:
        own = [entry for _, entry in journal.of_user(user_id, after=applied)]
        own += [entry for entry in entries if entry.user_id == user_id]
        since[user_id] = {entry.identity for entry in own if not entry.retract}
    return {
        i for i, entry in enumerate(entries) if entry.retract and entry.identity not in since[entry.user_id]
    }


def _since_build(opened: OpenedGeneration, journal: Journal, user_id: UserId) -> list[ActionEntry]:
    """Return the actions of a user that the build does not know, oldest first."""
    applied = store_applied(opened.store)
    since = [entry for _, entry in journal.of_user(user_id, after=applied)]
    # Also before the build: the journal may have forgotten the action, but not that it was taken back.
    back = retractions_among(journal, opened.log_retractions, {user_id: since}).get(user_id, ())
    taken_back = {entry.identity for entry in back}
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

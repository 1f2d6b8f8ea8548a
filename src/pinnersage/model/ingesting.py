"""A table of actions as entries for the journal."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from pinnersage._ids import ItemId
from pinnersage._report import ImportReport
from pinnersage._tables.engine import Progress
from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.log import ActionLog
from pinnersage.actions.staging import stage_actions
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.entries import ActionEntry

PART_ACTIONS = 20_000


@contextmanager
def staged_entries(
    actions: Any, opened: OpenedGeneration, config: BuildConfig, received_ms: int, progress: Progress | None
) -> Iterator[tuple[ImportReport, Iterator[list[ActionEntry]]]]:
    """Check a table and yield its report, and its good rows in parts of about 20,000, user after user.

    What it takes back comes first: so it never counts, and in the end it is the same.
    """
    with (
        tempfile.TemporaryDirectory(prefix="pinnersage-ingest-") as scratch,
        stage_actions(
            actions, opened.items.vocabulary.base, config.imports, now_ms=None, wall_clock_ms=received_ms,
            work_dir=scratch, n_threads=config.n_threads, progress=progress, keep_unknown=True,
            take_back=False,
        ) as log,
    ):  # fmt: skip
        _check_user_kind(log, opened)
        batches = log.batches(log.newest_ms, PART_ACTIONS)
        back = _retractions(log, opened, received_ms)
        yield log.report, chain(back, (_entries(batch, log, opened, received_ms) for batch in batches))


def _check_user_kind(log: ActionLog, opened: OpenedGeneration) -> None:
    if opened.manifest["user_kind"] == "integer" and log.user_kind == "string":
        raise UsageError("user_id: expected integers, as in the model's log; found text in the new actions")


def _retractions(log: ActionLog, opened: OpenedGeneration, received_ms: int) -> Iterator[list[ActionEntry]]:
    as_own = opened.items.vocabulary.as_own
    for part in log.retraction_parts(PART_ACTIONS):
        yield [
            ActionEntry(
                opened.user_of(row.user_id), as_own(row.item_id), row.time_ms, row.kind, row.weight,
                row.event_key, received_ms, retract=True,
            )
            for row in part
        ]  # fmt: skip


def _entries(
    batch: ActionBatch, log: ActionLog, opened: OpenedGeneration, received_ms: int
) -> list[ActionEntry]:
    base = opened.items.vocabulary.base
    users = [opened.user_of(user_id) for user_id in batch.user_ids]
    lengths = (batch.offsets[1:] - batch.offsets[:-1]).tolist()
    owners = [user for user, n in zip(users, lengths, strict=True) for _ in range(n)]
    columns = zip(
        owners, _item_ids(batch, log, base), batch.times_ms.tolist(), batch.kinds.tolist(),
        batch.weights.tolist(), batch.event_keys.tolist(), strict=True,
    )  # fmt: skip
    return [
        ActionEntry(user, item_id, time_ms, log.kinds[kind], weight, key, received_ms)
        for user, item_id, time_ms, kind, weight, key in columns
    ]


def _item_ids(batch: ActionBatch, log: ActionLog, base: ItemVocabulary) -> list[ItemId]:
    """Return the item of each action, also of those the vocabulary lacks."""
    is_known = batch.item_rows < len(base)
    known: Iterator[ItemId] = iter(base.ids_of(batch.item_rows[is_known]))
    others = (batch.item_rows[~is_known] - len(base)).tolist()
    unknown: Iterator[ItemId] = iter([log.unknown_item_ids[row] for row in others])
    return [next(known) if here else next(unknown) for here in is_known.tolist()]

"""The batch on one machine: whole users in, records out, all cores busy, memory bounded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from pinnersage.actions.log import ActionLog
from pinnersage.config import InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.record import RecordBatch
from pinnersage.store.base import InterestStore

Progress = Callable[[str, int, int | None], None]
_STAGE = "building interests"


@dataclass(slots=True)
class BatchCounts:
    """What a batch built.

    Attributes
    ----------
    n_users
        Users with a record.
    n_actions
        Actions in the windows of all records.
    n_actions_outside
        Different actions not in a window: too old, or beyond the cap.
    n_repeats
        Rows that repeated another action.
    n_interests
        Interests of all users.
    """

    n_users: int = 0
    n_actions: int = 0
    n_actions_outside: int = 0
    n_repeats: int = 0
    n_interests: int = 0

    def add(self, batch: RecordBatch) -> None:
        """Count one finished batch."""
        self.n_users += batch.n_users
        self.n_actions += len(batch.item_rows)
        self.n_actions_outside += batch.n_outside
        self.n_repeats += batch.n_repeats
        self.n_interests += len(batch.medoid_rows)


def build_users(
    log: ActionLog,
    embeddings: npt.NDArray[Any],
    config: InterestConfig,
    now_ms: int,
    store: InterestStore,
    *,
    n_threads: int | None = None,
    max_actions_per_batch: int = 200_000,
    progress: Progress | None = None,
    on_batch: Callable[[RecordBatch], None] | None = None,
) -> BatchCounts:
    """Build a record for every user of a log and put it into a store.

    Parameters
    ----------
    log
        A checked log.
    embeddings
        float32 or float16 ``(n_items, d)``, rows as in the log's vocabulary.
    config, now_ms
        See :func:`~pinnersage.interests.build.build_records`.
    store
        Written in ascending order of user id, a batch at a time.
    n_threads
        Kernel threads; all cores by default. The records do not depend on it.
    max_actions_per_batch
        Size of the unit of work; a user with more is one unit.
    progress
        Called with the stage, the actions done, and all actions.
    on_batch
        Called with each batch of records, once they are stored.
    """
    n_threads = n_threads or os.cpu_count() or 1
    counts, n_done = BatchCounts(), 0
    pending: deque[Future[RecordBatch]] = deque()

    def land() -> None:
        nonlocal n_done
        batch = pending.popleft().result()
        store.put_batch(batch)
        counts.add(batch)
        if on_batch:
            on_batch(batch)
        n_done += len(batch.item_rows) + batch.n_outside + batch.n_repeats
        if progress:
            progress(_STAGE, n_done, log.n_actions)

    with ThreadPoolExecutor(n_threads, thread_name_prefix="interests") as pool:
        for actions in log.batches(now_ms, max_actions_per_batch):
            pending.append(pool.submit(build_records, actions, embeddings, config, now_ms))
            if len(pending) > n_threads:
                land()
        while pending:
            land()
    return counts

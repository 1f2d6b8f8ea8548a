"""What the ranker reads of a log: plain arrays, grouped by user; and whole users as of a moment."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Int32s, Int64s
from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.liking import likes
from pinnersage.config import InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.overruled import Log
from pinnersage.interests.record import RecordBatch


class LogArrays(Log, Protocol):
    """A log as arrays; user ``u`` owns ``offsets[u]:offsets[u + 1]``, times ascending.

    Attributes
    ----------
    offsets
        int64 ``(n_users + 1,)``.
    item_rows, times_ms, weights, kinds, event_keys
        ``(n_actions,)`` each, dtypes as in :class:`~pinnersage.actions.batch.ActionBatch`.
    born_ms
        int64 ``(n_items,)``: when an item came to be; later than all actions where unknown.
    """

    @property
    def born_ms(self) -> Int64s:
        """When each item came to be."""

    def as_of(self, ms: int) -> Self:
        """Return a log whose actions before a time are those known then; it may have later ones."""


def users_of_actions(log: LogArrays) -> Int32s:
    """Return the user of each action, int32 ``(n_actions,)``."""
    return np.repeat(np.arange(len(log.offsets) - 1, dtype=np.int32), np.diff(log.offsets))


def records_before(
    log: LogArrays, users: Int64s, embeddings: npt.NDArray[Any], config: InterestConfig, moment_ms: int
) -> RecordBatch:
    """Return the records of some users from their actions strictly before a moment."""
    log = log.as_of(moment_ms)
    starts = log.offsets[users]
    lengths = log.offsets[users + 1] - starts
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    at = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    batch = ActionBatch(
        users.tolist(),
        offsets,
        log.item_rows[at],
        log.times_ms[at],
        log.weights[at],
        log.kinds[at],
        log.event_keys[at],
    )
    return build_records(batch, embeddings, config, moment_ms - 1)


def items_between(log: LogArrays, user: int, start_ms: int, end_ms: int, *, liked: bool = False) -> Int32s:
    """Return the distinct items of a user's actions in ``[start_ms, end_ms)``, or of those with a weight."""
    own = slice(log.offsets[user], log.offsets[user + 1])
    first, last = np.searchsorted(log.times_ms[own], (start_ms, end_ms))
    rows = log.item_rows[own][first:last]
    rows = rows[likes(log.weights[own][first:last])] if liked else rows
    return np.unique(rows).astype(np.int32)

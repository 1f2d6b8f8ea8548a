"""What arms know of the users of a day: records, seen items, seeds. All from before the day."""

from __future__ import annotations

import hashlib

import numpy as np

from pinnersage._arrays import Bools, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.evaluation.neighbors import Barred
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.interests.build import build_records
from pinnersage.interests.record import RecordBatch

_KEPT = 64
_KEPT_BYTES = 800_000_000
_BYTES_PER_ACTION = 26


class RecordCache:
    """Records of the users of a day, built once for each day and configuration; the newest 64 stay."""

    def __init__(self) -> None:
        self._records: dict[tuple[InterestConfig, int], RecordBatch] = {}

    def fresh(self) -> RecordCache:
        """Return an empty one of the same kind, for records over other embeddings."""
        return RecordCache()

    def of_day(self, day: Day, log: ReplayLog, config: InterestConfig) -> RecordBatch:
        """Return the records of ``day.users`` as of the last millisecond before the day."""
        key = (config, day.start_ms)
        if key not in self._records:
            actions = log.actions_of(day.users)
            self._records[key] = build_records(actions, log.embeddings, config, day.start_ms - 1)
            while len(self._records) > _KEPT:
                del self._records[next(iter(self._records))]
        return self._records[key]


class KnownBefore:
    """What was known before each day; kept where all days together take no more than 0.8 GB."""

    def __init__(self, log: ReplayLog, n_days: int) -> None:
        self._log = log
        self._keeps = len(log.item_rows) * n_days * _BYTES_PER_ACTION <= _KEPT_BYTES
        self._kept: dict[int, ReplayLog] = {}

    def __call__(self, ms: int) -> ReplayLog:
        """Return the actions before a time."""
        if ms not in self._kept:
            if not self._keeps:
                self._kept.clear()
            self._kept[ms] = self._log.before(ms)
        return self._kept[ms]


def barred(day: Day, log: ReplayLog, mode: Mode) -> Barred:
    """Return what may not be recommended: outside the pool; in mode ``first_time`` also the items seen."""
    if mode == "all":
        return Barred(day.pool, np.zeros(day.n_users + 1, np.int64), np.empty(0, np.int32))
    actions = log.actions_of(day.users)
    return Barred(day.pool, actions.offsets, actions.item_rows)


def decayed_weights(day: Day, log: ReplayLog, window_ms: int, decay_per_day: float) -> Float64s:
    """Return ``weight * exp(-decay_per_day * age_days)`` of each action of ``log``, 0 outside the window."""
    ages_ms = day.start_ms - 1 - log.times_ms
    decayed = log.weights * np.exp(-decay_per_day * ages_ms / MS_PER_DAY)
    return np.where(ages_ms < window_ms, decayed, 0.0)


def user_seed(seed: int, day: Day, log: ReplayLog, user: int) -> int:
    """Return a seed of one user's day that depends on the user's id, not on who else is in the log."""
    text = f"{seed}/{day.start_ms}/{log.user_ids[user]}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


@kernel
def _count_users(offsets: Int64s, rows: Int32s, counted: Bools, counts: Int64s) -> None:
    last = np.full(counts.shape[0], -1, np.int64)
    for u in range(offsets.shape[0] - 1):
        for i in range(offsets[u], offsets[u + 1]):
            if counted[i] and last[rows[i]] != u:
                last[rows[i]] = u
                counts[rows[i]] += 1


def n_users_per_item(log: ReplayLog, since_ms: int = 0) -> Int64s:
    """Return how many different users liked each item since a time, int64 ``(n_items,)``."""
    counts = np.zeros(log.n_items, np.int64)
    counted = (log.times_ms >= since_ms) & likes(log.weights)
    _count_users(log.offsets, log.item_rows, counted, counts)
    return counts


def ragged(lengths: Int64s | Int32s | list[int]) -> Int64s:
    """Return offsets ``(n + 1,)`` of parts of these lengths."""
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)

"""The past moments that settings are compared on, and the days that what was chosen is judged on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.arms.trained_choice import span
from pinnersage.evaluation.replay import Day, Mode, ReplayLog, walk
from pinnersage.evaluation.state import ragged
from pinnersage.evaluation.tuning.settings import TuningSettings


class PastMoment(NamedTuple):
    """Who is asked about, what they then did, and what was known before.

    Attributes
    ----------
    day
        With the targets of all days until the next moment; only users who have some that count.
    known
        Actions strictly before.
    """

    day: Day
    known: ReplayLog

    def with_embeddings(self, embeddings: Float32s) -> PastMoment:
        """Return the same moment, the items known by other embeddings."""
        return self._replace(known=replace(self.known, embeddings=embeddings))


def training_moments(
    log: ReplayLog, until_ms: int, settings: TuningSettings, window_ms: int
) -> list[PastMoment]:
    """Return the moments of the training days, oldest first; the targets of the last end at ``until_ms``."""
    n_days = min(settings.horizon_days, settings.train_days)
    n_moments = settings.train_days // n_days
    moments = []
    for k in reversed(range(n_moments)):
        start_ms = until_ms - (k + 1) * n_days * MS_PER_DAY
        day = span(log, start_ms, n_days, window_days=window_ms / MS_PER_DAY)
        moments.append(PastMoment(with_targets(day, settings.targets, log.n_users), log.before(start_ms)))
    return moments


def held_out_days(log: ReplayLog, start_ms: int, settings: TuningSettings, window_ms: int) -> list[Day]:
    """Return the held-out days one by one, as the evaluation walks them."""
    days = walk(log, start_ms, settings.held_out_days, window_ms=window_ms)
    return [with_targets(day, settings.targets, log.n_users) for day in days]


def walked(log: ReplayLog, days: Iterable[Day]) -> Iterator[PastMoment]:
    """Yield days with what was known before each: the state is updated after every day."""
    for day in days:
        yield PastMoment(day, log.before(day.start_ms))


def with_targets(day: Day, mode: Mode, n_users: int) -> Day:
    """Keep the users who have a target that counts: any, or a first-time one."""
    counts = day.first_time if mode == "first_time" else np.ones(len(day.target_rows), np.bool_)
    users = np.repeat(day.users, np.diff(day.target_offsets))[counts]
    return narrowed(day, np.bincount(users, minlength=n_users) > 0)


def narrowed(day: Day, wanted: Bools) -> Day:
    """Keep some users.

    Parameters
    ----------
    day
        With targets.
    wanted
        bool, one for each user of the log.
    """
    kept = wanted[day.users]
    lengths = np.diff(day.target_offsets)
    of_kept = np.repeat(kept, lengths)
    return replace(
        day,
        users=day.users[kept],
        target_offsets=ragged(lengths[kept]),
        target_rows=day.target_rows[of_kept],
        first_time=day.first_time[of_kept],
    )


def users_of(days: Iterable[Day]) -> Int32s:
    """Return the users of all days, ascending."""
    return np.unique(np.concatenate([np.empty(0, np.int32), *(day.users for day in days)]))


def n_targets_of(days: Iterable[Day], mode: Mode) -> int:
    """Return how many targets count."""
    if mode == "first_time":
        return sum(int(day.first_time.sum()) for day in days)
    return sum(len(day.target_rows) for day in days)


def drawn_users(users: Int32s, n_most: int, seed: int) -> Int32s:
    """Return up to ``n_most`` users in an order drawn by the seed."""
    return np.random.default_rng(seed).permutation(users)[:n_most]

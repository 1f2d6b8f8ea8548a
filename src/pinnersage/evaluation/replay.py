"""A log that is walked day by day: what was known before a day, and what then happened.

The state before a day holds exactly the actions with ``time < start_ms``. Nothing of the day or of
what came after is in the :class:`ReplayLog` that an arm is given (:meth:`ReplayLog.before`), so an
arm cannot look ahead even by mistake; only oracles are given the targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.replay_log import ReplayLog as ReplayLog
from pinnersage.items.births import NEVER_MS as NEVER_MS

Mode = Literal["first_time", "all"]


@dataclass(frozen=True, slots=True)
class Day:
    """One day ``[start_ms, start_ms + 1 day)`` in UTC: who acted, on what, and what could be proposed.

    Attributes
    ----------
    start_ms
        Midnight.
    users
        int32 ``(n_users,)`` positions in the log, ascending: users with a target and with enough
        actions in the window before the day.
    target_offsets
        int64 ``(n_users + 1,)``; user ``u`` of the day owns targets
        ``target_offsets[u]:target_offsets[u + 1]``.
    target_rows
        int32: the distinct items acted on in the day, with a weight, that were in the pool.
    first_time
        bool, per target: the user had never acted on the item before the day, with or without a weight.
    pool
        bool ``(n_items,)``: items that were born before the day and are available.
    n_not_in_pool
        Distinct (user, item) pairs left out of the targets because the item was not in the pool.
    n_newcomers
        (user, item) pairs left out because the user had too few actions in the window.
    """

    start_ms: int
    users: Int32s
    target_offsets: Int64s
    target_rows: Int32s
    first_time: Bools
    pool: Bools
    n_not_in_pool: int = 0
    n_newcomers: int = 0

    @property
    def n_users(self) -> int:
        """Number of users with targets."""
        return len(self.users)

    def without_targets(self) -> Day:
        """Return the day as an arm may see it: who asks, and the pool."""
        return replace(
            self,
            target_offsets=np.zeros(len(self.users) + 1, np.int64),
            target_rows=np.empty(0, np.int32),
            first_time=np.empty(0, np.bool_),
            n_not_in_pool=0,
            n_newcomers=0,
        )

    def with_targets_of(self, mode: Mode) -> Day:
        """Return the day as an oracle may see it: in mode ``first_time`` repeats are no targets."""
        if mode == "all" or self.first_time.all():
            return self
        return replace(
            self,
            target_offsets=np.concatenate(([0], np.cumsum(self.first_time)))[self.target_offsets],
            target_rows=self.target_rows[self.first_time],
            first_time=self.first_time[self.first_time],
        )


@runtime_checkable
class Arm(Protocol):
    """What is measured.

    An arm may keep state between days as long as that only depends on earlier days. Optional parts,
    found by name: ``is_oracle = True`` (it is given the mode's targets, and marked so),
    ``fit(log, until_ms)`` (called once before the first day with what was known then), ``fitting`` (a
    stopwatch that runs while it fits later than that), ``depends_on()``, ``forget_lists()`` (work it all out
    anew: some users of the last day are asked again, to time lists), and :class:`Scorer`.
    A dataclass arm's fields are its settings: results are kept under a digest of them, and of the plain
    values that ``depends_on()`` returns.
    """

    @property
    def name(self) -> str:
        """Unique among the arms of one evaluation; letters, digits, ``-``, ``_`` and ``.``."""

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return item rows, int32 ``(day.n_users, budget)``, best first, padded with -1.

        Parameters
        ----------
        day
            Users and pool; no targets unless ``is_oracle``.
        log
            What was known before the day.
        budget
            Items for each user.
        mode
            ``first_time``: a user's earlier items are left out; ``all``: they are allowed.
        """


@runtime_checkable
class Scorer(Protocol):
    """An arm that can also rank given items, for the metrics against impressions.

    Arms without it are ranked by position in their longest list; what is not in it comes last.
    """

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return a score for each of ``item_rows``, of which user ``u`` owns ``offsets[u]:offsets[u+1]``."""


def walk(
    log: ReplayLog, first_ms: int, n_days: int, *, window_ms: int, min_actions: int = 1
) -> Iterator[Day]:
    """Yield the days from ``first_ms`` on, also those without a target.

    Parameters
    ----------
    log
        The whole log.
    first_ms, n_days
        Start of the first day, and how many.
    window_ms, min_actions
        A user must have this many actions in the window before the day, else there is no state to
        compare arms on.
    """
    users = log.users
    for start_ms in range(first_ms, first_ms + n_days * MS_PER_DAY, MS_PER_DAY):
        yield _day(log, users, start_ms, window_ms, min_actions)


def _day(log: ReplayLog, users: Int32s, start_ms: int, window_ms: int, min_actions: int) -> Day:
    keys, n_items = _acted_on(log, users, start_ms), log.n_items
    log, users = _as_of(log, users, start_ms)
    pool = log.available & (log.born_ms < start_ms)
    in_pool = pool[keys % n_items]
    recent = (log.times_ms >= start_ms - window_ms) & (log.times_ms < start_ms)
    known = np.bincount(users[recent], minlength=log.n_users) >= min_actions
    is_known = known[keys // n_items]
    chosen = keys[in_pool & is_known]
    earlier = log.times_ms < start_ms
    of_today = np.zeros(log.n_users, np.bool_)
    of_today[chosen // n_items] = True
    earlier &= of_today[users]
    before = np.unique(users[earlier].astype(np.int64) * n_items + log.item_rows[earlier])
    day_users, counts = np.unique(chosen // n_items, return_counts=True)
    return Day(
        start_ms,
        day_users.astype(np.int32),
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        (chosen % n_items).astype(np.int32),
        ~np.isin(chosen, before, assume_unique=True),
        pool,
        n_not_in_pool=int((~in_pool).sum()),
        n_newcomers=int((in_pool & ~is_known).sum()),
    )


def _acted_on(log: ReplayLog, users: Int32s, start_ms: int) -> Int64s:
    """Return what was acted on in a day, with a weight, as known at its end: ``user * n_items + item``."""
    log, users = _as_of(log, users, start_ms + MS_PER_DAY)
    today = (log.times_ms >= start_ms) & (log.times_ms < start_ms + MS_PER_DAY) & likes(log.weights)
    return np.unique(users[today].astype(np.int64) * log.n_items + log.item_rows[today])


def _as_of(log: ReplayLog, users: Int32s, ms: int) -> tuple[ReplayLog, Int32s]:
    known = log.as_of(ms)
    return known, users if known is log else known.users

"""A log that is walked day by day: what was known before a day, and what then happened.

The state before a day holds exactly the actions with ``time < start_ms``. Nothing of the day or of
what came after is in the :class:`ReplayLog` that an arm is given (:meth:`ReplayLog.before`), so an
arm cannot look ahead even by mistake; only oracles are given the targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.liking import likes
from pinnersage.actions.log import ActionLog
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import DataError
from pinnersage.evaluation._item_columns import coded
from pinnersage.interests.unique import joined, unique_actions
from pinnersage.items.births import NEVER_MS as NEVER_MS
from pinnersage.items.births import born_ms
from pinnersage.items.origin import EmbeddingOrigin
from pinnersage.items.table import ItemTable

Mode = Literal["first_time", "all"]


@dataclass(frozen=True, slots=True)
class ReplayLog:
    """All actions of all users, none twice, in canonical order (time first) inside each user.

    Attributes
    ----------
    user_ids
        ``n_users`` ids, ascending. A user keeps the position in every log cut from this one.
    offsets
        int64 ``(n_users + 1,)``; user ``u`` owns actions ``offsets[u]:offsets[u + 1]``.
    item_rows, times_ms, weights, kinds, event_keys
        ``(n_actions,)`` each, dtypes as in :class:`~pinnersage.actions.batch.ActionBatch`.
    embeddings
        float32 ``(n_items, d)``.
    born_ms
        int64 ``(n_items,)``: the item's ``created_at_ms`` or its first action in the log, whichever
        is earlier; :data:`NEVER_MS` without either.
    available
        bool ``(n_items,)``: False where the catalogue says so.
    categories
        int32 ``(n_items,)`` codes of the column ``category``, -1 where it is empty; None without it.
    category_names
        Arrow array of texts, by code; None: not known.
    providers, provider_names
        The same of the column ``provider``.
    origin
        Where the embeddings come from, as far as the table of items tells.
    """

    user_ids: list[str] | list[int]
    offsets: Int64s
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s
    embeddings: Float32s
    born_ms: Int64s
    available: Bools
    categories: Int32s | None = None
    category_names: pa.Array | None = None
    providers: Int32s | None = None
    provider_names: pa.Array | None = None
    origin: EmbeddingOrigin | None = None

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items of the catalogue."""
        return len(self.embeddings)

    @property
    def users(self) -> Int32s:
        """Position of the user of each action, int32 ``(n_actions,)``."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    @classmethod
    def from_action_log(cls, log: ActionLog, items: ItemTable) -> ReplayLog:
        """Read a whole checked log into memory.

        Raises
        ------
        DataError
            The log holds no good action.
        """
        batches = [unique_actions(batch) for batch in log.batches(log.newest_ms)]
        if not batches:
            raise DataError("actions: expected some to replay, found none that can be used")
        return cls.from_batch(joined(batches), items)

    @classmethod
    def from_batch(cls, actions: ActionBatch, items: ItemTable) -> ReplayLog:
        """Replay actions in memory; they may stand in any order, and repeat."""
        actions = unique_actions(actions)
        embeddings = np.ascontiguousarray(items.embeddings, dtype=np.float32)
        born = born_ms(items, actions.item_rows, actions.times_ms)
        return cls(
            actions.user_ids, actions.offsets, actions.item_rows, actions.times_ms, actions.weights,
            actions.kinds, actions.event_keys, embeddings, born, items.pool.copy(),
            *coded(items, "category"), *coded(items, "provider"), items.origin,
        )  # fmt: skip

    def before(self, ms: int) -> ReplayLog:
        """Return what was known before a time: earlier actions only, later births not known."""
        kept = self.times_ms < ms
        offsets = np.concatenate(([0], np.cumsum(kept)))[self.offsets]
        return replace(
            self,
            offsets=offsets,
            item_rows=self.item_rows[kept],
            times_ms=self.times_ms[kept],
            weights=self.weights[kept],
            kinds=self.kinds[kept],
            event_keys=self.event_keys[kept],
            born_ms=np.where(self.born_ms < ms, self.born_ms, NEVER_MS),
        )

    def actions_of(self, users: Int32s) -> ActionBatch:
        """Return all actions of some users (positions ascending), as interests are built from."""
        lengths = np.diff(self.offsets)[users]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[users] - offsets[:-1], lengths)
        ids: Any = [self.user_ids[u] for u in users.tolist()]
        return ActionBatch(
            ids, offsets, self.item_rows[at], self.times_ms[at], self.weights[at], self.kinds[at],
            self.event_keys[at],
        )  # fmt: skip


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
    pool = log.available & (log.born_ms < start_ms)
    today = (log.times_ms >= start_ms) & (log.times_ms < start_ms + MS_PER_DAY) & likes(log.weights)
    keys = np.unique(users[today].astype(np.int64) * log.n_items + log.item_rows[today])
    in_pool = pool[keys % log.n_items]
    recent = (log.times_ms >= start_ms - window_ms) & (log.times_ms < start_ms)
    known = np.bincount(users[recent], minlength=log.n_users) >= min_actions
    is_known = known[keys // log.n_items]
    chosen = keys[in_pool & is_known]
    earlier = log.times_ms < start_ms
    of_today = np.zeros(log.n_users, np.bool_)
    of_today[chosen // log.n_items] = True
    earlier &= of_today[users]
    before = np.unique(users[earlier].astype(np.int64) * log.n_items + log.item_rows[earlier])
    day_users, counts = np.unique(chosen // log.n_items, return_counts=True)
    return Day(
        start_ms,
        day_users.astype(np.int32),
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        (chosen % log.n_items).astype(np.int32),
        ~np.isin(chosen, before, assume_unique=True),
        pool,
        n_not_in_pool=int((~in_pool).sum()),
        n_newcomers=int((in_pool & ~is_known).sum()),
    )

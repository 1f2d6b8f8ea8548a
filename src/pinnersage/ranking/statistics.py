"""How popular every item was at a moment: counts over several spans, age, and time since its last action."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY
from pinnersage.ranking import arrays_file
from pinnersage.ranking.actions import LogArrays, users_of_actions

SPANS_DAYS = (7, 30, 90)
DECAY_PER_DAY = 0.05
_FORMAT, _VERSION = "pinnersage item statistics", 1


@dataclass(frozen=True, slots=True)
class ItemStatistics:
    """Per item, from actions strictly before ``moment_ms``.

    An action with a weight counts once per user, item and day (UTC).

    Attributes
    ----------
    moment_ms
        The moment.
    in_7_days, in_30_days, in_90_days, ever
        float32 ``(n_items,)`` counts.
    decayed
        float32 ``(n_items,)``: each count times ``exp(-DECAY_PER_DAY * age)``.
    n_users_90_days
        float32 ``(n_items,)``: different users in 90 days.
    age_days, idle_days
        float32 ``(n_items,)``: since the item came to be, and since its last action; not-a-number
        where that has not happened.
    """

    moment_ms: int
    in_7_days: Float32s
    in_30_days: Float32s
    in_90_days: Float32s
    ever: Float32s
    decayed: Float32s
    n_users_90_days: Float32s
    age_days: Float32s
    idle_days: Float32s

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.ever)

    def save(self, path: Path) -> None:
        """Write to a file that appears whole or not at all."""
        arrays = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}
        arrays_file.save(path, _FORMAT, _VERSION, arrays)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a file of :meth:`save`.

        Raises
        ------
        StoredFormatError
            It is missing, damaged or from a newer version.
        """
        arrays = arrays_file.load(path, _FORMAT, _VERSION, [f.name for f in fields(cls)])
        moment_ms = int(arrays.pop("moment_ms"))
        return cls(moment_ms, **arrays)


def statistics_before(log: LogArrays, moment_ms: int) -> ItemStatistics:
    """Count the actions strictly before a moment."""
    log = log.as_of(moment_ms)
    past = (log.times_ms < moment_ms) & likes(log.weights)
    users, rows, times = users_of_actions(log)[past], log.item_rows[past], log.times_ms[past]
    n_items = len(log.born_ms)
    last_ms = np.full(n_items, np.iinfo(np.int64).min)
    np.maximum.at(last_ms, rows, times)
    once = _once_a_day(users, rows, times)
    users, rows = users[once], rows[once]
    ages = (moment_ms - times[once]) / MS_PER_DAY
    week, month, quarter = (_count(rows[ages <= days], n_items) for days in SPANS_DAYS)
    return ItemStatistics(
        moment_ms,
        week,
        month,
        quarter,
        _count(rows, n_items),
        np.bincount(rows, np.exp(-DECAY_PER_DAY * ages), n_items).astype(np.float32),
        _count_users(users[ages <= SPANS_DAYS[-1]], rows[ages <= SPANS_DAYS[-1]], n_items),
        _days_since(log.born_ms, log.born_ms < moment_ms, moment_ms),
        _days_since(last_ms, last_ms > np.iinfo(np.int64).min, moment_ms),
    )


def _once_a_day(users: Int32s, rows: Int32s, times: Int64s) -> Int64s:
    """Return the position of one action of each (user, item, day), the earliest."""
    days = times // MS_PER_DAY
    order = np.lexsort((times, days, rows, users))
    new = np.zeros(len(order), np.bool_)
    new[:1] = True
    for column in (users[order], rows[order], days[order]):
        new[1:] |= column[1:] != column[:-1]
    return order[new]


def _count(rows: Int32s, n_items: int) -> Float32s:
    return np.bincount(rows, minlength=n_items).astype(np.float32)


def _count_users(users: Int32s, rows: Int32s, n_items: int) -> Float32s:
    pairs = np.unique(users.astype(np.int64) * n_items + rows)
    return _count((pairs % n_items).astype(np.int32), n_items)


def _days_since(since_ms: Int64s, known: Bools, moment_ms: int) -> Float32s:
    days = (moment_ms - np.where(known, since_ms, moment_ms)) / MS_PER_DAY
    return np.where(known, days, np.nan).astype(np.float32)

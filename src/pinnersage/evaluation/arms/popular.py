"""What most users act on: of all time, of late, or within the user's own categories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.neighbors import Asked, Barred, NeighborLists
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.state import barred, decayed_weights, n_users_per_item, ragged
from pinnersage.retrieval.draw import proportional_shares


def _by_count(counts: Int64s, rows: Int64s) -> Int32s:
    """Return item rows by count descending, then ascending."""
    return rows[np.lexsort((rows, -counts[rows]))].astype(np.int32)


def _filled(lists: Int32s, order: Int32s, out_of: Barred) -> Int32s:
    """Return lists whose empty places hold the first of ``order`` that may still be listed."""
    taken = np.zeros(len(out_of.pool), np.bool_)
    for u in np.flatnonzero((lists < 0).any(axis=1)).tolist():
        listed = lists[u][lists[u] >= 0]
        gone = np.concatenate((listed, out_of.rows[out_of.offsets[u] : out_of.offsets[u + 1]]))
        taken[gone] = True
        rest = order[~taken[order]][: lists.shape[1] - len(listed)]
        lists[u, len(listed) : len(listed) + len(rest)] = rest
        taken[gone] = False
    return lists


@dataclass
class Popular:
    """The same list for all: items by how many different users acted on them.

    Attributes
    ----------
    name
        Of the arm.
    neighbors
        Merges; nothing is looked up.
    n_days
        Actions of the last so many days count; None: all.
    """

    name: str
    neighbors: NeighborLists = field(repr=False)
    n_days: int | None = None

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return the most popular items of the pool, without those that the mode leaves out."""
        order = _by_count(self._counts(day, log), np.flatnonzero(day.pool))
        lists = np.zeros(day.n_users, np.int32)
        asked = Asked(np.arange(day.n_users + 1), lists, order[None, :], True)
        shares = np.full(day.n_users, budget)
        return self.neighbors.merged(asked, shares, barred(day, log, mode), budget)

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:  # noqa: ARG002
        """Return how many users acted on each item."""
        return self._counts(day, log)[item_rows].astype(np.float32)

    def _counts(self, day: Day, log: ReplayLog) -> Int64s:
        since_ms = 0 if self.n_days is None else day.start_ms - self.n_days * MS_PER_DAY
        return n_users_per_item(log, since_ms)


@dataclass
class PopularInCategory:
    """The items most popular in each category that the user acted on, then those most popular of all.

    The budget is shared in proportion to the user's decayed actions in each category; popularity is
    over the same window. What these categories leave empty is filled with the most popular other items, so
    that lists are as long as everyone's.

    Attributes
    ----------
    name
        Of the arm.
    neighbors
        Merges; nothing is looked up.
    window_ms, decay_per_day
        Which actions count, and how fast they fade.
    """

    name: str
    neighbors: NeighborLists = field(repr=False)
    window_ms: int = 90 * MS_PER_DAY
    decay_per_day: float = 0.01

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return each category's most popular items, merged by share, then the most popular others."""
        tastes = self._tastes(day, log)
        asks = [np.flatnonzero(weights > 0) for weights in tastes]
        own = [np.argsort(-w[a], kind="stable") for w, a in zip(tastes, asks, strict=True)]
        asks = [a[o] for a, o in zip(asks, own, strict=True)]
        parts = [proportional_shares(w[a], budget) for w, a in zip(tastes, asks, strict=True)]
        shares = np.concatenate([np.empty(0, np.int64), *parts])
        lists = np.concatenate([np.empty(0, np.int64), *asks]).astype(np.int32)
        asked = Asked(ragged([len(a) for a in asks]), lists, self._table(day, log), True)
        out_of = barred(day, log, mode)
        order = _by_count(self._counts(day, log), np.flatnonzero(day.pool))
        return _filled(self.neighbors.merged(asked, shares, out_of, budget), order, out_of)

    def depends_on(self) -> list[str]:
        """Return what lists are made of: results of other lists are not taken for these."""
        return ["filled with the most popular other items"]

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return the user's share of the item's category times the item's share of its category.

        Items of other categories come after these, by popularity: their scores are below 0.
        """
        codes: Any = log.categories
        counts = self._counts(day, log).astype(np.float64)
        totals = np.bincount(codes[codes >= 0], counts[codes >= 0], minlength=codes.max() + 1)
        shares = counts / np.maximum(totals[codes], 1)
        user = np.repeat(np.arange(day.n_users), np.diff(offsets))
        tastes = np.where(codes[item_rows] >= 0, self._tastes(day, log)[user, codes[item_rows]], 0.0)
        others = counts[item_rows] / (counts.max(initial=0.0) + 1) - 1
        scores: Float32s = np.where(tastes > 0, tastes * shares[item_rows], others).astype(np.float32)
        return scores

    def _counts(self, day: Day, log: ReplayLog) -> Int64s:
        return n_users_per_item(log, day.start_ms - self.window_ms)

    def _tastes(self, day: Day, log: ReplayLog) -> Float64s:
        """Return each user's decayed actions in each category, ``(n_users, n_categories)``."""
        codes: Any = log.categories
        n = int(codes.max()) + 1
        weights = decayed_weights(day, log, self.window_ms, self.decay_per_day)
        place = np.full(log.n_users, -1)
        place[day.users] = np.arange(day.n_users)
        users, kinds = place[log.users], codes[log.item_rows]
        mine = (users >= 0) & (kinds >= 0)
        sums = np.bincount(users[mine] * n + kinds[mine], weights[mine], minlength=day.n_users * n)
        return np.asarray(sums, np.float64).reshape(day.n_users, n)

    def _table(self, day: Day, log: ReplayLog) -> Int32s:
        """Return the pool's items of each category by popularity, padded with -1."""
        codes: Any = log.categories
        counts = self._counts(day, log)
        order = _by_count(counts, np.flatnonzero(day.pool & (codes >= 0)))
        kinds = codes[order]
        grouped = np.argsort(kinds, kind="stable")
        sizes = np.bincount(kinds, minlength=int(codes.max()) + 1)
        table = np.full((len(sizes), max(1, int(sizes.max()))), -1, np.int32)
        place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        table[kinds[grouped], place] = order[grouped]
        return table

"""The wide set a ranker chooses from: an arm's own proposals, united with popular and linked items."""

from __future__ import annotations

import copy
from math import ceil, floor
from typing import NamedTuple, Self

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s, UInt8s
from pinnersage._kernel import kernel
from pinnersage.config import RankingConfig
from pinnersage.ranking.largest import largest
from pinnersage.ranking.moment import Moment, UserView
from pinnersage.retrieval._merge import make_set, slot_of
from pinnersage.retrieval.draw import seen_rows

SOURCES = ("proposed", "popular", "linked", "category", "own")
PROPOSED, POPULAR, LINKED, CATEGORY, OWN = (1 << i for i in range(len(SOURCES)))


_ASKED_PER_ITEM = 6
"""Sources are asked for so many candidates for each item of a list; many name the same ones."""


def slots_for(n_items: int, config: RankingConfig) -> int:
    """Return for how many slots the wide set of a list of ``n_items`` is made."""
    return max(config.budget, ceil(_ASKED_PER_ITEM * n_items / _asked_per_slot(config)))


def n_items_for(n_slots: int, config: RankingConfig) -> int:
    """Return how many items a list may have that is chosen from a wide set for so many slots."""
    return max(1, floor(n_slots * _asked_per_slot(config) / _ASKED_PER_ITEM))


def n_asked_for(n_slots: int, config: RankingConfig) -> int:
    """Return for how many candidates sources are asked together; many name the same ones."""
    return ceil(n_slots * _asked_per_slot(config))


def _asked_per_slot(config: RankingConfig) -> float:
    return max(
        config.n_proposed_per_slot
        + config.n_popular_per_slot
        + config.n_linked_per_slot
        + config.n_category_per_slot,
        1e-3,
    )


class Candidates(NamedTuple):
    """Distinct items, rows ascending, and where each came from.

    Attributes
    ----------
    rows
        int32 ``(n,)``.
    sources
        uint8 ``(n,)``: bit ``i`` is set when ``SOURCES[i]`` proposed it.
    """

    rows: Int32s
    sources: UInt8s

    def names(self, position: int) -> list[str]:
        """Return the sources of one candidate."""
        return [name for i, name in enumerate(SOURCES) if self.sources[position] >> i & 1]


class WideSet:
    """Gathers candidates for one user after another, as of one moment.

    Parameters
    ----------
    moment
        Pool, popularity and links.
    """

    def __init__(self, moment: Moment, config: RankingConfig) -> None:
        self._moment, self._config = moment, config
        # Of all items, for the pool changes while a model is live.
        self._popular = np.argsort(-moment.popularity, kind="stable").astype(np.int32)
        self._recent = np.argsort(-moment.statistics.in_7_days, kind="stable").astype(np.int32)
        self._by_category = _by_category(self._popular, moment)

    def as_of(self, moment: Moment) -> Self:
        """Return the same for a moment that differs by its pool only."""
        other = copy.copy(self)
        other._moment = moment
        return other

    def of_user(self, user: UserView, proposed: Int32s, n_slots: int, *, repeats: bool) -> Candidates:
        """Return the wide set of a user.

        Parameters
        ----------
        user
            As the moment sees them.
        proposed
            Item rows from the arm that is ranked; -1 and what may not be a candidate are left out.
        n_slots
            Every source gives a multiple of it (see ``RankingConfig``); :func:`slots_for` tells of a list.
        repeats
            Whether the user's earlier items may be candidates; then they all are.
        """
        config, pool = self._config, self._moment.pool
        seen = seen_rows(user.record)
        own, barred = (seen, make_set(seen[:0], 1)) if repeats else (seen[:0], make_set(seen, 1))
        n_popular = round(config.n_popular_per_slot * n_slots)
        found = [
            (PROPOSED, proposed[proposed >= 0]),
            (POPULAR, _first(self._popular, n_popular, pool, barred)),
            (POPULAR, _first(self._recent, n_popular // 2, pool, barred)),
            *((LINKED, rows) for rows in self._linked(user, n_slots, barred)),
            (CATEGORY, self._in_categories(user, n_slots, barred)),
            (OWN, own),
        ]
        sources = np.repeat(np.array([bit for bit, _ in found], np.uint8), [len(rows) for _, rows in found])
        rows = np.concatenate([rows for _, rows in found]).astype(np.int32)
        return Candidates(*_united(rows, sources, pool, barred))

    def _linked(self, user: UserView, n_slots: int, barred: Int32s) -> list[Int32s]:
        """Return the items most strongly linked to, by each of two measures."""
        linked, n = self._moment.links.linked, round(self._config.n_linked_per_slot * n_slots)
        found = []
        for scores in (user.links.regression[:-1], user.links.cosine[:-1]):
            places, left = _where_allowed(scores, linked, self._moment.pool, barred)
            best = largest(left[None], n)[0] if 0 < n < len(left) else np.arange(min(n, len(left)))
            found.append(linked[places[best]])
        return found

    def _in_categories(self, user: UserView, n_slots: int, barred: Int32s) -> Int32s:
        """Return the most popular items of a user's categories, as many of each as it has a share."""
        categories, history = self._moment.categories, user.history
        if categories is None or not len(history.rows):
            return np.empty(0, np.int32)
        weights = np.bincount(categories[history.rows] + 1, history.weights)
        weights[0] = 0.0
        n = round(self._config.n_category_per_slot * n_slots)
        shares = n * weights / max(float(weights.sum()), 1e-12)
        return _first_of_each(*self._by_category, shares[1:].astype(np.int64), self._moment.pool, barred)


def _by_category(order: Int32s, moment: Moment) -> tuple[Int32s, Int64s]:
    """Return the items of each category in the given order, one category after another, and offsets."""
    if moment.categories is None:
        return order[:0], np.zeros(1, np.int64)
    codes = moment.categories[order]
    grouped = order[np.argsort(codes, kind="stable")]
    return grouped, np.searchsorted(np.sort(codes), np.arange(int(moment.categories.max()) + 2))


@kernel
def _first_of_each(grouped: Int32s, offsets: Int64s, counts: Int64s, pool: Bools, barred: Int32s) -> Int32s:
    """Return the first items of each group that are in the pool and not in a set, up to its count."""
    out = np.empty(counts.sum(), np.int32)
    n_found = 0
    for group in range(len(counts)):
        found = _first(grouped[offsets[group] : offsets[group + 1]], counts[group], pool, barred)
        out[n_found : n_found + len(found)] = found
        n_found += len(found)
    return out[:n_found]


@kernel
def _first(order: Int32s, n: int, pool: Bools, barred: Int32s) -> Int32s:
    """Return the first ``n`` items of an order that are in the pool and not in a set."""
    out = np.empty(min(n, len(order)), np.int32)
    n_found = 0
    for row in order:
        if n_found == len(out):
            break
        if pool[row] and barred[slot_of(barred, row)] != row:
            out[n_found] = row
            n_found += 1
    return out[:n_found]


@kernel
def _where_allowed(scores: Float32s, rows: Int32s, pool: Bools, barred: Int32s) -> tuple[Int32s, Float32s]:
    """Return where ``rows`` are in the pool, not in a set, and have a score above 0; and these scores."""
    places, left = np.empty(len(rows), np.int32), np.empty(len(rows), np.float32)
    n = 0
    for i in range(len(rows)):
        if scores[i] > 0 and pool[rows[i]] and barred[slot_of(barred, rows[i])] != rows[i]:
            places[n], left[n] = i, scores[i]
            n += 1
    return places[:n], left[:n]


@kernel
def _united(rows: Int32s, sources: UInt8s, pool: Bools, barred: Int32s) -> tuple[Int32s, UInt8s]:
    """Return the allowed rows once each, ascending, with the sources of all that name them."""
    order = np.argsort(rows)
    out, bits = np.empty(len(rows), np.int32), np.zeros(len(rows), np.uint8)
    n = 0
    for at in order:
        row = rows[at]
        if not pool[row] or barred[slot_of(barred, row)] == row:
            continue
        if n == 0 or out[n - 1] != row:
            out[n] = row
            n += 1
        bits[n - 1] |= sources[at]
    return out[:n], bits[:n]

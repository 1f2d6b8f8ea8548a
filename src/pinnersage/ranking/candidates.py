"""The wide set a ranker chooses from: an arm's own proposals, united with popular and linked items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Int32s, UInt8s
from pinnersage.config import RankingConfig
from pinnersage.interests.history import history_of
from pinnersage.interests.record import UserRecord
from pinnersage.ranking.moment import Moment
from pinnersage.retrieval.draw import seen_rows

SOURCES = ("proposed", "popular", "linked", "category", "own")
PROPOSED, POPULAR, LINKED, CATEGORY, OWN = (1 << i for i in range(len(SOURCES)))


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
        alive = np.where(moment.pool, moment.popularity, -np.inf)
        order = np.argsort(-alive, kind="stable")[: int(moment.pool.sum())].astype(np.int32)
        recent = np.where(moment.pool, moment.statistics.in_7_days, -np.inf)
        self._recent = np.argsort(-recent, kind="stable")[: len(order)].astype(np.int32)
        self._popular = order
        self._by_category = _by_category(order, moment)

    def of_user(self, record: UserRecord, proposed: Int32s, budget: int, *, repeats: bool) -> Candidates:
        """Return the wide set of a user.

        Parameters
        ----------
        proposed
            Item rows from the arm that is ranked; -1 and what may not be a candidate are left out.
        budget
            Items the list will hold; every source gives a multiple of it (see ``RankingConfig``).
        repeats
            Whether the user's earlier items may be candidates; then those of the window all are.
        """
        config, pool = self._config, self._moment.pool
        seen = np.zeros(len(pool), np.bool_)
        seen[seen_rows(record)] = not repeats
        allowed = pool & ~seen
        sources = np.zeros(len(pool), np.uint8)
        sources[proposed[proposed >= 0]] |= PROPOSED
        n_popular = round(config.n_popular_per_slot * budget)
        sources[_first(self._popular, n_popular, allowed)] |= POPULAR
        sources[_first(self._recent, n_popular // 2, allowed)] |= POPULAR
        sources[self._linked(record, round(config.n_linked_per_slot * budget), allowed)] |= LINKED
        self._mark_categories(record, round(config.n_category_per_slot * budget), allowed, sources)
        if repeats:
            sources[record.item_rows] |= OWN
        sources[~allowed] = 0
        rows = np.flatnonzero(sources)
        return Candidates(rows.astype(np.int32), sources[rows])

    def _linked(self, record: UserRecord, n: int, allowed: Bools) -> Int32s:
        history = history_of(record, self._moment.decay_per_day)
        found = []
        for links, weights in (
            (self._moment.links.regression, np.minimum(history.counts, 1)),
            (self._moment.links.cosine, history.weights),
        ):
            scores = links.scores(history.rows, weights)
            scores[~allowed] = 0.0
            k = min(n, len(scores) - 1)
            best = np.argpartition(-scores, k)[:k]
            found.append(best[scores[best] > 0])
        return np.concatenate(found).astype(np.int32)

    def _mark_categories(self, record: UserRecord, n: int, allowed: Bools, sources: UInt8s) -> None:
        categories = self._moment.categories
        if categories is None or not record.n_actions:
            return
        history = history_of(record, self._moment.decay_per_day)
        weights = np.bincount(categories[history.rows] + 1, history.weights)
        weights[0] = 0.0
        shares = n * weights / max(float(weights.sum()), 1e-12)
        for code in np.flatnonzero(shares >= 1.0).tolist():
            sources[_first(self._by_category[code - 1], int(shares[code]), allowed)] |= CATEGORY


def _by_category(order: Int32s, moment: Moment) -> list[Int32s]:
    """Return the items of each category in the given order."""
    if moment.categories is None:
        return []
    codes = moment.categories[order]
    grouped = order[np.argsort(codes, kind="stable")]
    ends = np.searchsorted(np.sort(codes), np.arange(int(moment.categories.max()) + 2))
    return [grouped[a:b] for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def _first(order: Int32s, n: int, allowed: Bools) -> Int32s:
    """Return the first ``n`` items of an order that are allowed."""
    reach = 2 * n
    while True:
        found = order[:reach][allowed[order[:reach]]][:n]
        if len(found) == n or reach >= len(order):
            return found
        reach *= 4

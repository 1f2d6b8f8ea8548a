"""Recommendations ordered by a ranker, from its files beside a store and an index."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float64s, Int32s, Int64s
from pinnersage.config import RankingConfig, RetrievalConfig
from pinnersage.interests.record import UserRecord
from pinnersage.interests.without import without_interests
from pinnersage.ranking.candidates import Candidates, WideSet, n_asked_for, slots_for
from pinnersage.ranking.features import features_of
from pinnersage.ranking.links import Links
from pinnersage.ranking.moment import Moment, UserView
from pinnersage.ranking.padding import padded_categories, padded_statistics
from pinnersage.ranking.ranker import Ranker
from pinnersage.ranking.statistics import ItemStatistics
from pinnersage.retrieval._merge import Rules, make_set, without_near_duplicates
from pinnersage.retrieval._scores import as_float32, nearest_position
from pinnersage.retrieval.candidates import NO_INTEREST
from pinnersage.retrieval.draw import proportional_shares, seen_rows
from pinnersage.retrieval.narrowed import Choice
from pinnersage.retrieval.retriever import Recommendations, Retriever

_NO_INTERESTS = np.empty(0, np.int64)
_SPARE = 2
"""With pinned interests so many times the list is looked at first: near-duplicates leave, pairs are many."""

_STATISTICS, _LINKS = "statistics.bin", "links.bin"


def save_ranking(directory: Path, ranker: Ranker, moment: Moment) -> None:
    """Write a ranker and what it has to know of items into a directory."""
    ranker.save(directory)
    moment.statistics.save(directory / _STATISTICS)
    moment.links.save(directory / _LINKS)


class Reasons(NamedTuple):
    """Why the ranker placed an item where it did.

    Attributes
    ----------
    rank
        From 1 among the candidates; 0 when the item is none of them.
    n_candidates
        Size of the wide set.
    sources
        What proposed the item.
    score
        Log-odds.
    contributions
        Feature -> what it adds to ``expected``, largest size first; together they are the score.
    """

    rank: int
    n_candidates: int
    sources: list[str]
    score: float
    expected: float
    contributions: dict[str, float]


class RankedRetriever:
    """Asks many interests, popular and linked items, and orders them by a ranker.

    Parameters
    ----------
    retriever
        Proposes from interests.
    directory
        What :func:`save_ranking` wrote.
    embeddings, pool
        As of the retriever; rows behind those the ranker was fitted on are items that it knows nothing of.
    categories
        int32 ``(n_items,)``, -1 for none; None without such a column.
    decay_per_day
        As the records were built with.

    Raises
    ------
    StoredFormatError
        A file is missing, damaged or from a newer version.
    """

    def __init__(
        self,
        retriever: Retriever,
        directory: Path,
        embeddings: npt.NDArray[Any],
        pool: Bools,
        *,
        categories: Int32s | None,
        decay_per_day: float,
        ranking: RankingConfig,
        retrieval: RetrievalConfig,
    ) -> None:
        self.ranker = Ranker.open(directory)
        n = len(embeddings)
        self._moment = Moment(
            embeddings, pool.copy(),
            padded_statistics(ItemStatistics.open(directory / _STATISTICS), n),
            Links.open(directory / _LINKS),
            padded_categories(categories, n), decay_per_day,
        )  # fmt: skip
        self._retriever, self._ranking, self._retrieval = retriever, ranking, retrieval
        self._wide = WideSet(self._moment, ranking)
        self._moment.item_columns  # noqa: B018 - worked out now, not for the first who asks

    def recommend(
        self,
        record: UserRecord,
        k: int,
        *,
        n_interests: int | None = None,
        exclude_seen: bool | None = None,
        reserved: Int64s | None = None,
    ) -> Recommendations:
        """Return up to ``k`` items, best first; their scores are log-odds.

        Seen, unavailable and near-duplicate items are left out as in every mode. Each item names the
        interest nearest to it.

        Parameters
        ----------
        reserved
            Positions of interests that get their share of the list by importance at least, and one item,
            as far as candidates go.
        """
        leave_out = self._retrieval.exclude_seen if exclude_seen is None else exclude_seen
        reserved = _NO_INTERESTS if reserved is None else reserved
        user = self._moment.view(record)
        wide = self._candidates(user, k, n_interests, leave_out, reserved)
        scores = self.ranker.score(features_of(user, wide.rows, self._moment))
        order = np.argsort(-scores, kind="stable")
        rows, scores = wide.rows[order], scores[order]
        taken = self._chosen(record, rows, seen_rows(record) if leave_out else rows[:0], reserved, k)
        rows, scores = rows[taken], scores[taken]
        return Recommendations(rows, scores, self._nearest_interests(record, rows), len(wide.rows))

    def narrowed(self, choice: Choice) -> Self:
        """Return a retriever for one answer, with a part of this one's items: it does not follow the pool."""
        own = copy.copy(self)
        own._retriever = self._retriever.narrowed(choice)
        own._moment = self._moment.with_pool(choice.of(self._moment.pool))
        own._wide = self._wide.as_of(own._moment)
        return own

    def set_available(self, row: int, available: bool) -> None:
        """Take an item out of the pool, or put it back; the next answer obeys."""
        self._moment.pool[row] = available

    def n_wide(self, k: int) -> int:
        """Return for how many candidates the sources are asked, at most, for a list of ``k``."""
        return n_asked_for(slots_for(k, self._ranking), self._ranking)

    def shares(self, record: UserRecord, k: int) -> Int64s:
        """Return about how many candidates each interest may propose for a list of ``k``."""
        n_proposed = self._n_proposed(slots_for(k, self._ranking))
        return proportional_shares(record.importances[: self._ranking.n_proposing_interests], n_proposed)

    def explain(self, record: UserRecord, row: int, k: int, *, reserved: Int64s | None = None) -> Reasons:
        """Return what each feature adds to an item's score, be it a candidate for a list of ``k`` or not.

        Parameters
        ----------
        reserved
            As :meth:`recommend` was asked.
        """
        user, reserved = self._moment.view(record), _NO_INTERESTS if reserved is None else reserved
        wide = self._candidates(user, k, None, self._retrieval.exclude_seen, reserved)
        rows = np.union1d(wide.rows, [row]).astype(np.int32)
        at = int(np.searchsorted(rows, row))
        features = features_of(user, rows, self._moment)
        scores = self.ranker.score(features)
        reasons = self.ranker.explain(features[at : at + 1])[0]
        expected = reasons.pop("expected")
        told = sorted(((n, v) for n, v in reasons.items() if v), key=lambda pair: -abs(pair[1]))
        inside = np.flatnonzero(wide.rows == row).tolist()
        before = (scores > scores[at]) | ((scores == scores[at]) & (rows < row))
        rank = int(before.sum()) + 1 if inside else 0
        sources = wide.names(inside[0]) if inside else []
        return Reasons(rank, len(wide.rows), sources, float(scores[at]), expected, dict(told))

    def _candidates(
        self,
        user: UserView,
        k: int,
        n_interests: int | None,
        exclude_seen: bool,
        reserved: Int64s = _NO_INTERESTS,
    ) -> Candidates:
        slots = slots_for(k, self._ranking)
        n_asked = n_interests or self._ranking.n_proposing_interests
        n_proposed = self._n_proposed(slots)

        def proposed(by: UserRecord, n: int) -> Int32s:
            found = self._retriever.recommend(
                by, n_proposed, mode="budgeted", n_interests=n, exclude_seen=exclude_seen
            )
            return found.rows

        record = user.record
        rows = proposed(record, n_asked)
        unasked = reserved[reserved >= n_asked]
        if len(unasked):
            others = np.setdiff1d(np.arange(record.n_interests), unasked)
            rows = np.union1d(rows, proposed(without_interests(record, others), len(unasked)))
        return self._wide.of_user(user, rows, slots, repeats=not exclude_seen)

    def _n_proposed(self, n_slots: int) -> int:
        return max(1, round(self._ranking.n_proposed_per_slot * n_slots))

    def _chosen(self, record: UserRecord, rows: Int32s, seen: Int32s, reserved: Int64s, k: int) -> Int64s:
        """Return which of the ordered rows make the list, ascending."""

        def without_twins(places: Int64s, n: int) -> Int64s:
            cosine = self._retrieval.near_duplicate_cosine
            rules = Rules(self._moment.pool, make_set(seen, n + 1), self._moment.matrix, cosine)
            return places[without_near_duplicates(rows[places], rules, n)]

        if not len(reserved):
            return without_twins(np.arange(len(rows)), min(k, len(rows)))
        interests, n_looked_at = self._nearest_interests(record, rows), _SPARE * k
        while True:
            places = _with_room(interests, record.importances, reserved, n_looked_at)
            taken = without_twins(places, len(places))
            if len(taken) >= k or len(places) == len(rows):
                return taken[_with_room(interests[taken], record.importances, reserved, k)]
            n_looked_at *= _SPARE

    def _nearest_interests(self, record: UserRecord, rows: Int32s) -> Int32s:
        if not record.n_interests:
            return np.full(len(rows), NO_INTEREST, np.int32)
        medoids = as_float32(self._moment.embeddings, record.medoid_rows)
        return nearest_position(medoids, self._moment.matrix, rows)


def _with_room(interests: Int32s, importances: Float64s, reserved: Int64s, k: int) -> Int64s:
    """Return which ``k`` of the ordered items stay, ascending: the best, but for room for some interests."""
    wanted = k * importances[reserved] / max(float(importances.sum()), 1e-12)
    n_least = np.maximum(1, np.floor(wanted + 1e-6)).astype(np.int64).tolist()
    room = [np.flatnonzero(interests == at)[:n] for at, n in zip(reserved.tolist(), n_least, strict=True)]
    settled = np.concatenate([places[:1] for places in room] + [places[1:] for places in room])[:k]
    others = np.setdiff1d(np.arange(len(interests)), settled)
    return np.sort(np.concatenate((settled, others[: k - len(settled)])))

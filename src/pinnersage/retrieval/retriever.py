"""Recommendations from a user's interests.

1. Choose the interests to ask, and each one's share of the candidate budget (``draw``).
2. Look up the nearest items of each, through a cache (``neighbors``).
3. Merge: the interest furthest behind its share gives its next item that is available, unseen and no
   near-duplicate of one taken (``candidates``, ``_merge``). A list that runs out is looked up deeper.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.config import RecommendMode, Representative, RetrievalConfig
from pinnersage.errors import ItemNotFoundError, UsageError
from pinnersage.interests.history import history_of
from pinnersage.interests.record import UserRecord
from pinnersage.retrieval import draw
from pinnersage.retrieval._scores import as_matrix, nearest_position, nearest_query
from pinnersage.retrieval.balance import balanced
from pinnersage.retrieval.base import VectorIndex, check_allowed
from pinnersage.retrieval.candidates import Ask, Filled, Recommendations, fill
from pinnersage.retrieval.narrowed import Choice, NarrowedIndex
from pinnersage.retrieval.neighbors import CacheCounts, NeighborCache

__all__ = ["Recommendations", "Retriever"]

_NO_ROWS = np.empty(0, np.int32)
_ANY_COSINE = 2.0


class Retriever:
    """Recommends from user records; safe to use from several threads.

    Parameters
    ----------
    index
        Answers which items are near an embedding; what it does not hold is never found.
    embeddings
        float32 or float16 ``(n_rows, dim)``, unit length; may be memory-mapped.
    pool
        bool ``(n_rows,)``: items that may be recommended now; copied.
    cache_bytes
        Memory for lists of neighbors, about 1-2 KB each; 0 for none.
    representative, decay_per_day
        What the records were built with.
    """

    def __init__(
        self,
        index: VectorIndex,
        embeddings: npt.NDArray[Any],
        pool: Bools,
        config: RetrievalConfig | None = None,
        *,
        cache_bytes: int = 2**26,
        representative: Representative = "medoid",
        decay_per_day: float = 0.01,
    ) -> None:
        check_allowed(pool, len(embeddings))
        self.config = config or RetrievalConfig()
        self._embeddings = embeddings
        self._matrix = as_matrix(embeddings)
        self._pool = pool.copy()
        self._index, self._cache = index, NeighborCache(index, embeddings, cache_bytes)
        self._representative, self._decay_per_day = representative, decay_per_day

    def recommend(
        self,
        record: UserRecord,
        k: int,
        *,
        seed: int = 0,
        mode: RecommendMode | None = None,
        n_interests: int | None = None,
        exclude_seen: bool | None = None,
    ) -> Recommendations:
        """Return up to ``k`` items; fewer only when the pool has no more. What is None is as configured.

        ``sampled`` draws interests by importance with ``seed`` and orders the list by score.
        ``budgeted`` takes the most important interests and keeps the order of their turns, so a
        shorter list is the beginning of a longer one. ``balanced`` chooses from what many interests
        propose; the score is what an item adds to those before it.
        """
        mode = mode or self.config.mode
        asked, shares = self._plan(record, k, seed, mode, n_interests)
        if not len(asked):
            return Recommendations(_NO_ROWS, np.empty(0, np.float32), _NO_ROWS, 0)
        leave_out = self.config.exclude_seen if exclude_seen is None else exclude_seen
        queries = draw.query_vectors(record, asked, self._embeddings, self._representative)
        items = record.medoid_rows[asked].tolist() if self._representative == "medoid" else None
        ask = Ask(queries, items, shares, draw.seen_rows(record) if leave_out else _NO_ROWS)
        if mode == "balanced":
            return self._balanced(record, ask, k)
        taken = self._fill(ask, k, self.config.near_duplicate_cosine)
        rows, scores, turns = taken.rows, taken.scores, taken.turns
        if mode == "sampled":
            rows, scores, turns = nearest_query(queries, self._matrix, rows)
        return Recommendations(rows, scores, asked[turns].astype(np.int32), taken.n_candidates)

    def candidates(self, record: UserRecord, k: int, *, seed: int = 0) -> Recommendations:
        """Return all that a list of ``k`` is chosen from, as configured: the budget, or a wider set."""
        if self.config.mode == "balanced":
            n_interests = self.config.n_balanced_interests
            return self.recommend(record, self.n_wide(k), mode="budgeted", n_interests=n_interests)
        return self.recommend(record, max(k, self.config.candidate_budget), seed=seed)

    def shares(self, record: UserRecord, k: int) -> Int64s:
        """Return how many items each interest may offer to a list of ``k``, most important first.

        Those behind them may offer none. ``sampled`` may draw any, and they offer so many when drawn.
        """
        shares = self._plan(record, k, 0, self.config.mode, None)[1]
        return np.repeat(shares[:1], record.n_interests) if self.config.mode == "sampled" else shares

    def neighbors(self, row: int, k: int) -> tuple[Int32s, Float32s]:
        """Return ``(rows, scores)`` of the items most similar to an item.

        The item itself and what is not available are left out; near-duplicates are not.
        """
        if not 0 <= row < len(self._pool):
            raise ItemNotFoundError(f"expected an item row from 0 to {len(self._pool) - 1}, got {row}")
        _check_positive(k, 1)
        k = min(k, len(self._pool))
        query = np.asarray(self._embeddings[row : row + 1], np.float32)
        ask = Ask(query, [row], draw.equal_shares(1, k), np.array([row], np.int32))
        taken = self._fill(ask, k, near_duplicate_cosine=_ANY_COSINE)
        return taken.rows, taken.scores

    def narrowed(self, choice: Choice) -> Self:
        """Return a retriever for one answer, with a part of this one's items: it does not follow the pool."""
        own = copy.copy(self)
        own._pool = choice.of(self._pool)
        if choice.allowed is not None:
            # What is near may be of another kind: lists from the cache would be read to their ends.
            own._cache = NeighborCache(NarrowedIndex(self._index, own._pool), self._embeddings, 0)
        return own

    def set_available(self, row: int, available: bool) -> None:
        """Take an item out of the pool, or put it back; the next answer obeys."""
        self._pool[row] = available

    def take_in(self, new_rows: Sequence[int]) -> None:
        """Let items that the index has gained be found among the neighbors already looked up."""
        self._cache.take_in(new_rows)

    def cached(self) -> list[tuple[int, int]]:
        """Return item row and depth of each list of neighbors in the cache, the last used at the end."""
        return self._cache.keys()

    def look_up(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Put lists of neighbors into the cache: item row and depth of each."""
        self._cache.of_items([row for row, _ in wanted], [depth for _, depth in wanted])

    def cache_counts(self) -> CacheCounts:
        """Return what the cache of neighbors has done so far."""
        return self._cache.counts()

    def n_wide(self, k: int) -> int:
        """Return from how many candidates a balanced list of ``k`` is chosen."""
        wide = math.ceil(self.config.n_candidates_per_slot * min(k, len(self._pool)))
        return min(max(wide, self.config.candidate_budget), len(self._pool))

    def _plan(
        self, record: UserRecord, k: int, seed: int, mode: RecommendMode, n_interests: int | None
    ) -> tuple[Int64s, Int64s]:
        """Return positions of the interests to ask, most important first, and the share of each."""
        _check_positive(k, 1 if n_interests is None else n_interests)
        budget = max(self.config.candidate_budget, min(k, len(self._pool)))
        if mode == "sampled":
            asked = draw.sample_interests(record.importances, n_interests or self.config.n_interests, seed)
            return asked, draw.equal_shares(len(asked), budget)
        if mode not in ("budgeted", "balanced"):
            raise UsageError(
                f"mode must be 'sampled', 'budgeted' or 'balanced', or 'ranked' where a model has a second "
                f"stage, got {mode!r}"
            )
        n = self.config.n_budgeted_interests
        if mode == "balanced":
            n, budget = self.config.n_balanced_interests, max(budget, self.n_wide(k))
        asked = np.arange(min(n_interests or n, record.n_interests))
        return asked, draw.proportional_shares(record.importances[asked], budget)

    def _balanced(self, record: UserRecord, ask: Ask, k: int) -> Recommendations:
        wide = self._fill(ask, self.n_wide(k), self.config.near_duplicate_cosine).rows
        history = history_of(record, self._decay_per_day)
        rows, gains = balanced(
            history, wide, self._embeddings, k,
            sharpness=self.config.sharpness, saturation=self.config.saturation,
        )  # fmt: skip
        return Recommendations(rows, gains, nearest_position(ask.queries, self._matrix, rows), len(wide))

    def _fill(self, ask: Ask, k: int, near_duplicate_cosine: float) -> Filled:
        return fill(
            ask,
            k,
            cache=self._cache,
            pool=self._pool,
            matrix=self._matrix,
            near_duplicate_cosine=near_duplicate_cosine,
        )


def _check_positive(k: int, n_interests: int) -> None:
    whole = all(isinstance(n, int | np.integer) for n in (k, n_interests))
    if not whole or k < 1 or n_interests < 1:
        raise UsageError(f"k and n_interests must be whole numbers of at least 1, got {k} and {n_interests}")

"""From a few queries to one list: look up, filter, merge, and look deeper while the list is short."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.retrieval._merge import (
    ALL_LONG_ENOUGH,
    NOT_MERGED,
    Lists,
    begin,
    make_set,
    merge_on,
    offer_and_merge,
)
from pinnersage.retrieval._scores import Matrix
from pinnersage.retrieval.neighbors import NeighborCache, Neighbors, depth_for

NO_INTEREST = -1


class Ask(NamedTuple):
    """One request to the index and how its answers are merged.

    Attributes
    ----------
    queries
        float32 ``(n_interests, dim)``.
    item_rows
        The items the queries are embeddings of, which makes them cacheable; None when they are not.
    shares
        int64 ``(n_interests,)`` of the candidate budget.
    seen
        int32 item rows to leave out.
    """

    queries: Float32s
    item_rows: list[int] | None
    shares: Int64s
    seen: Int32s


class Filled(NamedTuple):
    """Items in the order they were taken, with score and position of the query that gave each."""

    rows: Int32s
    scores: Float32s
    turns: Int32s
    n_candidates: int


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Items for one user, in the order to show.

    Attributes
    ----------
    rows
        int32 ``(n,)`` item rows.
    scores
        float32 ``(n,)`` cosine to the interest that stands behind the item; what an item adds to those
        before it (``balanced``); log-odds (``ranked``).
    interests
        int32 ``(n,)`` position of that interest in the user's record; :data:`NO_INTEREST` for items of
        a user without any.
    n_candidates
        Different items the interests offered within the budget.
    """

    rows: Int32s
    scores: Float32s
    interests: Int32s
    n_candidates: int


def fill(
    ask: Ask, k: int, *, cache: NeighborCache, pool: Bools, matrix: Matrix, near_duplicate_cosine: float
) -> Filled:
    """Return ``k`` items, fewer only when the index holds no more that may be taken."""
    k = min(k, len(pool))
    depths = [depth_for(share + share // 4) for share in ask.shares.tolist()]
    lists: list[Neighbors] = []
    short = np.ones(len(depths), np.bool_)
    at, turns = np.empty(k, np.int64), np.empty(k, np.int32)
    dry, n_candidates = NOT_MERGED, 0
    further: _Further | None = None
    while True:
        before, lists = lists, _look_up(lists, ask, depths, short, cache)
        merged = _ragged(lists, ask.shares)
        if dry != NOT_MERGED and _begins_with(lists[dry].rows, before[dry].rows):
            # Most often: the deeper list only has more behind. What the interests offer stays the same.
            further = further or _Further(merged, ask, k, pool, matrix, near_duplicate_cosine)
            short[:] = False
            n, dry = further.merge(merged, at, turns)
        else:
            further = None
            n, dry, n_candidates = offer_and_merge(
                merged, ask.seen, pool, matrix, near_duplicate_cosine, short, at, turns
            )
        if dry == ALL_LONG_ENOUGH:
            scores = np.concatenate([near.scores for near in lists])
            return Filled(merged.rows[at[:n]], scores[at[:n]], turns[:n], n_candidates)
        if dry != NOT_MERGED:
            short[dry] = True
        depths = [depth_for(2 * d) if s else d for d, s in zip(depths, short.tolist(), strict=True)]


class _Further:
    """A merge that goes on where a list ran out, once it is longer: begun anew it would do the same."""

    def __init__(self, lists: Lists, ask: Ask, k: int, pool: Bools, matrix: Matrix, cosine: float) -> None:
        self._rules = make_set(ask.seen, k + 1), pool, matrix, cosine
        self._merging, self._n, self._starts = begin(lists, k, matrix.shape[1]), 0, lists.starts

    def merge(self, lists: Lists, at: Int64s, turns: Int32s) -> tuple[int, int]:
        """Go on with these lists, each of which begins with what it was; see :func:`merge_on`."""
        moved = lists.starts[:-1] - self._starts[:-1]
        at[: self._n] += moved[turns[: self._n]]
        self._merging.cursors[:] += moved
        self._starts = lists.starts
        self._n, dry = merge_on(lists, self._merging, *self._rules, at, turns, self._n)
        return self._n, dry


def _begins_with(rows: Int32s, first: Int32s) -> bool:
    return bool(np.array_equal(rows[: len(first)], first))


def _ragged(lists: list[Neighbors], shares: Int64s) -> Lists:
    starts = np.array([0, *accumulate(len(near.rows) for near in lists)], np.int64)
    complete = np.array([near.complete for near in lists])
    return Lists(np.concatenate([near.rows for near in lists]), starts, complete, shares)


def _look_up(
    lists: list[Neighbors], ask: Ask, depths: list[int], short: Bools, cache: NeighborCache
) -> list[Neighbors]:
    """Return ``lists`` with those that were too short looked up anew."""
    which = [i for i, s in enumerate(short.tolist()) if s]
    wanted = [depths[i] for i in which]
    if ask.item_rows is None:
        fresh = cache.of_vectors(ask.queries[which], wanted)
    else:
        fresh = cache.of_items([ask.item_rows[i] for i in which], wanted)
    found = dict(zip(which, fresh, strict=True))
    return [found[i] if i in found else lists[i] for i in range(len(depths))]

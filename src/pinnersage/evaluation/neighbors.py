"""Nearest items of many queries, looked up once per dataset, and the Retriever's merge for many users.

A list from here is what :class:`~pinnersage.retrieval.retriever.Retriever` returns over an exact
index on the same input: the same inner product, the same merge.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.retrieval._merge import Lists, Rules, make_set, merge
from pinnersage.retrieval._scores import Matrix, as_matrix
from pinnersage.retrieval.exact import ExactIndex

ANY_COSINE = 2.0


class Asked(NamedTuple):
    """Lists to merge, for every user of a day.

    Attributes
    ----------
    offsets
        int64 ``(n_users + 1,)``; user ``u`` asks queries ``offsets[u]:offsets[u + 1]``.
    lists
        int32 ``(n_queries,)`` rows of ``table``.
    table
        int32 ``(n_lists, depth)`` item rows, best first, padded with -1.
    complete
        Whether the lists hold all there is.
    """

    offsets: Int64s
    lists: Int32s
    table: Int32s
    complete: bool


class Barred(NamedTuple):
    """What may not be listed: all outside ``pool``, and of user ``u`` ``rows[offsets[u]:offsets[u + 1]]``."""

    pool: Bools
    offsets: Int64s
    rows: Int32s


@kernel
def _lists_of(asked: Asked, u: int, shares: Int64s) -> Lists:
    first, stop = asked.offsets[u], asked.offsets[u + 1]
    n, depth = stop - first, asked.table.shape[1]
    rows, starts = np.empty(n * depth, np.int32), np.zeros(n + 1, np.int64)
    for q in range(n):
        at = starts[q]
        for j in range(depth):
            row = asked.table[asked.lists[first + q], j]
            if row < 0:
                break
            rows[at] = row
            at += 1
        starts[q + 1] = at
    return Lists(rows, starts, np.full(n, asked.complete), shares[first:stop])


@kernel
def _merge_some(
    asked: Asked,
    shares: Int64s,
    barred: Barred,
    matrix: Matrix,
    cosine: float,
    start: int,
    stop: int,
    out: Int32s,
    dry: Bools,
) -> None:
    budget = out.shape[1]
    places, turns = np.empty(budget, np.int64), np.empty(budget, np.int32)
    for u in range(start, stop):
        if asked.offsets[u] == asked.offsets[u + 1]:
            continue
        lists = _lists_of(asked, u, shares)
        seen = barred.rows[barred.offsets[u] : barred.offsets[u + 1]]
        rules = Rules(barred.pool, make_set(seen, budget + 1), matrix, cosine)
        n, short = merge(lists, rules, places, turns)
        dry[u] = short >= 0
        for k in range(n):
            out[u, k] = lists.rows[places[k]]


@dataclass(slots=True)
class _Kept:
    """Lists looked up so far: the item's row in the table (-1: none), and the table."""

    slots: Int32s
    table: Int32s


class NeighborLists:
    """Nearest items by cosine, exact, over the whole catalogue; an item's list is looked up once.

    Parameters
    ----------
    embeddings
        float32 ``(n_items, d)``.
    depth
        Neighbors kept of each query; where a merge needs more, the queries of that user are looked
        up to the end.
    n_threads
        Threads of lookup and merge; lists do not depend on it.
    near_duplicate_cosine
        As in :class:`~pinnersage.config.RetrievalConfig`; by default near-duplicates may stand in one
        list, so that arms of every kind play by the same rule.
    """

    def __init__(
        self,
        embeddings: Float32s,
        depth: int,
        *,
        n_threads: int = 1,
        near_duplicate_cosine: float = ANY_COSINE,
    ) -> None:
        self._embeddings = embeddings
        self._matrix = as_matrix(embeddings)
        self._index = ExactIndex(embeddings)
        self._depth = min(depth, len(embeddings))
        self._kept = _Kept(np.full(len(embeddings), -1, np.int32), np.empty((0, self._depth), np.int32))
        self._n_threads = n_threads
        self._cosine = near_duplicate_cosine

    def over(self, embeddings: Float32s) -> NeighborLists:
        """Return lists like these over other embeddings."""
        return NeighborLists(
            embeddings, self._depth, n_threads=self._n_threads, near_duplicate_cosine=self._cosine
        )

    def fresh(self) -> NeighborLists:
        """Return lists over the same embeddings, of which none is looked up yet."""
        return self.over(self._embeddings)

    @property
    def matrix(self) -> Matrix:
        """The embeddings as kernels take them."""
        return self._matrix

    def with_near_duplicate_cosine(self, cosine: float) -> NeighborLists:
        """Return the same lists, kept in the same place, under another rule for near-duplicates."""
        other = copy.copy(self)
        other._cosine = cosine
        return other

    def ask_items(self, offsets: Int64s, item_rows: Int32s) -> Asked:
        """Look up the neighbors of items, which a user's queries are."""
        kept = self._kept
        missing = np.unique(item_rows[kept.slots[item_rows] < 0])
        if len(missing):
            fresh = self._search(self._embeddings[missing], self._depth)
            kept.slots[missing] = np.arange(len(missing)) + len(kept.table)
            kept.table = np.concatenate((kept.table, fresh))
        return Asked(offsets, kept.slots[item_rows], kept.table, self._depth == len(self._embeddings))

    def ask_vectors(self, offsets: Int64s, queries: Float32s) -> Asked:
        """Look up the neighbors of any vectors."""
        table = self._search(queries, self._depth)
        lists = np.arange(len(queries), dtype=np.int32)
        return Asked(offsets, lists, table, self._depth == len(self._embeddings))

    def merged(
        self, asked: Asked, shares: Int64s, barred: Barred, budget: int, queries: Float32s | None = None
    ) -> Int32s:
        """Merge every user's lists as the Retriever does: the one furthest behind its share gives next.

        Parameters
        ----------
        asked
            The lists.
        shares
            int64 ``(n_queries,)`` of the budget.
        barred
            What may not be listed.
        budget
            Items per user.
        queries
            float32 ``(n_queries, d)``, to look deeper with; None when the lists are complete.

        Returns
        -------
        int32 ``(n_users, budget)``, padded with -1.
        """
        n_users = len(asked.offsets) - 1
        out, dry = np.full((n_users, budget), -1, np.int32), np.zeros(n_users, np.bool_)

        def work(part: Int64s) -> None:
            start, stop = int(part[0]), int(part[-1]) + 1
            _merge_some(asked, shares, barred, self._matrix, self._cosine, start, stop, out, dry)

        in_parts(work, n_users, self._n_threads)
        if queries is not None:
            for u in np.flatnonzero(dry).tolist():
                self._merge_deep(asked, u, shares, barred, queries, out)
        return out

    def _merge_deep(
        self, asked: Asked, u: int, shares: Int64s, barred: Barred, queries: Float32s, out: Int32s
    ) -> None:
        own = slice(asked.offsets[u], asked.offsets[u + 1])
        table = self._search(queries[own], len(self._embeddings))
        offsets = np.array([0, len(table)], np.int64)
        alone = Asked(offsets, np.arange(len(table), dtype=np.int32), table, True)
        seen = barred.rows[barred.offsets[u] : barred.offsets[u + 1]]
        own_barred = Barred(barred.pool, np.array([0, len(seen)], np.int64), seen)
        out[u] = -1
        _merge_some(
            alone, shares[own], own_barred, self._matrix, self._cosine, 0, 1, out[u : u + 1],
            np.zeros(1, np.bool_),
        )  # fmt: skip

    def _search(self, queries: Float32s, k: int) -> Int32s:
        out = np.empty((len(queries), k), np.int32)

        def work(part: Int64s) -> None:
            own = slice(int(part[0]), int(part[-1]) + 1)
            out[own] = self._index.search(queries[own], k)[1]

        in_parts(work, len(queries), self._n_threads)
        return out


def in_parts(work: Callable[[Int64s], None], n: int, n_threads: int) -> None:
    """Call ``work(positions)`` on contiguous parts of ``range(n)``, in threads.

    Parameters
    ----------
    work
        Takes an int64 array of at least one position; must not depend on how ``n`` is parted.
    n, n_threads
        How many positions, and in how many threads.
    """
    parts = [part for part in np.array_split(np.arange(n), max(1, n_threads)) if len(part)]
    if len(parts) < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(work, parts))

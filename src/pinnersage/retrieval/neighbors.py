"""Nearest items of an interest: a bounded cache before the index, keyed by medoid."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Int32s
from pinnersage.retrieval._scores import as_float32, as_matrix, score_rows
from pinnersage.retrieval.base import VectorIndex

SMALLEST_DEPTH = 32
_MOST_TAKEN_IN, _MOST_GAINING = 16, 4_000
"""New items at once, and lists that one of them joins; with more the cache is emptied."""


class Neighbors(NamedTuple):
    """The nearest items of one query, best first.

    Attributes
    ----------
    complete
        The index holds no others.
    least_score
        An item with a larger one would be among them.
    """

    scores: Float32s
    rows: Int32s
    complete: bool
    least_score: float


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What the cache has done so far."""

    n_hits: int
    n_misses: int
    n_entries: int


def depth_for(n_wanted: int) -> int:
    """Return the depth that is looked up for ``n_wanted`` neighbors: 32, 64, 96, 128, 192, 256, 384, ...

    Few depths mean few entries per medoid; an entry serves its own depth only, so that what a cache
    holds cannot change an answer.
    """
    depth = SMALLEST_DEPTH
    while depth < n_wanted:
        if depth >= 2 * SMALLEST_DEPTH and n_wanted <= depth + depth // 2:
            return depth + depth // 2
        depth *= 2
    return depth


class NeighborCache:
    """Least-recently-used lists of neighbors; safe to use from several threads.

    Parameters
    ----------
    index
        Searched for what is not held.
    embeddings
        float32 or float16 ``(n_rows, dim)``.
    n_entries
        At most this many lists are held; 0 turns the cache off.
    """

    def __init__(self, index: VectorIndex, embeddings: npt.NDArray[Any], n_entries: int) -> None:
        self._index = index
        self._embeddings, self._matrix = embeddings, as_matrix(embeddings)
        self._n_entries = n_entries
        self._lists: OrderedDict[tuple[int, int], Neighbors] = OrderedDict()
        self._lock = threading.Lock()
        self._n_taken_in = 0
        self._n_hits = self._n_misses = 0

    def of_items(self, item_rows: Sequence[int], depths: Sequence[int]) -> list[Neighbors]:
        """Return each item's nearest ``depths[i]`` items of the index, itself among them if it is there."""
        keys = list(zip(item_rows, depths, strict=True))
        n_taken_in, found = self._get(keys)
        missing = [i for i, neighbors in enumerate(found) if neighbors is None]
        if missing:
            queries = as_float32(self._embeddings, np.array([item_rows[i] for i in missing], np.int32))
            fresh = self.of_vectors(queries, [depths[i] for i in missing])
            self._put([keys[i] for i in missing], fresh, n_taken_in)
            for i, neighbors in zip(missing, fresh, strict=True):
                found[i] = neighbors
        return [neighbors for neighbors in found if neighbors is not None]

    def of_vectors(self, queries: Float32s, depths: Sequence[int]) -> list[Neighbors]:
        """Search the index, one call for each depth asked."""
        answers: dict[int, Neighbors] = {}
        n_items = self._index.n_items  # items may come during the search
        for depth in sorted(set(depths)):
            chosen = [i for i, d in enumerate(depths) if d == depth]
            scores, rows = self._index.search(queries[chosen], min(depth, max(1, n_items)))
            complete = depth >= n_items
            for i, s, r in zip(chosen, scores, rows, strict=True):
                n = int(np.count_nonzero(r >= 0))
                answers[i] = _of_depth(s[:n].copy(), r[:n].copy(), depth, complete=complete)
        return [answers[i] for i in range(len(depths))]

    def keys(self) -> list[tuple[int, int]]:
        """Return item row and depth of each list held, the last used at the end."""
        with self._lock:
            return list(self._lists)

    def take_in(self, new_rows: Sequence[int]) -> None:
        """Put items that the index has gained, behind all others, where a search would now find them.

        Many at once, or one that belongs in very many lists, empty the cache: that is the shorter wait.
        """
        if not len(new_rows):
            return
        with self._lock:
            self._n_taken_in += 1
            if len(new_rows) > _MOST_TAKEN_IN:
                self._lists.clear()
            for row in new_rows:
                self._take_in(row)

    def _take_in(self, row: int) -> None:
        if self._lists:
            medoids = np.array([[medoid for medoid, _ in self._lists]], np.int32)
            scores = np.empty(medoids.shape, np.float32)
            score_rows(as_float32(self._embeddings, np.array([row], np.int32)), self._matrix, medoids, scores)
            gaining = [
                (key, held, score + 0.0)
                for (key, held), score in zip(self._lists.items(), scores[0].tolist(), strict=True)
                if score > held.least_score
            ]
            if len(gaining) > _MOST_GAINING:
                self._lists.clear()
                return
            for key, held, score in gaining:
                if (held.rows == row).any():
                    del self._lists[key]  # the search saw the item come, and may have counted without it
                else:
                    self._lists[key] = _joined(held, row, score, key[1], self._index.n_items)

    def counts(self) -> CacheCounts:
        """Return hits, misses and entries held."""
        with self._lock:
            return CacheCounts(self._n_hits, self._n_misses, len(self._lists))

    def _get(self, keys: list[tuple[int, int]]) -> tuple[int, list[Neighbors | None]]:
        with self._lock:
            n_taken_in = self._n_taken_in
            found = [self._lists.get(key) for key in keys]
            for key, neighbors in zip(keys, found, strict=True):
                if neighbors is not None:
                    self._lists.move_to_end(key)
                    self._n_hits += 1
                else:
                    self._n_misses += 1
        return n_taken_in, found

    def _put(self, keys: list[tuple[int, int]], fresh: list[Neighbors], n_taken_in: int) -> None:
        with self._lock:
            if n_taken_in != self._n_taken_in:
                return  # the search may have missed what came meanwhile
            for key, neighbors in zip(keys, fresh, strict=True):
                self._lists[key] = neighbors
                self._lists.move_to_end(key)
            while len(self._lists) > self._n_entries:
                self._lists.popitem(last=False)


def _of_depth(scores: Float32s, rows: Int32s, depth: int, *, complete: bool) -> Neighbors:
    is_full = len(rows) == depth and not complete
    return Neighbors(scores, rows, complete, float(scores[-1]) if is_full else -np.inf)


def _joined(held: Neighbors, row: int, score: float, depth: int, n_items: int) -> Neighbors:
    """Return a list with one more item, which stands behind those of equal score."""
    at = int(np.searchsorted(-held.scores, np.float32(-score), side="right"))
    scores, rows = np.insert(held.scores, at, score)[:depth], np.insert(held.rows, at, row)[:depth]
    return _of_depth(scores, rows, depth, complete=depth >= n_items)

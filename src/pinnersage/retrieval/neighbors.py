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
_MOST_MISSED = 64
"""A list that so many newer items were not held against is looked up anew: that is the shorter wait."""
_BYTES_A_LIST, _BYTES_A_NEIGHBOR = 600, 8
"""Of the objects around the scores and rows of one list (measured), and of a score and a row."""


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

    @property
    def n_bytes(self) -> int:
        """Memory that the list takes in a cache, nearly."""
        return bytes_of(len(self.rows))


Key = tuple[int, int]
"""Item row and depth."""


class _Held(NamedTuple):
    """A list, and the number of new items that it was held against."""

    neighbors: Neighbors
    n_known: int


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What the cache has done so far."""

    n_hits: int
    n_misses: int
    n_entries: int


def bytes_of(n_neighbors: int) -> int:
    """Return the memory that a list of so many neighbors takes in a cache, nearly."""
    return _BYTES_A_LIST + _BYTES_A_NEIGHBOR * n_neighbors


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
    max_bytes
        At most this much memory is held; 0 turns the cache off.
    """

    def __init__(self, index: VectorIndex, embeddings: npt.NDArray[Any], max_bytes: int) -> None:
        self._index = index
        self._embeddings, self._matrix = embeddings, as_matrix(embeddings)
        self._max_bytes, self._n_bytes = max_bytes, 0
        self._lists: OrderedDict[Key, _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._new_rows: list[int] = []
        self._n_hits = self._n_misses = 0

    def of_items(self, item_rows: Sequence[int], depths: Sequence[int]) -> list[Neighbors]:
        """Return each item's nearest ``depths[i]`` items of the index, itself among them if it is there."""
        keys = list(zip(item_rows, depths, strict=True))
        n_known, found = self._get(keys)
        missing = [i for i, neighbors in enumerate(found) if neighbors is None]
        if missing:
            queries = as_float32(self._embeddings, np.array([item_rows[i] for i in missing], np.int32))
            fresh = self.of_vectors(queries, [depths[i] for i in missing])
            self._put([keys[i] for i in missing], fresh, n_known)
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

    def keys(self) -> list[Key]:
        """Return item row and depth of each list held, the last used at the end."""
        with self._lock:
            return list(self._lists)

    def take_in(self, new_rows: Sequence[int]) -> None:
        """Let items that the index has gained, behind all others, be found where a search would find them.

        Each list is held against them when it is next asked for.
        """
        with self._lock:
            self._new_rows.extend(new_rows)

    def counts(self) -> CacheCounts:
        """Return hits, misses and entries held."""
        with self._lock:
            return CacheCounts(self._n_hits, self._n_misses, len(self._lists))

    def _get(self, keys: list[Key]) -> tuple[int, list[Neighbors | None]]:
        """Return what is held, and how many of the new items that is as of."""
        with self._lock:
            n_known = len(self._new_rows)
            found = [self._current(key, n_known) for key in keys]
            n_hits = len(found) - found.count(None)
            self._n_hits += n_hits
            self._n_misses += len(found) - n_hits
        return n_known, found

    def _current(self, key: Key, n_known: int) -> Neighbors | None:
        held = self._lists.get(key)
        if held is None:
            return None
        self._lists.move_to_end(key)
        if held.n_known == n_known:
            return held.neighbors
        neighbors = self._joined_by(held.neighbors, self._new_rows[held.n_known :], key)
        if neighbors is None:
            self._n_bytes -= self._lists.pop(key).neighbors.n_bytes
        else:
            self._hold(key, _Held(neighbors, n_known))
        return neighbors

    def _joined_by(self, neighbors: Neighbors, new_rows: list[int], key: Key) -> Neighbors | None:
        """Return a list with those of the new items that a search would find; None: search instead."""
        if len(new_rows) > _MOST_MISSED:
            return None
        item_row, depth = key
        rows, scores = np.array([new_rows], np.int32), np.empty((1, len(new_rows)), np.float32)
        score_rows(as_float32(self._embeddings, np.array([item_row], np.int32)), self._matrix, rows, scores)
        for row, score in zip(new_rows, (scores[0] + 0.0).tolist(), strict=True):
            if score > neighbors.least_score:
                if (neighbors.rows == row).any():
                    return None  # The search saw the item come, and may have counted without it.
                neighbors = _joined(neighbors, row, score, depth, self._index.n_items)
        return neighbors

    def _put(self, keys: list[Key], fresh: list[Neighbors], n_known: int) -> None:
        """Hold lists that may know of no more than the first ``n_known`` new items."""
        with self._lock:
            for key, neighbors in zip(keys, fresh, strict=True):
                self._hold(key, _Held(neighbors, n_known))
                self._lists.move_to_end(key)
            while self._n_bytes > self._max_bytes:
                self._n_bytes -= self._lists.popitem(last=False)[1].neighbors.n_bytes

    def _hold(self, key: Key, held: _Held) -> None:
        before = self._lists.get(key)
        self._n_bytes += held.neighbors.n_bytes - (before.neighbors.n_bytes if before else 0)
        self._lists[key] = held


def _of_depth(scores: Float32s, rows: Int32s, depth: int, *, complete: bool) -> Neighbors:
    is_full = len(rows) == depth and not complete
    return Neighbors(scores, rows, complete, float(scores[-1]) if is_full else -np.inf)


def _joined(held: Neighbors, row: int, score: float, depth: int, n_items: int) -> Neighbors:
    """Return a list with one more item, which stands behind those of equal score."""
    at = int(np.searchsorted(-held.scores, np.float32(-score), side="right"))
    scores, rows = np.insert(held.scores, at, score)[:depth], np.insert(held.rows, at, row)[:depth]
    return _of_depth(scores, rows, depth, complete=depth >= n_items)

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
from pinnersage.retrieval._scores import as_float32
from pinnersage.retrieval.base import VectorIndex

SMALLEST_DEPTH = 32


class Neighbors(NamedTuple):
    """The nearest items of one query, best first; ``complete`` when the index holds no others."""

    scores: Float32s
    rows: Int32s
    complete: bool


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
        self._embeddings = embeddings
        self._n_entries = n_entries
        self._lists: OrderedDict[tuple[int, int], Neighbors] = OrderedDict()
        self._lock = threading.Lock()
        self._n_hits = self._n_misses = 0

    def of_items(self, item_rows: Sequence[int], depths: Sequence[int]) -> list[Neighbors]:
        """Return each item's nearest ``depths[i]`` items of the index, itself among them if it is there."""
        keys = list(zip(item_rows, depths, strict=True))
        found = self._get(keys)
        missing = [i for i, neighbors in enumerate(found) if neighbors is None]
        if missing:
            queries = as_float32(self._embeddings, np.array([item_rows[i] for i in missing], np.int32))
            fresh = self.of_vectors(queries, [depths[i] for i in missing])
            self._put([keys[i] for i in missing], fresh)
            for i, neighbors in zip(missing, fresh, strict=True):
                found[i] = neighbors
        return [neighbors for neighbors in found if neighbors is not None]

    def of_vectors(self, queries: Float32s, depths: Sequence[int]) -> list[Neighbors]:
        """Search the index, one call for each depth asked."""
        answers: dict[int, Neighbors] = {}
        for depth in sorted(set(depths)):
            chosen = [i for i, d in enumerate(depths) if d == depth]
            scores, rows = self._index.search(queries[chosen], min(depth, max(1, self._index.n_items)))
            complete = depth >= self._index.n_items
            for i, s, r in zip(chosen, scores, rows, strict=True):
                n = int(np.count_nonzero(r >= 0))
                answers[i] = Neighbors(s[:n].copy(), r[:n].copy(), complete)
        return [answers[i] for i in range(len(depths))]

    def keys(self) -> list[tuple[int, int]]:
        """Return item row and depth of each list held, the last used at the end."""
        with self._lock:
            return list(self._lists)

    def clear(self) -> None:
        """Forget all lists; the counts stay."""
        with self._lock:
            self._lists.clear()

    def counts(self) -> CacheCounts:
        """Return hits, misses and entries held."""
        with self._lock:
            return CacheCounts(self._n_hits, self._n_misses, len(self._lists))

    def _get(self, keys: list[tuple[int, int]]) -> list[Neighbors | None]:
        with self._lock:
            found = [self._lists.get(key) for key in keys]
            for key, neighbors in zip(keys, found, strict=True):
                if neighbors is not None:
                    self._lists.move_to_end(key)
                    self._n_hits += 1
                else:
                    self._n_misses += 1
        return found

    def _put(self, keys: list[tuple[int, int]], fresh: list[Neighbors]) -> None:
        with self._lock:
            for key, neighbors in zip(keys, fresh, strict=True):
                self._lists[key] = neighbors
                self._lists.move_to_end(key)
            while len(self._lists) > self._n_entries:
                self._lists.popitem(last=False)

"""Which items a list may hold, and an index that finds no others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.retrieval.base import VectorIndex


class Choice(NamedTuple):
    """Which items of the pool a list may hold.

    Attributes
    ----------
    allowed
        bool, one per row of the embedding matrix; None: all.
    left_out
        int32 ``(n,)`` rows that are not, allowed or not.
    """

    allowed: Bools | None
    left_out: Int32s

    def of(self, pool: Bools) -> Bools:
        """Return what is left of a pool."""
        left = pool.copy() if self.allowed is None else pool & self.allowed
        left[self.left_out] = False
        return left


class NarrowedIndex(VectorIndex):
    """Finds only the allowed items of another index.

    Parameters
    ----------
    index
        Searched.
    allowed
        bool, one per row of the embedding matrix.
    """

    def __init__(self, index: VectorIndex, allowed: Bools) -> None:
        self._index, self._allowed = index, allowed
        self._n_items = int(np.count_nonzero(allowed))

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._index.dim

    @property
    def n_items(self) -> int:
        """Number of items that can be found, or a few more."""
        return self._n_items

    def search(self, queries: Float32s, k: int, *, allowed: Bools | None = None) -> tuple[Float32s, Int32s]:
        """Find the ``k`` best items; see :meth:`VectorIndex.search`."""
        both = self._allowed if allowed is None else self._allowed & allowed
        return self._index.search(queries, k, allowed=both)

    def close(self) -> None:
        """Close the index that is searched."""
        self._index.close()

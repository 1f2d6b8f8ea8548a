"""An index of a build, and the rows that came behind it: two searches, one order."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.items.live import LiveItems
from pinnersage.retrieval._scores import as_matrix, best_rows
from pinnersage.retrieval.base import VectorIndex, check_allowed, check_search


class OverlayIndex(VectorIndex):
    """Searches the build's index, and the new rows exactly; scores and order are those of both.

    Which rows may still be found is the caller's ``allowed``, or the pool it merges with.

    Parameters
    ----------
    base
        Holds rows of the build only.
    items
        Their live catalogue.
    """

    def __init__(self, base: VectorIndex, items: LiveItems) -> None:
        self._base, self._items = base, items
        self._matrix = as_matrix(items.embeddings)

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._base.dim

    @property
    def n_items(self) -> int:
        """Number of items that can be found, retired rows among them."""
        return self._base.n_items + self._items.n_new

    def search(self, queries: Float32s, k: int, *, allowed: Bools | None = None) -> tuple[Float32s, Int32s]:
        """Find the ``k`` best items; see :meth:`VectorIndex.search`."""
        queries = check_search(queries, k, self.dim)
        n_base, n_rows = self._items.n_base, len(self._items)
        if allowed is not None:
            check_allowed(allowed, len(self._matrix))
        scores, rows = self._base.search(queries, k, allowed=None if allowed is None else allowed[:n_base])
        if n_rows == n_base or not len(queries):
            return scores, rows
        new = np.arange(n_base, n_rows, dtype=np.int32)
        if allowed is not None:
            new = new[allowed[n_base:n_rows]]
        together = np.hstack([rows, np.tile(new, (len(queries), 1))])
        return best_rows(queries, self._matrix, together, k)

    def close(self) -> None:
        """Free the memory map of the build's index."""
        self._base.close()

"""The exact index: every embedding is looked at. The reference for the others, and right for small pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.errors import UsageError
from pinnersage.retrieval._scores import as_matrix, best_rows, fill_products
from pinnersage.retrieval.base import VectorIndex, check_allowed, check_search

BLOCK_ROWS = 4_096
MAX_SCORES = 8_000_000
FEW_QUERIES = 16
"""So many and fewer are not given to a library: its threads would wait for each other on a busy machine."""


class ExactIndex(VectorIndex):
    """Blocked scan over a (memory-mapped) matrix.

    A fast matrix product, whose last bits depend on threads and batch, only narrows the choice to
    what could be among the ``k`` best; scores and order come from one fixed inner product.

    Parameters
    ----------
    embeddings
        float32 or float16 ``(n_rows, dim)``; kept, not copied.
    pool
        bool ``(n_rows,)``: the items that can be found; all when None.
    largest_norm
        Length of the longest embedding of the pool, if known; else computed here.

    Raises
    ------
    UsageError
        The matrix is not two-dimensional float32 or float16, or ``pool`` has another length.
    """

    def __init__(
        self, embeddings: npt.NDArray[Any], pool: Bools | None = None, *, largest_norm: float | None = None
    ) -> None:
        if embeddings.ndim != 2 or embeddings.dtype not in (np.float32, np.float16):
            raise UsageError(
                f"embeddings must be a float32 or float16 matrix, got {embeddings.dtype} {embeddings.shape}"
            )
        n_rows = len(embeddings)
        if pool is not None:
            check_allowed(pool, n_rows)
        self._embeddings = embeddings
        self._matrix = as_matrix(embeddings)
        everywhere = np.ones(n_rows, np.bool_) if pool is None else pool
        self._rows = np.flatnonzero(everywhere).astype(np.int32)
        self._largest_norm = longest(embeddings, self._rows) if largest_norm is None else largest_norm

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return int(self._matrix.shape[1])

    @property
    def n_items(self) -> int:
        """Number of items that can be found."""
        return len(self._rows)

    def search(self, queries: Float32s, k: int, *, allowed: Bools | None = None) -> tuple[Float32s, Int32s]:
        """Find the ``k`` best items exactly; see :meth:`VectorIndex.search`."""
        queries = check_search(queries, k, self.dim)
        rows = self._rows
        if allowed is not None:
            check_allowed(allowed, len(self._matrix))
            rows = rows[allowed[rows]]
        step = max(1, MAX_SCORES // max(1, len(rows)))
        parts = [self._search_some(queries[i : i + step], k, rows) for i in range(0, len(queries), step)]
        if not parts:
            return np.empty((0, k), np.float32), np.empty((0, k), np.int32)
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _search_some(self, queries: Float32s, k: int, rows: Int32s) -> tuple[Float32s, Int32s]:
        if k >= len(rows):
            return best_rows(queries, self._matrix, np.tile(rows, (len(queries), 1)), k)
        rough = np.empty((len(queries), len(rows)), np.float32)
        if len(queries) <= FEW_QUERIES:
            fill_products(queries, self._matrix, rows, rough.T)
        else:
            for start, block in blocks(self._embeddings, rows):
                np.matmul(queries, block.T, out=rough[:, start : start + len(block)])
        cut = np.partition(rough, len(rows) - k, axis=1)[:, len(rows) - k]
        possible = rough >= (cut - self._rounding(queries))[:, None]
        return best_rows(queries, self._matrix, _ragged_to_padded(possible, rows), k)

    def _rounding(self, queries: Float32s) -> Float32s:
        """Twice the most by which two ways of summing one inner product can differ."""
        norms = np.linalg.norm(queries, axis=1)
        return np.asarray(norms * np.float32(self._largest_norm * (self.dim + 8) * 2.0**-22), np.float32)

    def close(self) -> None:
        """Nothing to free: the matrix belongs to the caller."""


def blocks(embeddings: npt.NDArray[Any], rows: Int32s) -> Any:
    """Yield ``(start, float32 block)`` over the embeddings of ``rows``, ``BLOCK_ROWS`` at a time."""
    for start in range(0, len(rows), BLOCK_ROWS):
        part = rows[start : start + BLOCK_ROWS]
        together = int(part[-1]) - int(part[0]) == len(part) - 1
        chosen = embeddings[int(part[0]) : int(part[-1]) + 1] if together else embeddings[part]
        yield start, np.asarray(chosen, dtype=np.float32)


def longest(embeddings: npt.NDArray[Any], rows: Int32s) -> float:
    """Return the largest length among the embeddings of ``rows``."""
    return max((float(np.linalg.norm(b, axis=1).max()) for _, b in blocks(embeddings, rows)), default=0.0)


def _ragged_to_padded(possible: Bools, rows: Int32s) -> Int32s:
    """Turn a mask ``(n_queries, n_rows)`` into row numbers, padded with -1."""
    counts = possible.sum(axis=1)
    padded = np.full((len(possible), int(counts.max())), -1, np.int32)
    query, column = np.nonzero(possible)
    first = np.cumsum(counts) - counts
    padded[query, np.arange(len(query)) - first[query]] = rows[column]
    return padded

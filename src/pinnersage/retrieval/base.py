"""What every nearest-neighbour index offers to retrieval."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.errors import UsageError


class VectorIndex(ABC):
    """Items searchable by inner product; a cosine when the embeddings have unit length.

    An index is immutable and safe to search from several threads. It may hold only a part of the
    items (the pool it was built from); the rows it returns are rows of the embedding matrix.
    """

    @property
    @abstractmethod
    def dim(self) -> int:
        """Width of an embedding."""

    @property
    @abstractmethod
    def n_items(self) -> int:
        """Number of items that can be found."""

    @abstractmethod
    def search(self, queries: Float32s, k: int, *, allowed: Bools | None = None) -> tuple[Float32s, Int32s]:
        """Find the ``k`` items with the largest inner product.

        Parameters
        ----------
        queries
            float32 ``(n_queries, dim)``, finite.
        k
            Neighbors per query, at least 1.
        allowed
            bool, one per row of the embedding matrix; only rows that are True may be returned.

        Returns
        -------
        scores
            float32 ``(n_queries, k)``, descending; ``-inf`` where there are fewer items.
        rows
            int32 ``(n_queries, k)`` item rows; -1 where there are fewer items. Of equal scores the
            smaller row comes first.

        Raises
        ------
        UsageError
            A query of another width, or ``k`` below 1.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the memory map; a second call does nothing."""


def check_search(queries: Float32s, k: int, dim: int) -> Float32s:
    """Return ``queries`` as contiguous float32, or raise :class:`UsageError`."""
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise UsageError(f"queries must have shape (n_queries, {dim}), got {queries.shape}")
    return np.require(queries, np.float32, ["C", "W"])


def check_allowed(allowed: Bools, n_rows: int) -> None:
    """Raise :class:`UsageError` unless ``allowed`` has one bool per row of the embedding matrix."""
    if allowed.dtype != np.bool_ or allowed.shape != (n_rows,):
        raise UsageError(f"allowed must be bool of shape ({n_rows},), got {allowed.dtype} {allowed.shape}")

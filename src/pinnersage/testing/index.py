"""Conformance suite of :class:`~pinnersage.retrieval.base.VectorIndex`; a backend's tests subclass it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.errors import UsageError
from pinnersage.retrieval.base import VectorIndex

N_ROWS = 3_000
DIM = 16


def clustered(n_rows: int, dim: int, seed: int) -> Float32s:
    """Return float32 unit vectors around one centre per 30 items."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, n_rows // 30), dim))
    vectors = centres[rng.integers(0, len(centres), n_rows)] + 0.7 * rng.standard_normal((n_rows, dim))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def naive_search(embeddings: npt.NDArray[Any], found: Bools, query: Float32s, k: int) -> list[int]:
    """Return the rows of the ``k`` largest inner products, smaller row first, the slow way."""
    scores = {row: float(np.dot(embeddings[row].astype(np.float64), query)) for row in np.flatnonzero(found)}
    return [int(row) for row in sorted(scores, key=lambda row: (-scores[row], row))[:k]]


class VectorIndexSuite(ABC):
    """What every index must do. ``recall`` is the share of true neighbors the backend promises."""

    recall = 1.0
    ties_by_row = True

    @abstractmethod
    def make(self, embeddings: npt.NDArray[Any], pool: Bools, folder: Path) -> VectorIndex:
        """Return an index over the rows of ``embeddings`` where ``pool`` is True."""

    @pytest.fixture
    def embeddings(self) -> Float32s:
        """Return the matrix most checks use."""
        return clustered(N_ROWS, DIM, seed=1)

    @pytest.fixture
    def pool(self) -> Bools:
        """Return a pool without every fifth item."""
        return np.asarray(np.arange(N_ROWS) % 5 != 0)

    @pytest.fixture
    def index(self, embeddings: Float32s, pool: Bools, tmp_path: Path) -> VectorIndex:
        """Return the index under test."""
        return self.make(embeddings, pool, tmp_path / "index")

    def test_sizes(self, index: VectorIndex, pool: Bools) -> None:
        """It knows its width and how many items it holds."""
        assert index.dim == DIM
        assert index.n_items == int(pool.sum())

    @pytest.mark.parametrize("k", [1, 10, 100])
    def test_finds_the_true_neighbors(
        self, index: VectorIndex, embeddings: Float32s, pool: Bools, k: int
    ) -> None:
        """Of the true neighbors at least the promised share is found."""
        queries = embeddings[::100]
        _, rows = index.search(queries, k)
        hits = [
            len(set(r) & set(naive_search(embeddings, pool, q, k)))
            for q, r in zip(queries, rows, strict=True)
        ]
        assert sum(hits) >= self.recall * k * len(queries)

    def test_shapes_types_and_order(self, index: VectorIndex, embeddings: Float32s, pool: Bools) -> None:
        """Scores are the inner products, descending; rows are of the pool, none twice."""
        scores, rows = index.search(embeddings[:7], 50)
        assert scores.dtype == np.float32
        assert rows.dtype == np.int32
        assert scores.shape == rows.shape == (7, 50)
        assert (np.diff(scores, axis=1) <= 0).all()
        assert pool[rows].all()
        assert all(len(set(r)) == 50 for r in rows)
        expected = np.einsum(
            "qd,qkd->qk", embeddings[:7].astype(np.float64), embeddings[rows].astype(np.float64)
        )
        np.testing.assert_allclose(scores, expected, atol=1e-5)

    def test_more_than_there_are(self, index: VectorIndex, embeddings: Float32s, pool: Bools) -> None:
        """Asked for more than it holds, it returns all, then -1 and -inf."""
        n = index.n_items
        scores, rows = index.search(embeddings[:2], n + 3)
        assert (np.sort(rows[:, :n], axis=1) == np.flatnonzero(pool)).all()
        assert (rows[:, n:] == -1).all()
        assert np.isneginf(scores[:, n:]).all()

    @pytest.mark.parametrize("share", [0.5, 0.05, 0.004])
    def test_allowed(self, index: VectorIndex, embeddings: Float32s, pool: Bools, share: float) -> None:
        """Only allowed rows come back, and the allowed neighbors are found, however few are allowed."""
        allowed = np.random.default_rng(3).random(N_ROWS) < share
        queries = embeddings[::200]
        _, rows = index.search(queries, 10, allowed=allowed)
        both = pool & allowed
        n = min(10, int(both.sum()))
        assert both[rows[:, :n]].all()
        hits = [
            len(set(r) & set(naive_search(embeddings, both, q, n)))
            for q, r in zip(queries, rows, strict=True)
        ]
        assert sum(hits) >= self.recall * n * len(queries)

    def test_none_allowed(self, index: VectorIndex, embeddings: Float32s) -> None:
        """With nothing allowed there is nothing to find."""
        _, rows = index.search(embeddings[:2], 4, allowed=np.zeros(N_ROWS, np.bool_))
        assert (rows == -1).all()

    def test_no_queries(self, index: VectorIndex) -> None:
        """No queries give no answers."""
        scores, rows = index.search(np.empty((0, DIM), np.float32), 5)
        assert scores.shape == rows.shape == (0, 5)

    def test_ties_by_row(self, tmp_path: Path) -> None:
        """Of equal items the one in the smaller row comes first."""
        distinct = clustered(N_ROWS // 10, DIM, seed=4)
        repeated = np.tile(distinct, (10, 1))
        index = self.make(repeated, np.ones(N_ROWS, np.bool_), tmp_path / "ties")
        _, rows = index.search(distinct[:5], 10)
        if self.ties_by_row:
            assert (rows == np.arange(5)[:, None] + np.arange(10) * len(distinct)).all()
        assert (np.diff(rows, axis=1) > 0).all()

    def test_alone_as_together(self, index: VectorIndex, embeddings: Float32s) -> None:
        """A query is answered alike alone, in a batch, and from several threads, bit for bit."""
        queries = embeddings[:12]
        together = index.search(queries, 20)
        answers: dict[int, tuple[Float32s, Int32s]] = {}

        def ask(i: int) -> None:
            answers[i] = index.search(queries[i : i + 1], 20)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(queries))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(len(queries)):
            np.testing.assert_array_equal(answers[i][0][0], together[0][i])
            np.testing.assert_array_equal(answers[i][1][0], together[1][i])

    def test_bad_calls(self, index: VectorIndex, embeddings: Float32s) -> None:
        """A wrong width, a ``k`` below 1 and a wrong ``allowed`` are refused."""
        with pytest.raises(UsageError, match="shape"):
            index.search(embeddings[:1, :-1], 3)
        with pytest.raises(UsageError, match="k must"):
            index.search(embeddings[:1], 0)
        with pytest.raises(UsageError, match="allowed"):
            index.search(embeddings[:1], 3, allowed=np.ones(3, np.bool_))

    def test_close_twice(self, index: VectorIndex) -> None:
        """Closing again does nothing."""
        index.close()
        index.close()

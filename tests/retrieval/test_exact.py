from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from threadpoolctl import threadpool_limits

from pinnersage._arrays import Bools
from pinnersage.errors import UsageError
from pinnersage.retrieval import exact
from pinnersage.retrieval._scores import as_matrix, score_rows
from pinnersage.retrieval.base import VectorIndex
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.testing.index import VectorIndexSuite, clustered, naive_search


class TestExactIndex(VectorIndexSuite):
    def make(self, embeddings: npt.NDArray[Any], pool: Bools, folder: Path) -> VectorIndex:
        return ExactIndex(embeddings, pool)


class TestExactIndexFloat16(VectorIndexSuite):
    recall = 0.98  # the suite's truth is of the float32 vectors

    def make(self, embeddings: npt.NDArray[Any], pool: Bools, folder: Path) -> VectorIndex:
        return ExactIndex(embeddings.astype(np.float16), pool)

    def test_shapes_types_and_order(self, index: VectorIndex, embeddings: Any, pool: Bools) -> None:
        scores, rows = index.search(embeddings[:7], 50)
        half = embeddings.astype(np.float16).astype(np.float64)
        np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", embeddings[:7], half[rows]), atol=1e-5)


@st.composite
def small_integers(draw: Any) -> tuple[npt.NDArray[np.float32], Bools, npt.NDArray[np.float32], int]:
    """Vectors of small integers: every sum is exact, so that ties are real ties in any order of adding."""
    n, dim = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    small = st.integers(-2, 2).map(float)
    items = draw(arrays(np.float32, (n, dim), elements=small))
    pool = draw(arrays(np.bool_, n))
    queries = draw(arrays(np.float32, (2, dim), elements=small))
    return items, pool, queries, draw(st.integers(1, n + 2))


@given(small_integers())
@settings(max_examples=150, deadline=None)
def test_equals_sorting_everything(case: Any) -> None:
    items, pool, queries, k = case
    for matrix in (items, items.astype(np.float16)):
        _, rows = ExactIndex(matrix, pool).search(queries, k)
        for query, found in zip(queries, rows, strict=True):
            expected = naive_search(items, pool, query, k)
            assert found[: len(expected)].tolist() == expected
            assert (found[len(expected) :] == -1).all()


@pytest.mark.parametrize("few", [0, 7, 64])
def test_blocks_threads_and_ways_to_multiply_change_nothing(
    monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    items = clustered(3_000, 24, seed=5)
    with threadpool_limits(1):
        expected = ExactIndex(items).search(items[:40], 60)
    monkeypatch.setattr(exact, "FEW_QUERIES", few)
    monkeypatch.setattr(exact, "BLOCK_ROWS", 7)
    monkeypatch.setattr(exact, "MAX_SCORES", 9_000)
    got = ExactIndex(items).search(items[:40], 60)
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(got[1], expected[1])


@pytest.mark.parametrize("dim", [64, 256, 700])
def test_near_ties_are_decided_by_the_published_score(dim: int) -> None:
    """Items that differ by a few roundings come out in the order of their published scores."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((1, dim)).astype(np.float32)
    items = np.asarray(base * (1 + 1e-6 * rng.standard_normal((3_000, dim))), np.float32)
    rows = np.arange(3_000, dtype=np.int32)
    all_scores = np.empty((1, 3_000), np.float32)
    score_rows(base, as_matrix(items), rows[None], all_scores)
    expected = np.lexsort((rows, -all_scores[0]))[:20]
    scores, found = ExactIndex(items).search(base, 20)
    assert found[0].tolist() == expected.tolist()
    np.testing.assert_array_equal(scores[0], all_scores[0, expected])


def test_every_finite_half_is_widened_to_its_value() -> None:
    bits = np.arange(65_536, dtype=np.uint16)
    halves = bits.view(np.float16)
    finite = halves[np.isfinite(halves)][:, None]
    scores = np.empty((1, len(finite)), np.float32)
    rows = np.arange(len(finite), dtype=np.int32)[None]
    score_rows(np.ones((1, 1), np.float32), as_matrix(finite), rows, scores)
    np.testing.assert_array_equal(scores[0], finite[:, 0].astype(np.float32))


def test_reads_a_memory_map(tmp_path: Path) -> None:
    items = clustered(500, 8, seed=6)
    np.save(tmp_path / "items.npy", items)
    mapped = np.load(tmp_path / "items.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        ExactIndex(mapped).search(items[:3], 9)[1], ExactIndex(items).search(items[:3], 9)[1]
    )


def test_empty_pool() -> None:
    _, rows = ExactIndex(clustered(10, 4, seed=0), np.zeros(10, np.bool_)).search(
        np.ones((1, 4), np.float32), 2
    )
    assert rows.tolist() == [[-1, -1]]


@pytest.mark.parametrize("bad", [np.zeros(3, np.float32), np.zeros((3, 2), np.float64)])
def test_refuses_other_matrices(bad: npt.NDArray[Any]) -> None:
    with pytest.raises(UsageError, match="float32 or float16"):
        ExactIndex(bad)

"""Inner products of items with queries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pinnersage.retrieval._scores import as_matrix, products


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("n_rows", "n_queries"), [(1, 1), (2, 4), (5, 3), (7, 9), (40, 64)])
def test_products_are_the_sums_and_do_not_depend_on_place(n_rows: int, n_queries: int, dtype: type) -> None:
    rng = np.random.default_rng(n_rows)
    embeddings: npt.NDArray[Any] = rng.normal(size=(50, 33)).astype(dtype)
    queries = rng.normal(size=(n_queries, 33)).astype(np.float32)
    rows = rng.permutation(50)[:n_rows].astype(np.int32)
    found = products(queries, as_matrix(embeddings), rows)
    exact = embeddings[rows].astype(np.float64) @ queries.T.astype(np.float64)
    assert found == pytest.approx(exact, abs=1e-4)
    by_row, by_query = rng.permutation(n_rows), rng.permutation(n_queries)
    moved = products(queries[by_query], as_matrix(embeddings), rows[by_row])
    assert np.array_equal(moved, found[by_row][:, by_query])
    assert np.array_equal(products(queries[-1:], as_matrix(embeddings), rows[-1:])[0, 0], found[-1, -1])


def test_nothing_gives_nothing() -> None:
    matrix, row = as_matrix(np.ones((3, 2), np.float32)), np.zeros(1, np.int32)
    assert products(np.empty((0, 2), np.float32), matrix, row).shape == (1, 0)
    assert products(np.ones((4, 2), np.float32), matrix, row[:0]).shape == (0, 4)

"""Rows that are brought up to date when they are read, against a matrix whose columns are written, too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.interests.distances import padded, squared_distances
from pinnersage.interests.rows import bring_up_to_date, forget, note_merge, nothing_written

STEPS = st.tuples(st.sampled_from(["read", "merge", "drop"]), st.integers(0, 99), st.integers(0, 99))


@settings(max_examples=300, deadline=None)
@given(n=st.integers(2, 12), seed=st.integers(0, 2**32 - 1), steps=st.lists(STEPS, max_size=60))
def test_a_row_read_is_the_row_of_the_symmetric_matrix(
    n: int, seed: int, steps: list[tuple[str, int, int]]
) -> None:
    """Clusters merge, are read and drop out in any order; a merged row is any numbers at all."""
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 1_000, (n, n)).astype(np.float32)
    whole += whole.T.copy()
    lazy, written, in_use, n_merges = whole.copy(), nothing_written(n), list(range(n)), 0
    for step, first, second in steps:
        if len(in_use) < 2:
            break
        row, other = (in_use[i % len(in_use)] for i in (first, first + 1 + second % (len(in_use) - 1)))
        if step == "merge":
            n_merges += 1
            whole[row] = whole[:, row] = lazy[row] = rng.integers(0, 1_000, n)
            note_merge(written, row, other, n_merges)
            in_use.remove(other)
        elif step == "drop":
            forget(written, row)
            in_use.remove(row)
        else:
            bring_up_to_date(lazy, written, row, n_merges)
            known = [cluster for cluster in in_use if cluster != row]
            np.testing.assert_array_equal(lazy[row, known], whole[row, known])


@pytest.mark.parametrize("n", [4, 60, 64, 68, 128, 132, 201])
def test_distances_of_all_strips_are_written_on_both_sides(n: int) -> None:
    x = np.random.default_rng(n).standard_normal((n, 24)).astype(np.float32)
    points = np.zeros((padded(n), 24), np.float32)
    points[:n] = x
    out = np.full((padded(n), padded(n)), np.nan, np.float32)
    squared_distances(points, np.empty(padded(n), np.float32), out)
    expected = ((points[:, None].astype(np.float64) - points) ** 2).sum(axis=2)
    np.fill_diagonal(expected, np.inf)
    np.testing.assert_array_equal(out, out.T)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)

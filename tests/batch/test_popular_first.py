"""The first of the popular items, found without sorting the pool, are those of the sorted pool."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pinnersage.batch.popularity import by_popularity, first_allowed


@given(st.data(), st.integers(0, 60), st.integers(0, 12))
def test_they_are_those_of_the_sorted_pool(data: st.DataObject, n_items: int, k: int) -> None:
    few = st.lists(st.integers(0, 3), min_size=n_items, max_size=n_items)
    counts = np.array(data.draw(few), np.int32)
    allowed = np.array(data.draw(few), np.int32) == 0
    pool = np.flatnonzero(allowed)
    expected = sorted(pool.tolist(), key=lambda row: (-counts[row], row))[:k]
    assert first_allowed(by_popularity(counts), allowed, k).tolist() == expected

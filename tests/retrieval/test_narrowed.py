"""Lists of a part of the pool: against plain lists over a pool that holds no more than that part."""

from __future__ import annotations

from typing import Any, Literal

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tests.retrieval.test_retriever import cases, pairs, record_of

from pinnersage.config import RetrievalConfig
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.narrowed import Choice, NarrowedIndex
from pinnersage.retrieval.retriever import Retriever
from pinnersage.testing.index import clustered

MODES: tuple[Literal["sampled", "budgeted", "balanced"], ...] = ("sampled", "budgeted", "balanced")


@settings(deadline=None)
@given(cases(), st.data())
def test_lists_are_those_of_a_smaller_pool(case: dict[str, Any], data: st.DataObject) -> None:
    items, pool = case["items"], case["pool"]
    n = len(items)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    allowed = data.draw(st.sampled_from([None, mask]))
    left_out = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=5)), np.int32)
    inside = pool.copy()
    inside[left_out] = False
    if allowed is not None:
        inside &= allowed
    whole = Retriever(ExactIndex(items, pool), items, pool, case["config"])
    small = Retriever(ExactIndex(items, inside), items, inside, case["config"])
    narrowed = whole.narrowed(Choice(allowed, left_out))
    for mode in MODES:
        before = pairs(whole.recommend(case["record"], case["k"], mode=mode))
        found = narrowed.recommend(case["record"], case["k"], mode=mode)
        expected = small.recommend(case["record"], case["k"], mode=mode)
        assert pairs(found) == pairs(expected)
        assert found.scores.tolist() == expected.scores.tolist()
        assert pairs(whole.recommend(case["record"], case["k"], mode=mode)) == before


def test_a_narrow_part_is_not_looked_for_through_the_cache() -> None:
    items = clustered(3_000, 8, seed=2)
    pool = np.ones(len(items), np.bool_)
    retriever = Retriever(ExactIndex(items, pool), items, pool, RetrievalConfig(candidate_budget=50))
    record = record_of([[0], [7]])
    few = np.zeros(len(items), np.bool_)
    few[[5, 11, 2_999]] = True
    found = retriever.narrowed(Choice(few, np.empty(0, np.int32))).recommend(record, 50, mode="budgeted")
    assert sorted(found.rows.tolist()) == [5, 11, 2_999]
    assert retriever.cached() == []
    retriever.narrowed(Choice(None, np.array([5], np.int32))).recommend(record, 50, mode="budgeted")
    assert len(retriever.cached()) == 2


def test_what_is_allowed_is_joined() -> None:
    items = np.eye(4, dtype=np.float32)
    index = NarrowedIndex(ExactIndex(items), np.array([True, True, False, False]))
    scores, rows = index.search(items[:1], 3, allowed=np.array([False, True, True, True]))
    assert rows.tolist() == [[1, -1, -1]]
    assert (scores[0, 0], index.n_items, index.dim) == (0.0, 2, 4)


@pytest.mark.parametrize("allowed", [None, np.array([True, False, True])])
def test_the_pool_itself_stays(allowed: Any) -> None:
    pool = np.array([True, True, True])
    left = Choice(allowed, np.array([2], np.int32)).of(pool)
    assert pool.all()
    assert left.tolist() == [True, allowed is None, False]

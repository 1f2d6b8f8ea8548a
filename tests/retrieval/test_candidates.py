"""A merge whose lists run out goes on where it stopped, and ends as one that begins anew each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.retrieval import candidates
from pinnersage.retrieval._merge import ALL_LONG_ENOUGH, NOT_MERGED, offer_and_merge
from pinnersage.retrieval._scores import as_matrix
from pinnersage.retrieval.candidates import Ask, Filled, fill
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.neighbors import NeighborCache, depth_for


class Fickle:
    """An index that finds, of what is near, other items at other depths."""

    def __init__(self, items: Float32s, missed: float) -> None:
        self._exact, self.n_items, self._missed = ExactIndex(items), len(items), missed

    def search(self, queries: Float32s, k: int) -> tuple[Float32s, Int32s]:
        scores, rows = self._exact.search(queries, k)
        is_found = np.random.default_rng(k).random(k) >= (self._missed if k < self.n_items else 0)
        n = int(is_found.sum())
        rows = np.concatenate([rows[:, is_found], np.full((len(rows), k - n), -1, np.int32)], axis=1)
        scores = np.concatenate(
            [scores[:, is_found], np.full((len(rows), k - n), -np.inf, np.float32)], axis=1
        )
        return scores, rows


def filled_anew(ask: Ask, k: int, cache: NeighborCache, pool: Bools, items: Float32s, limit: float) -> Filled:
    """The plain way: with each longer list the merge begins anew."""
    k, matrix = min(k, len(pool)), as_matrix(items)
    depths = [depth_for(share + share // 4) for share in ask.shares.tolist()]
    lists: list[Any] = []
    short = np.ones(len(depths), np.bool_)
    at, turns = np.empty(k, np.int64), np.empty(k, np.int32)
    while True:
        lists = candidates._look_up(lists, ask, depths, short, cache)
        merged = candidates._ragged(lists, ask.shares)
        n, dry, n_offered = offer_and_merge(merged, ask.seen, pool, matrix, limit, short, at, turns)
        if dry == ALL_LONG_ENOUGH:
            scores = np.concatenate([near.scores for near in lists])
            return Filled(merged.rows[at[:n]], scores[at[:n]], turns[:n], n_offered)
        if dry != NOT_MERGED:
            short[dry] = True
        depths = [depth_for(2 * d) if s else d for d, s in zip(depths, short.tolist(), strict=True)]


def asked(seed: int, n: int, n_interests: int, share: int) -> tuple[Ask, Float32s, Bools]:
    rng = np.random.default_rng(seed)
    items = rng.standard_normal((n, 3)).astype(np.float32)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    rows = rng.integers(0, n, n_interests)
    seen = rng.choice(n, n // 5, replace=False).astype(np.int32)
    ask = Ask(items[rows], rows.tolist(), np.full(n_interests, share, np.int64), seen)
    return ask, items, rng.random(n) < 0.8


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Have the calls of a kernel counted: one entry for each."""
    calls, kernel = list[str](), getattr(candidates, name)

    def call(*given: Any) -> Any:
        calls.append(name)
        return kernel(*given)

    monkeypatch.setattr(candidates, name, call)
    return calls


def same(found: Filled, expected: Filled) -> bool:
    arrays = zip(found[:3], expected[:3], strict=True)
    return all(np.array_equal(a, b) for a, b in arrays) and found.n_candidates == expected.n_candidates


@given(
    st.integers(0, 10_000), st.integers(40, 400), st.integers(1, 5), st.integers(1, 60),
    st.sampled_from([0.9, 0.97, 0.999, 2.0]), st.sampled_from([0.0, 0.1, 0.5]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_merge_that_goes_on_equals_one_that_begins_anew(
    seed: int, n: int, n_interests: int, share: int, limit: float, missed: float
) -> None:
    ask, items, pool = asked(seed, n, n_interests, share)
    index: Any = Fickle(items, missed)
    for k in (share, 3 * share, n):
        found = fill(
            ask, k, cache=NeighborCache(index, items, 2**20), pool=pool, matrix=as_matrix(items),
            near_duplicate_cosine=limit,
        )  # fmt: skip
        assert same(found, filled_anew(ask, k, NeighborCache(index, items, 2**20), pool, items, limit))


def test_a_merge_begins_anew_once_however_often_lists_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, items, pool = asked(7, 2_000, 5, 40)
    counts = {name: counted(monkeypatch, name) for name in ("offer_and_merge", "merge_on")}
    cache = NeighborCache(ExactIndex(items), items, 2**20)
    fill(ask, 600, cache=cache, pool=pool, matrix=as_matrix(items), near_duplicate_cosine=0.999)
    assert len(counts["offer_and_merge"]) <= 2
    assert len(counts["merge_on"]) >= 5

"""What a cache of neighbors holds is what a search would find, also when items come."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage._arrays import Float32s
from pinnersage.items.live import LiveItems
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.neighbors import NeighborCache, bytes_of
from pinnersage.retrieval.overlay import OverlayIndex

DIM, N_SPARE = 3, 12
coordinates = st.tuples(*[st.integers(-2, 2)] * DIM).filter(any)  # few values: equal scores are frequent


def live(vectors: Float32s) -> tuple[OverlayIndex, LiveItems]:
    n = len(vectors)
    vocabulary = ItemVocabulary.from_ids(list(range(n)))
    table = ItemTable(vectors, vocabulary, pa.table({"title": [""] * n}), np.ones(n, np.bool_))
    room = np.vstack([vectors, np.zeros((N_SPARE, vectors.shape[1]), vectors.dtype)])
    items = LiveItems(table, room, table.pool, normalize=False, min_quality=None)
    return OverlayIndex(ExactIndex(vectors), items), items


def assert_like_a_search(cache: NeighborCache, index: OverlayIndex, items: LiveItems) -> None:
    keys = cache.keys()
    held = cache.of_items([row for row, _ in keys], [depth for _, depth in keys])
    fresh = NeighborCache(index, items.embeddings, 0)
    wanted = fresh.of_items([row for row, _ in keys], [depth for _, depth in keys])
    for a, b in zip(held, wanted, strict=True):
        assert (a.rows.tolist(), a.scores.tolist(), a.complete) == (
            b.rows.tolist(), b.scores.tolist(), b.complete,
        )  # fmt: skip
        assert (a.rows.dtype, a.scores.dtype) == (b.rows.dtype, b.scores.dtype)


@settings(deadline=None)
@given(
    st.lists(coordinates, min_size=2, max_size=9),
    st.lists(coordinates, max_size=N_SPARE),
    st.sampled_from([np.float32, np.float16]),
    st.booleans(),
    st.data(),
)
def test_items_that_come_stand_where_a_search_finds_them(
    old: list[tuple[int, ...]], new: list[tuple[int, ...]], dtype: type, uneven: bool, data: st.DataObject
) -> None:
    """Whole numbers tie often; with uneven ones every sum is rounded."""
    scale = np.float32(0.1) if uneven else np.float32(1)
    index, items = live((scale * np.array(old, np.float32)).astype(dtype))
    cache = NeighborCache(index, items.embeddings, 2**20)
    depths = st.sampled_from([1, 2, 4, len(old), len(old) + 3, len(old) + len(new)])
    for number, vector in enumerate(new):
        asked = data.draw(st.lists(st.tuples(st.integers(0, len(items) - 1), depths), max_size=4))
        cache.of_items([row for row, _ in asked], [depth for _, depth in asked])
        n_rows = len(items)
        for item_id in data.draw(st.sampled_from([(1_000,), (1_000 + number,), (0, 1_000 + number)])):
            if len(items) < len(old) + N_SPARE:
                items.put(item_id, scale * np.array(vector, np.float32), {})
        cache.take_in(range(n_rows, len(items)))
        assert_like_a_search(cache, index, items)


@pytest.mark.parametrize("n_new", [2, 3])
def test_lists_that_missed_many_new_items_are_looked_up_anew(
    monkeypatch: pytest.MonkeyPatch, n_new: int
) -> None:
    monkeypatch.setattr("pinnersage.retrieval.neighbors._MOST_MISSED", 2)
    index, items = live(np.eye(DIM, dtype=np.float32))
    cache = NeighborCache(index, items.embeddings, 2**20)
    cache.of_items([0, 1], [DIM] * 2)
    for number in range(n_new):
        row, _ = items.put(10 + number, np.ones(DIM, np.float32), {})
        cache.take_in([row])
    assert_like_a_search(cache, index, items)
    n_anew = 0 if n_new <= 2 else 2
    assert (cache.counts().n_hits, cache.counts().n_misses) == (2 - n_anew, 2 + n_anew)


def test_what_is_held_takes_the_memory_that_is_counted() -> None:
    vectors = np.random.default_rng(1).normal(size=(50, DIM)).astype(np.float32)
    index, items = live(vectors)
    cache = NeighborCache(index, items.embeddings, 3 * bytes_of(32) + bytes_of(50))
    for row in (1, 2, 3, 4, 1, 5):
        cache.of_items([row], [32])
        cache.of_items([row], [64])  # all 50 there are
        if row == 3:
            new, _ = items.put("new", vectors[1], {})
            cache.take_in([new])
    assert cache._n_bytes == sum(held.neighbors.n_bytes for held in cache._lists.values())
    assert cache._n_bytes <= 3 * bytes_of(32) + bytes_of(50)
    assert_like_a_search(cache, index, items)


def test_a_search_under_way_when_an_item_comes_leaves_nothing_wrong_behind() -> None:
    index, items = live(np.eye(DIM, dtype=np.float32))
    searched, came = threading.Event(), threading.Event()

    class Slow(OverlayIndex):
        def search(self, queries: Float32s, k: int, **how: object) -> tuple[Float32s, np.ndarray]:
            found = super().search(queries, k)
            searched.set()
            assert came.wait(10)
            return found

    cache = NeighborCache(Slow(ExactIndex(np.eye(DIM, dtype=np.float32)), items), items.embeddings, 2**20)
    asking = threading.Thread(target=cache.of_items, args=([0], [2]))
    asking.start()
    assert searched.wait(10)
    row, _ = items.put("new", np.array([1, 0, 0], np.float32), {})
    cache.take_in([row])
    came.set()
    asking.join()
    assert_like_a_search(cache, index, items)
    assert cache.of_items([0], [9])[0].rows.tolist() == [0, row, 1, 2]
    cache.take_in([row])  # a search that saw the item before it was told of
    n_misses = cache.counts().n_misses
    assert_like_a_search(cache, index, items)
    assert cache.counts().n_misses == n_misses + 1  # Of depth 9; the list of two is full of as good ones.

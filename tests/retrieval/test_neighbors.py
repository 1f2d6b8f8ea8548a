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
from pinnersage.retrieval.neighbors import NeighborCache
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
    cache = NeighborCache(index, items.embeddings, 100)
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


def test_many_items_at_once_and_items_near_to_everything_empty_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pinnersage.retrieval.neighbors._MOST_TAKEN_IN", 2)
    monkeypatch.setattr("pinnersage.retrieval.neighbors._MOST_GAINING", 2)
    for n_new, n_asked, n_left in ((2, 2, 2), (3, 2, 0), (1, 3, 0)):
        index, items = live(np.eye(DIM, dtype=np.float32))
        cache = NeighborCache(index, items.embeddings, 100)
        cache.of_items(range(n_asked), [DIM] * n_asked)
        for number in range(n_new):
            items.put(10 + number, np.ones(DIM, np.float32), {})
        cache.take_in(range(DIM, len(items)))
        assert len(cache.keys()) == n_left
        assert_like_a_search(cache, index, items)


def test_a_search_under_way_when_an_item_comes_leaves_nothing_behind() -> None:
    index, items = live(np.eye(DIM, dtype=np.float32))
    searched, came = threading.Event(), threading.Event()

    class Slow(OverlayIndex):
        def search(self, queries: Float32s, k: int, **how: object) -> tuple[Float32s, np.ndarray]:
            found = super().search(queries, k)
            searched.set()
            assert came.wait(10)
            return found

    cache = NeighborCache(Slow(ExactIndex(np.eye(DIM, dtype=np.float32)), items), items.embeddings, 100)
    asking = threading.Thread(target=cache.of_items, args=([0], [2]))
    asking.start()
    assert searched.wait(10)
    row, _ = items.put("new", np.array([1, 0, 0], np.float32), {})
    cache.take_in([row])
    came.set()
    asking.join()
    assert cache.keys() == []
    assert cache.of_items([0], [9])[0].rows.tolist() == [0, row, 1, 2]
    cache.take_in([row])  # a search that saw the item before it was told of
    assert cache.keys() == []
    assert_like_a_search(cache, index, items)

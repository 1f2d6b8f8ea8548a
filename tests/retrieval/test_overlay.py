"""An index and the rows behind it, searched as one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pinnersage.items.live import LiveItems
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.overlay import OverlayIndex


def world(n: int, n_new: int) -> tuple[OverlayIndex, ExactIndex, np.ndarray]:
    vectors = np.random.default_rng(1).normal(size=(n + n_new, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vocabulary = ItemVocabulary.from_ids(list(range(n)))
    table = ItemTable(vectors[:n], vocabulary, pa.table({"title": [""] * n}), np.ones(n, np.bool_))
    room = np.vstack([vectors[:n], np.zeros((n_new + 3, 6), np.float32)])
    items = LiveItems(table, room, table.pool, normalize=False, min_quality=None)
    index = OverlayIndex(ExactIndex(vectors[:n]), items)
    for row in range(n, n + n_new):
        items.put(row, vectors[row], {})
    return index, ExactIndex(vectors), vectors


def test_it_finds_what_one_index_over_all_finds() -> None:
    for n_new in (0, 1, 9):
        overlay, whole, vectors = world(40, n_new)
        for k in (1, 5, 49, 60):
            found, wanted = overlay.search(vectors[:7], k), whole.search(vectors[:7], k)
            assert np.array_equal(found[1], wanted[1])
            assert np.array_equal(found[0], wanted[0])
        assert (overlay.n_items, overlay.dim) == (40 + n_new, 6)


def test_only_allowed_rows_are_found() -> None:
    overlay, whole, vectors = world(40, 9)
    allowed = np.random.default_rng(2).random(40 + 9 + 3) < 0.5
    found = overlay.search(vectors[:7], 8, allowed=allowed)[1]
    assert np.array_equal(found, whole.search(vectors[:7], 8, allowed=allowed[: 40 + 9])[1])

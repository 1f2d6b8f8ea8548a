from __future__ import annotations

from functools import partial

from pinnersage.store.lmdb import LmdbStore
from pinnersage.testing.store import StoreConformance


class TestLmdbStore(StoreConformance):
    open_store = LmdbStore


class TestLmdbStoreWithASmallMap(StoreConformance):
    """Every larger write runs into the end of the map."""

    open_store = partial(LmdbStore, map_bytes=1 << 16)

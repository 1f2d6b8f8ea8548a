from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pinnersage.store.base import InterestStore
from pinnersage.store.memory import MemoryStore
from pinnersage.testing.store import StoreConformance


class TestMemoryStore(StoreConformance):
    persistent: ClassVar[bool] = False

    @staticmethod
    def open_store(path: Path) -> InterestStore:
        return MemoryStore()

"""Clusters that are known are kept, however few points there are and however many change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pinnersage.interests.clustering import known_clusters_kept


@pytest.fixture(scope="module", autouse=True)
def keeping() -> Iterator[None]:
    """Undo the thresholds below which, and above which, everything is clustered anew."""
    with known_clusters_kept():
        yield

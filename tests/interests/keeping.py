"""Clusters that are known are kept, however few points there are and however many change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pinnersage.interests import clustering


@pytest.fixture(scope="module", autouse=True)
def keeping() -> Iterator[None]:
    """Undo the thresholds below which, and above which, everything is clustered anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "FEWEST_POINTS_KNOWN", 1)
        patch.setattr(clustering, "LARGEST_SHARE_CHANGED", 10.0)
        yield

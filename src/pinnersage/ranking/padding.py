"""What a ranker knows of items, with room for items that came later: nothing is known of them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage.ranking.statistics import ItemStatistics

_UNKNOWN = {"age_days": np.nan, "idle_days": np.nan}


def padded_statistics(statistics: ItemStatistics, n_items: int) -> ItemStatistics:
    """Return statistics of ``n_items`` items; those added have no action yet."""
    n_more = n_items - statistics.n_items
    names = [f.name for f in fields(statistics) if f.name != "moment_ms"]
    longer: dict[str, Any] = {
        name: np.append(getattr(statistics, name), np.full(n_more, _UNKNOWN.get(name, 0.0), np.float32))
        for name in names
    }
    return replace(statistics, **longer)


def padded_categories(categories: Int32s | None, n_items: int) -> Int32s | None:
    """Return category codes of ``n_items`` items; those added have none."""
    if categories is None:
        return None
    return np.append(categories, np.full(n_items - len(categories), -1, np.int32))

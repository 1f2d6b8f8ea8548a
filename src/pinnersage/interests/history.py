"""A user's window summed by item."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage.config import MS_PER_DAY
from pinnersage.interests.record import UserRecord


class History(NamedTuple):
    """The distinct items of a window, rows ascending.

    Attributes
    ----------
    rows
        int32 ``(n,)``.
    weights
        float32 ``(n,)``: sums of the actions' weights, decayed to ``as_of_ms``.
    counts
        float32 ``(n,)``: actions on the item.
    first_ms, last_ms
        int64 ``(n,)``: its oldest and its newest action.
    """

    rows: Int32s
    weights: Float32s
    counts: Float32s
    first_ms: Int64s
    last_ms: Int64s

    @property
    def shares(self) -> Float64s:
        """:func:`shares_of` the weights."""
        return shares_of(self.weights)


def shares_of(weights: Float32s) -> Float64s:
    """Scale one user's weights to a sum of 1; without any weight all items count the same."""
    total = float(weights.sum(dtype=np.float64))
    if total > 0:
        return weights.astype(np.float64) / total
    return np.full(len(weights), 1 / max(1, len(weights)))


def history_of(record: UserRecord, decay_per_day: float) -> History:
    """Sum a record's actions by item."""
    rows, inverse = np.unique(record.item_rows, return_inverse=True)
    age_days = (record.as_of_ms - record.times_ms) / MS_PER_DAY
    weights = np.bincount(inverse, record.weights * np.exp(-decay_per_day * age_days), len(rows))
    first = np.full(len(rows), np.iinfo(np.int64).max)
    last = np.full(len(rows), np.iinfo(np.int64).min)
    np.minimum.at(first, inverse, record.times_ms)
    np.maximum.at(last, inverse, record.times_ms)
    counts = np.bincount(inverse, minlength=len(rows))
    return History(rows.astype(np.int32), weights.astype(np.float32), counts.astype(np.float32), first, last)

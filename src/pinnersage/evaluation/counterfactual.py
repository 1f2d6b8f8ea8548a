"""What lists owe to single interests: the share of a list that goes when an interest is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage.config import InterestConfig
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.bootstrap import means, resamples
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.state import RecordCache
from pinnersage.interests.record import RecordBatch
from pinnersage.interests.without import batch_without_interest

ARM = "balanced-40"
FIGURES = ("gone_without_first", "gone_without_second", "gone_without_third")


class _Without(RecordCache):
    """Records as if nobody had the interest at one place, the most important being at 0."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self._position = position

    def of_day(self, day: Day, log: ReplayLog, config: InterestConfig) -> RecordBatch:
        return batch_without_interest(super().of_day(day, log, config), self._position)


def shares_gone(
    log: ReplayLog,
    users: Int32s,
    at_ms: int,
    pool: Any,
    parts: Parts,
    budget: int,
    *,
    seed: int = 0,
    n_resamples: int = 1_000,
) -> dict[str, Any]:
    """Measure the share of a balanced list that goes without a user's n-th most important interest.

    Without an interest its actions count for nothing either; their items stay seen. A list of which
    little goes says the same with other interests.

    Parameters
    ----------
    log
        All actions; those from ``at_ms`` on are not looked at.
    users
        int32 positions in the log.
    at_ms
        The time.
    pool
        bool ``(n_items,)``: what may be in lists.
    parts
        What arms share.
    budget
        Items of a list, all new to the user.
    seed, n_resamples
        Of the intervals over users.

    Returns
    -------
    shares
        Value, 95 % interval and users of each of :data:`FIGURES`; of users who have so many interests.
    """
    known = log.before(at_ms)
    nothing = np.empty(0, np.int32)
    day = Day(at_ms, users, np.zeros(len(users) + 1, np.int64), nothing, nothing.astype(np.bool_), pool)

    def lists(records: RecordCache) -> Int32s:
        (arm,) = untrained_arms(log, replace(parts, records=records), [ARM])
        return arm.recommend(day, known, budget, "first_time")

    n_interests = np.diff(RecordCache().of_day(day, known, parts.config).interest_offsets)
    before = lists(RecordCache())
    values = np.full((len(users), len(FIGURES)), np.nan)
    for position in range(len(FIGURES)):
        after = lists(_Without(position))
        for u in np.flatnonzero((n_interests > position) & (before >= 0).any(axis=1)).tolist():
            own = before[u][before[u] >= 0]
            values[u, position] = 1.0 - np.isin(own, after[u]).mean()
    values = values[np.isfinite(values).any(axis=1)]
    estimates = means(values, resamples(len(values), n_resamples, seed))
    return {name: found.to_dict() for name, found in zip(FIGURES, estimates, strict=True)}

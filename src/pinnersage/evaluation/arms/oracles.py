"""Arms that see the targets: how far the paper's idea could go if the right interest were known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage.config import InterestConfig
from pinnersage.evaluation.arms.asking import Queries, QueryArm
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.state import RecordCache, ragged


@dataclass
class _Oracle(QueryArm):
    """Asks, for each target of the mode, the nearest of the rows the user has; each row once, all equally.

    In mode ``first_time`` a query for a repeat would use up shares for an item that may not be listed.
    """

    is_oracle: ClassVar[bool] = True

    def depends_on(self) -> list[str]:
        """Return what is asked: results of other queries are not taken for these."""
        return ["the targets of the mode"]

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return the neighbors nearest to the mode's targets; of others ``day`` may hold, none."""
        return super().recommend(day.with_targets_of(mode), log, budget, mode)

    def queries(self, day: Day, log: ReplayLog) -> Queries:
        """Return the different nearest rows of each user's targets."""
        parts = [self._nearest(day, log, u) for u in range(day.n_users)]
        rows = np.concatenate([np.empty(0, np.int32), *parts]).astype(np.int32)
        return Queries(ragged([len(part) for part in parts]), log.embeddings[rows], rows, np.ones(len(rows)))

    def _nearest(self, day: Day, log: ReplayLog, u: int) -> Int32s:
        own = self._rows(day, log, u)
        targets = day.target_rows[day.target_offsets[u] : day.target_offsets[u + 1]]
        if not len(own) or not len(targets):
            return np.empty(0, np.int32)
        cosines = log.embeddings[targets] @ log.embeddings[own].T
        return np.unique(own[cosines.argmax(axis=1)])

    def _rows(self, day: Day, log: ReplayLog, u: int) -> Int32s:
        raise NotImplementedError


@dataclass
class PastItemsOracle(_Oracle):
    """For each target the past item nearest to it (the paper's upper bound)."""

    def _rows(self, day: Day, log: ReplayLog, u: int) -> Int32s:
        user = day.users[u]
        return np.unique(log.item_rows[log.offsets[user] : log.offsets[user + 1]])


@dataclass
class InterestOracle(_Oracle):
    """For each target the medoid nearest to it (the paper's k-means oracle, k = 3).

    Attributes
    ----------
    records, config
        Make the interests.
    """

    records: RecordCache = field(default_factory=RecordCache, repr=False)
    config: InterestConfig = field(default_factory=InterestConfig)

    def _rows(self, day: Day, log: ReplayLog, u: int) -> Int32s:
        batch = self.records.of_day(day, log, self.config)
        return batch.medoid_rows[batch.interest_offsets[u] : batch.interest_offsets[u + 1]]

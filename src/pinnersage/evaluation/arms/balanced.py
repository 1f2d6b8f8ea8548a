"""The balanced path: many interests propose, a list is chosen that speaks for all actions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.config import MS_PER_DAY, RetrievalConfig
from pinnersage.evaluation.arms.interests import Interests
from pinnersage.evaluation.cosines import Cosines, cosine, without_table
from pinnersage.evaluation.neighbors import in_parts
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.state import barred
from pinnersage.interests.history import shares_of
from pinnersage.interests.record import RecordBatch
from pinnersage.retrieval._scores import dot
from pinnersage.retrieval.balance import choose, nearness


@kernel
def _fill(near: Float32s, rows: Int32s, mine: Int32s, sharpness: Any, cosines: Cosines) -> None:
    """Fill ``near[i, a]`` along what is together in memory: a row of the table, or an item's embedding."""
    table = cosines.table
    if table.shape[0] > 0:
        for a in range(mine.shape[0]):
            of_action = table[mine[a]]
            for i in range(rows.shape[0]):
                near[i, a] = nearness(of_action[rows[i]], sharpness)
        return
    for i in range(rows.shape[0]):
        for a in range(mine.shape[0]):
            near[i, a] = nearness(dot(cosines.matrix[mine[a]], cosines.matrix[rows[i]]), sharpness)


@kernel
def _choose_all(
    first: int, stop: int, offsets: Int64s, own: Int32s, weights: Float64s, sharpness: float,
    saturation: float, cosines: Cosines, wide: Int32s, out: Int32s,
) -> None:  # fmt: skip
    """Choose the lists of users ``first:stop`` from rows of ``wide``, ascending behind its -1."""
    budget = out.shape[1]
    chosen, gains = np.empty(budget, np.int32), np.empty(budget, np.float32)
    for u in range(first, stop):
        rows = wide[u][wide[u] >= 0]
        mine = own[offsets[u] : offsets[u + 1]]
        near = np.empty((rows.shape[0], mine.shape[0]), np.float32)
        _fill(near, rows, mine, np.float32(sharpness), cosines)
        n = choose(near, weights[offsets[u] : offsets[u + 1]], saturation, chosen, gains)
        for k in range(n):
            out[u, k] = rows[chosen[k]]


@kernel
def _densities(
    offsets: Int64s, own: Int32s, weights: Float64s, sharpness: float, cosines: Cosines,
    asked_offsets: Int64s, asked: Int32s, out: Float32s,
) -> None:  # fmt: skip
    for u in range(offsets.shape[0] - 1):
        for i in range(asked_offsets[u], asked_offsets[u + 1]):
            total = 0.0
            for a in range(offsets[u], offsets[u + 1]):
                total += weights[a] * np.exp(sharpness * (cosine(cosines, own[a], asked[i]) - 1.0))
            out[i] = total


@dataclass
class Balanced(Interests):
    """Chooses from what the most important interests propose (:mod:`pinnersage.retrieval.balance`).

    Attributes
    ----------
    retrieval
        ``sharpness``, ``saturation``, ``n_candidates_per_slot`` and ``candidate_budget`` are read.
    cosines
        Of all items, where they are at hand.
    n_threads
        Threads; lists do not depend on it.
    """

    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    cosines: Cosines | None = field(default=None, repr=False)
    n_threads: int = field(default=1, repr=False)

    def depends_on(self) -> list[str]:
        """Return what lists speak for: results of other lists are not taken for these."""
        return ["the actions of the record, also without any weight"]

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return what is chosen from a wide set; see :class:`~pinnersage.evaluation.replay.Arm`."""
        looked = self._look_up(day, log)
        n_wide = math.ceil(self.retrieval.n_candidates_per_slot * budget)
        n_wide = min(max(n_wide, self.retrieval.candidate_budget), log.n_items)
        shares = self._shares(looked.queries, n_wide)
        wide = self.neighbors.merged(
            looked.asked, shares, barred(day, log, mode), n_wide, looked.queries.vectors
        )
        wide.sort(axis=1)
        histories = self._histories(day, log)
        out, cosines = np.full((day.n_users, budget), -1, np.int32), self._all_cosines(log)

        def work(part: Int64s) -> None:
            _choose_all(
                int(part[0]), int(part[-1]) + 1, *histories, self.retrieval.sharpness,
                self.retrieval.saturation, cosines, wide, out,
            )  # fmt: skip

        in_parts(work, day.n_users, self.n_threads)
        return out

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return the density of the user's actions around each item: what it would add as the first."""
        histories = self._histories(day, log)
        out = np.zeros(len(item_rows), np.float32)
        _densities(*histories, self.retrieval.sharpness, self._all_cosines(log), offsets, item_rows, out)
        return out

    def _histories(self, day: Day, log: ReplayLog) -> tuple[Int64s, Int32s, Float64s]:
        batch = self.records.of_day(day, log, self.config)
        return _histories(batch, log.n_items, self.config.decay_per_day)

    def _all_cosines(self, log: ReplayLog) -> Cosines:
        if self.cosines is None:
            self.cosines = without_table(log.embeddings)
        return self.cosines


def _histories(batch: RecordBatch, n_items: int, decay_per_day: float) -> tuple[Int64s, Int32s, Float64s]:
    """Return offsets, distinct item rows and shares of all users, as ``history_of`` has them of one."""
    lengths = np.diff(batch.action_offsets)
    users = np.repeat(np.arange(batch.n_users, dtype=np.int64), lengths)
    keys, at = np.unique(users * n_items + batch.item_rows, return_inverse=True)
    ages_days = (batch.as_of_ms - batch.times_ms) / MS_PER_DAY
    decayed = np.bincount(at, batch.weights * np.exp(-decay_per_day * ages_days), len(keys))
    weights = decayed.astype(np.float32)
    offsets = np.searchsorted(keys // n_items, np.arange(batch.n_users + 1))
    parts = [shares_of(weights[offsets[u] : offsets[u + 1]]) for u in range(batch.n_users)]
    return offsets, (keys % n_items).astype(np.int32), np.concatenate([np.empty(0), *parts])

"""PinnerSage's own paths: which interests are asked, how they are made, and what stands for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage.config import InterestConfig
from pinnersage.evaluation.arms.asking import Queries, QueryArm
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.state import RecordCache, ragged, user_seed
from pinnersage.interests.record import RecordBatch
from pinnersage.retrieval.draw import query_vectors, sample_interests

_N_FIT_USERS = 300
_N_FIT_STEPS = 14


@dataclass
class Interests(QueryArm):
    """Asks a user's interests.

    Attributes
    ----------
    records
        Builds the records.
    config
        How actions become interests.
    n_interests
        How many are asked; None: all.
    sampled
        Whether they are drawn in proportion to importance, or are the most important ones.
    seed
        Of the draw.
    """

    records: RecordCache = field(default_factory=RecordCache, repr=False)
    config: InterestConfig = field(default_factory=InterestConfig)
    n_interests: int | None = None
    sampled: bool = False
    seed: int = 0

    def queries(self, day: Day, log: ReplayLog) -> Queries:
        """Return the embedding (medoid's or centroid's) of each interest asked."""
        batch = self.records.of_day(day, log, self.config)
        asked = [self._asked(batch, u, day, log) for u in range(day.n_users)]
        at = np.concatenate([np.empty(0, np.int64), *asked]).astype(np.int64)
        offsets = ragged([len(a) for a in asked])
        starts = np.repeat(batch.interest_offsets[:-1], np.diff(offsets))
        importances = batch.importances[starts + at]
        if self.config.representative == "medoid":
            rows = batch.medoid_rows[starts + at]
            return Queries(offsets, log.embeddings[rows], rows, importances)
        parts = [query_vectors(batch.record(u), a, log.embeddings, "centroid") for u, a in enumerate(asked)]
        empty = np.empty((0, log.embeddings.shape[1]), np.float32)
        return Queries(offsets, np.concatenate([empty, *parts]), None, importances)

    def _asked(self, batch: RecordBatch, u: int, day: Day, log: ReplayLog) -> Any:
        own = slice(batch.interest_offsets[u], batch.interest_offsets[u + 1])
        n_own = own.stop - own.start
        n = n_own if self.n_interests is None else min(n_own, self.n_interests)
        if not self.sampled:
            return np.arange(n)
        seed = self._draw_seed(day, log, int(day.users[u]))
        return sample_interests(batch.importances[own], max(1, n), seed)

    def _draw_seed(self, day: Day, log: ReplayLog, user: int) -> int:
        return user_seed(self.seed, day, log, user)


@dataclass
class MatchedInterests(Interests):
    """Another clustering, set so that users have as many interests on average as with ``like``.

    The setting is found once, on up to 300 users and the actions before the first day: for complete
    linkage the largest cost of a merge, by bisection; for a fixed number, the rounded mean itself.

    Attributes
    ----------
    like
        The clustering to match.
    match
        Which setting is found.
    """

    like: InterestConfig = field(default_factory=InterestConfig)
    match: Literal["max_merge_cost", "n_clusters"] = "max_merge_cost"

    def fit(self, log: ReplayLog, until_ms: int) -> None:
        """Find the setting on what was known before ``until_ms``."""
        day = _fitting_day(log, until_ms, self.like.window_ms)
        wanted = _mean_interests(day, log, self.like)
        if self.match == "n_clusters":
            self.config = self.config.model_copy(update={"n_clusters": max(1, round(wanted))})
            return
        low, high = 0.0, 4.0
        for _ in range(_N_FIT_STEPS):
            middle = (low + high) / 2
            self.config = self.config.model_copy(update={"max_merge_cost": middle})
            if _mean_interests(day, log, self.config) > wanted:
                low = middle
            else:
                high = middle

    def fitted(self) -> dict[str, float | int | None]:
        """Return what was found."""
        return {self.match: getattr(self.config, self.match)}


def _fitting_day(log: ReplayLog, until_ms: int, window_ms: int) -> Day:
    recent = (log.times_ms >= until_ms - window_ms) & (log.times_ms < until_ms)
    users = np.unique(log.users[recent])
    step = max(1, len(users) // _N_FIT_USERS)
    return _empty_day(log, until_ms, users[::step][:_N_FIT_USERS])


def _empty_day(log: ReplayLog, start_ms: int, users: Int32s) -> Day:
    pool = log.available & (log.born_ms < start_ms)
    nothing = np.empty(0, np.int32)
    return Day(start_ms, users, np.zeros(len(users) + 1, np.int64), nothing, nothing.astype(np.bool_), pool)


def _mean_interests(day: Day, log: ReplayLog, config: InterestConfig) -> float:
    batch = RecordCache().of_day(day, log, config)
    return float(np.diff(batch.interest_offsets).mean()) if batch.n_users else 1.0

"""One vector a user: the last item, and the decayed mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.actions.liking import likes
from pinnersage.evaluation.arms.asking import Queries, QueryArm
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.state import decayed_weights


@dataclass
class LastItem(QueryArm):
    """The neighbors of the newest action with a weight, of equal times the last in canonical order.

    The paper's base. Users without any such action ask with their newest.
    """

    def queries(self, day: Day, log: ReplayLog) -> Queries:
        """Return the newest item that the user liked."""
        newest = log.offsets[day.users + 1] - 1
        liked = np.maximum.accumulate(np.where(likes(log.weights), np.arange(len(log.weights)), -1))[newest]
        rows = log.item_rows[np.where(liked >= log.offsets[day.users], liked, newest)]
        return Queries(np.arange(day.n_users + 1), log.embeddings[rows], rows, np.ones(day.n_users))


@kernel
def _means(
    offsets: Int64s, users: Int32s, rows: Int32s, weights: Float64s, source: Float32s, out: Float32s
) -> None:
    for k in range(users.shape[0]):
        total = np.zeros(source.shape[1], np.float64)
        for i in range(offsets[users[k]], offsets[users[k] + 1]):
            if weights[i] > 0:
                for j in range(source.shape[1]):
                    total[j] += weights[i] * source[rows[i], j]
        length = np.sqrt((total * total).sum())
        for j in range(source.shape[1]):
            out[k, j] = total[j] / length if length > 0 else 0.0


@dataclass
class DecayedMean(QueryArm):
    """The mean of the window's items, each action weighted by ``exp(-decay_per_day * age_days)``.

    Attributes
    ----------
    window_ms, decay_per_day
        Which actions count, and how fast they fade.
    """

    window_ms: int = 0
    decay_per_day: float = 0.0

    def queries(self, day: Day, log: ReplayLog) -> Queries:
        """Return the mean, at unit length."""
        weights = decayed_weights(day, log, self.window_ms, self.decay_per_day)
        means = np.empty((day.n_users, log.embeddings.shape[1]), np.float32)
        _means(log.offsets, day.users, log.item_rows, weights, log.embeddings, means)
        return Queries(np.arange(day.n_users + 1), means, None, np.ones(day.n_users))

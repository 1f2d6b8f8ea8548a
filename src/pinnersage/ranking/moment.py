"""What was known of all items at one moment, as the ranker needs it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.interests.history import History, history_of
from pinnersage.interests.record import UserRecord
from pinnersage.ranking.actions import LogArrays
from pinnersage.ranking.linking import links_before
from pinnersage.ranking.links import Links, LinkScores
from pinnersage.ranking.statistics import ItemStatistics, statistics_before
from pinnersage.retrieval._scores import Matrix, as_matrix

UNKNOWN = -1.0
"""In columns that are never negative."""

ITEM_COLUMNS = (
    "in_7_days", "in_30_days", "in_90_days", "ever", "decayed",
    "trend_7_days", "trend_30_days", "actions_per_user", "age_days", "idle_days",
)  # fmt: skip
"""Names of :attr:`Moment.item_columns`."""


class UserView(NamedTuple):
    """A user as one moment sees them.

    Attributes
    ----------
    record
        The user as of the moment.
    history
        The record's actions by item.
    links
        What their items link to.
    """

    record: UserRecord
    history: History
    links: LinkScores


@dataclass(frozen=True)
class Moment:
    """Items as of ``statistics.moment_ms``.

    Attributes
    ----------
    embeddings
        float32 or float16 ``(n_items, d)``, unit length.
    pool
        bool ``(n_items,)``: what may be a candidate.
    statistics, links
        Counts and links from actions strictly before the moment.
    categories
        int32 ``(n_items,)``, -1 for none; None without such a column.
    decay_per_day
        Of the weights in a user's history.
    """

    embeddings: npt.NDArray[Any]
    pool: Bools
    statistics: ItemStatistics
    links: Links
    categories: Int32s | None = None
    decay_per_day: float = 0.01

    @property
    def moment_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.statistics.moment_ms

    @cached_property
    def popularity(self) -> Float32s:
        """``log(1 + decayed count)``, float32 ``(n_items,)``."""
        return np.log1p(self.statistics.decayed)

    @cached_property
    def matrix(self) -> Matrix:
        """The embeddings as kernels take them."""
        return as_matrix(self.embeddings)

    @cached_property
    def item_columns(self) -> Float32s:
        """What the ranker sees of an item alone, float32 ``(n_items, len(ITEM_COLUMNS))``."""
        items = self.statistics
        week, month, quarter = map(np.log1p, (items.in_7_days, items.in_30_days, items.in_90_days))
        columns = (
            week,
            month,
            quarter,
            np.log1p(items.ever),
            self.popularity,
            np.log1p(items.in_7_days * np.float32(30 / 7)) - month,
            np.log1p(items.in_30_days * np.float32(3)) - quarter,
            quarter - np.log1p(items.n_users_90_days),
            np.nan_to_num(items.age_days, nan=UNKNOWN),
            np.nan_to_num(items.idle_days, nan=UNKNOWN),
        )
        return np.stack(columns, axis=1)

    def with_pool(self, pool: Bools) -> Moment:
        """Return the same with another pool; what was worked out stays."""
        other = copy.copy(self)
        object.__setattr__(other, "pool", pool)
        return other

    def view(self, record: UserRecord) -> UserView:
        """Return what candidates and features ask of a user, worked out once."""
        history = history_of(record, self.decay_per_day)
        return UserView(record, history, self.links.of_user(history))


def moment_before(
    log: LogArrays,
    moment_ms: int,
    embeddings: npt.NDArray[Any],
    available: Bools,
    *,
    categories: Int32s | None = None,
    decay_per_day: float = 0.01,
    links: Links | None = None,
) -> Moment:
    """Gather all that is known of items strictly before a moment.

    Parameters
    ----------
    available
        bool ``(n_items,)``; items not yet born are left out of the pool besides.
    links
        What :func:`links_before` gave for this or an earlier moment, to save the time.
    """
    log = log.as_of(moment_ms)
    pool = available & (log.born_ms < moment_ms)
    statistics = statistics_before(log, moment_ms)
    links = links or links_before(log, moment_ms)
    return Moment(embeddings, pool, statistics, links, categories, decay_per_day)

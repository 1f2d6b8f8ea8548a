"""What was known of all items at one moment, as the ranker needs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.ranking.actions import LogArrays
from pinnersage.ranking.links import Links, links_before
from pinnersage.ranking.statistics import ItemStatistics, statistics_before


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
    pool = available & (log.born_ms < moment_ms)
    statistics = statistics_before(log, moment_ms)
    links = links or links_before(log, moment_ms)
    return Moment(embeddings, pool, statistics, links, categories, decay_per_day)

"""What all configurations that are tried on one log share."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Hashable

from pinnersage.config import BuildConfig, InterestConfig
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.state import RecordCache
from pinnersage.evaluation.vectors import VectorsAt
from pinnersage.interests.record import RecordBatch
from pinnersage.ranking.candidates import slots_for

_SPARE_DEPTH = 512


class RecentRecords(RecordCache):
    """Records by configuration, moment and users; only those asked for last stay.

    Parameters
    ----------
    n_kept
        Batches of records.
    """

    def __init__(self, n_kept: int = 16) -> None:
        super().__init__()
        self._n_kept = n_kept
        self._kept: OrderedDict[Hashable, RecordBatch] = OrderedDict()

    def fresh(self) -> RecentRecords:
        """Return an empty one of the same kind, for records over other embeddings."""
        return RecentRecords(self._n_kept)

    def of_day(self, day: Day, log: ReplayLog, config: InterestConfig) -> RecordBatch:
        """Return the records of ``day.users`` as of the last millisecond before the day."""
        key = (config, day.start_ms, day.users.tobytes())
        if key not in self._kept:
            self._kept[key] = RecordCache().of_day(day, log, config)
        self._kept.move_to_end(key)
        while len(self._kept) > self._n_kept:
            self._kept.popitem(last=False)
        return self._kept[key]


def shared_parts(
    config: BuildConfig,
    log: ReplayLog,
    budget: int,
    *,
    with_ranker: bool,
    seed: int = 0,
    vectors_at: VectorsAt | None = None,
) -> Parts:
    """Return neighbor lists deep enough for lists of ``budget`` items, records and links.

    Parameters
    ----------
    vectors_at
        Embeddings as of other moments than that of the log's; None: they are given.
    """
    n_wide = math.ceil(config.retrieval.n_candidates_per_slot * budget)
    largest = max(n_wide, config.retrieval.candidate_budget)
    if with_ranker:
        slots = slots_for(budget, config.ranking)
        largest = max(largest, round(config.ranking.n_proposed_per_slot * slots))
    n_threads = config.n_threads or os.cpu_count() or 1
    neighbors = NeighborLists(log.embeddings, 2 * largest + _SPARE_DEPTH, n_threads=n_threads)
    return Parts(
        neighbors, config.interests, RecentRecords(), seed, n_threads=n_threads, vectors_at=vectors_at
    )

"""Arms that answer as a model built with a configuration would: what is measured is what is served."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage.config import BuildConfig, InterestConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.asking import Queries
from pinnersage.evaluation.arms.balanced import Balanced
from pinnersage.evaluation.arms.interests import Interests
from pinnersage.evaluation.arms.ranked import Ranked
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Arm, Day, ReplayLog
from pinnersage.evaluation.state import RecordCache
from pinnersage.interests.record import RecordBatch
from pinnersage.ranking.candidates import slots_for
from pinnersage.ranking.links import Links
from pinnersage.retrieval._merge import Rules, make_set, without_near_duplicates
from pinnersage.retrieval.draw import seed_of_user

_SPARE_DEPTH = 512

SharedLinks = dict[int, Links]


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

    def of_day(self, day: Day, log: ReplayLog, config: InterestConfig) -> RecordBatch:
        """Return the records of ``day.users`` as of the last millisecond before the day."""
        key = (config, day.start_ms, day.users.tobytes())
        if key not in self._kept:
            self._kept[key] = RecordCache().of_day(day, log, config)
        self._kept.move_to_end(key)
        while len(self._kept) > self._n_kept:
            self._kept.popitem(last=False)
        return self._kept[key]


@dataclass
class Shared:
    """What all configurations that are tried on one log share.

    Attributes
    ----------
    neighbors
        From :func:`lists_for`.
    records
        Of those with the same way to make interests.
    links
        Moment -> links of items counted before it.
    """

    neighbors: NeighborLists
    records: RecordCache = field(default_factory=RecentRecords)
    links: SharedLinks = field(default_factory=dict)


@dataclass
class ServedInterests(Interests):
    """Interests asked as the Retriever asks them: its shares of candidates, its draws.

    Attributes
    ----------
    candidate_budget
        As in :class:`~pinnersage.config.RetrievalConfig`.
    """

    candidate_budget: int = 400

    def _shares(self, asks: Queries, budget: int) -> Int64s:
        return super()._shares(asks, max(budget, self.candidate_budget))

    def _draw_seed(self, day: Day, log: ReplayLog, user: int) -> int:  # noqa: ARG002
        return seed_of_user(self.seed, log.user_ids[user])


@dataclass
class ServedRanked(Ranked):
    """A second stage whose lists hold no near-duplicates, as those of a model do not.

    Attributes
    ----------
    proposer
        What the model's interests propose.
    near_duplicate_cosine
        As in :class:`~pinnersage.config.RetrievalConfig`.
    """

    proposer: Arm | None = field(default=None, repr=False)
    near_duplicate_cosine: float = 0.99

    def _proposer(self, known: ReplayLog, parts: Parts) -> Arm | None:  # noqa: ARG002
        return self.proposer

    def _listed(self, ordered: Int32s, n: int) -> Int32s:
        matrix = self.parts.neighbors.matrix
        nothing = make_set(ordered[:0], n + 1)
        rules = Rules(np.ones(len(matrix), np.bool_), nothing, matrix, self.near_duplicate_cosine)
        return ordered[without_near_duplicates(ordered, rules, n)]


def served_arm(config: BuildConfig, shared: Shared, seed: int = 0) -> Arm:
    """Return an arm that lists what ``PinnerSage.build`` and ``recommend`` would list.

    The index is exact here; an approximate one of a large pool finds ``target_recall`` of it.

    Parameters
    ----------
    config
        Of the build.
    shared
        With arms of other configurations, on the same log.
    seed
        Of the requests.

    Raises
    ------
    UsageError
        The mode is ``ranked``, and no ranker is to be fitted.
    """
    retrieval, ranking = config.retrieval, config.ranking
    if ranking.fit_ranker:
        parts = Parts(shared.neighbors, config.interests, shared.records, links=shared.links)
        return ServedRanked(
            "served", "interests", parts, ranking,
            proposer=_interests(config, shared, ranking.n_proposing_interests),
            near_duplicate_cosine=retrieval.near_duplicate_cosine,
        )  # fmt: skip
    if retrieval.mode == "ranked":
        raise UsageError(
            "retrieval.mode 'ranked' needs a second stage; add --ranker (fit_ranker=True), or choose another "
            "mode"
        )
    if retrieval.mode == "balanced":
        return Balanced(
            "served", shared.neighbors, "proportional", "turns", shared.records, config.interests,
            retrieval.n_balanced_interests, retrieval=retrieval,
        )  # fmt: skip
    if retrieval.mode == "budgeted":
        return _interests(config, shared, retrieval.n_budgeted_interests)
    return ServedInterests(
        "served", shared.neighbors, "equal", "score", shared.records, config.interests,
        retrieval.n_interests, sampled=True, seed=seed, candidate_budget=retrieval.candidate_budget,
    )  # fmt: skip


def _interests(config: BuildConfig, shared: Shared, n_interests: int) -> Arm:
    return ServedInterests(
        "served", shared.neighbors, "proportional", "turns", shared.records, config.interests, n_interests,
        candidate_budget=config.retrieval.candidate_budget,
    )  # fmt: skip


def lists_for(config: BuildConfig, log: ReplayLog, budget: int, *, with_ranker: bool) -> NeighborLists:
    """Return neighbor lists deep enough for lists of ``budget`` items, shared by all that is tried."""
    n_wide = math.ceil(config.retrieval.n_candidates_per_slot * budget)
    largest = max(n_wide, config.retrieval.candidate_budget)
    if with_ranker:
        slots = slots_for(budget, config.ranking)
        largest = max(largest, round(config.ranking.n_proposed_per_slot * slots))
    return NeighborLists(
        log.embeddings, 2 * largest + _SPARE_DEPTH, n_threads=config.n_threads or os.cpu_count() or 1,
        near_duplicate_cosine=config.retrieval.near_duplicate_cosine,
    )  # fmt: skip

"""An arm that answers as a model built with a configuration would: what is measured is what is served."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage.config import BuildConfig
from pinnersage.evaluation.arms.asking import Queries
from pinnersage.evaluation.arms.balanced import Balanced
from pinnersage.evaluation.arms.interests import Interests
from pinnersage.evaluation.arms.ranked import Ranked
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.replay import Arm, Day, ReplayLog
from pinnersage.ranking.required import check_ranker_wanted
from pinnersage.retrieval._merge import Rules, make_set, without_near_duplicates
from pinnersage.retrieval.draw import seed_of_user


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
    """A second stage over a user's interests; its lists hold no near-duplicates, as a model's do not.

    Attributes
    ----------
    n_interests
        How many propose.
    candidate_budget, near_duplicate_cosine
        As in :class:`~pinnersage.config.RetrievalConfig`.
    """

    n_interests: int = 20
    candidate_budget: int = 400
    near_duplicate_cosine: float = 0.99

    def _proposer(self, known: ReplayLog, parts: Parts) -> Arm | None:  # noqa: ARG002
        return _interests(self.name, parts, self.n_interests, self.candidate_budget)

    def _listed(self, ordered: Int32s, n: int) -> Int32s:
        matrix = self.parts.neighbors.matrix
        nothing = make_set(ordered[:0], n + 1)
        rules = Rules(np.ones(len(matrix), np.bool_), nothing, matrix, self.near_duplicate_cosine)
        return ordered[without_near_duplicates(ordered, rules, n)]


def served_arm(config: BuildConfig, parts: Parts, name: str = "as-configured") -> Arm:
    """Return an arm that lists what ``PinnerSage.build`` and ``recommend`` would list.

    The index is exact here; an approximate one of a large pool finds ``target_recall`` of it.

    Parameters
    ----------
    config
        Of the build.
    parts
        Shared with other arms on the same log; ``config`` goes before its settings.

    Raises
    ------
    UsageError
        The mode is ``ranked``, and no ranker is to be fitted.
    """
    retrieval, ranking = config.retrieval, config.ranking
    neighbors = parts.neighbors.with_near_duplicate_cosine(retrieval.near_duplicate_cosine)
    parts = replace(parts, neighbors=neighbors, config=config.interests, retrieval=retrieval)
    check_ranker_wanted(config)
    if ranking.fit_ranker:
        return ServedRanked(
            name, "interests", parts, ranking, n_interests=ranking.n_proposing_interests,
            candidate_budget=retrieval.candidate_budget,
            near_duplicate_cosine=retrieval.near_duplicate_cosine,
        )  # fmt: skip
    if retrieval.mode == "balanced":
        return Balanced(
            name, neighbors, "proportional", "turns", parts.records, parts.config,
            retrieval.n_balanced_interests, retrieval=retrieval, n_threads=parts.n_threads,
        )  # fmt: skip
    if retrieval.mode == "budgeted":
        return _interests(name, parts, retrieval.n_budgeted_interests, retrieval.candidate_budget)
    return ServedInterests(
        name, neighbors, "equal", "score", parts.records, parts.config, retrieval.n_interests, sampled=True,
        seed=parts.seed, candidate_budget=retrieval.candidate_budget,
    )  # fmt: skip


def _interests(name: str, parts: Parts, n_interests: int, candidate_budget: int) -> Arm:
    return ServedInterests(
        name, parts.neighbors, "proportional", "turns", parts.records, parts.config, n_interests,
        candidate_budget=candidate_budget,
    )  # fmt: skip

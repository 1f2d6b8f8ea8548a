"""All arms that learn nothing: baselines, the paper's table, the budgeted paths, oracles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pinnersage.config import InterestConfig, RetrievalConfig
from pinnersage.evaluation.arms.balanced import Balanced
from pinnersage.evaluation.arms.interests import Interests, MatchedInterests
from pinnersage.evaluation.arms.oracles import InterestOracle, PastItemsOracle
from pinnersage.evaluation.arms.popular import Popular, PopularInCategory
from pinnersage.evaluation.arms.single import DecayedMean, LastItem
from pinnersage.evaluation.cosines import Cosines
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Arm, ReplayLog
from pinnersage.evaluation.state import RecordCache
from pinnersage.evaluation.vectors import VectorsAt
from pinnersage.ranking.linking import links_before
from pinnersage.ranking.links import Links

_KEPT_LINKS = 64


@dataclass
class Parts:
    """What arms of one evaluation share.

    Attributes
    ----------
    neighbors
        Lists looked up once per dataset.
    config
        How actions become interests, unless an arm is about another way.
    records
        Records built once per day and configuration.
    seed
        Of every draw.
    retrieval
        Of the balanced path.
    cosines
        Of all items, where they are at hand.
    n_threads
        Of arms that work in threads.
    vectors_at
        Embeddings as of earlier moments, where they are learnt from the log.
    links
        Moment -> links learnt from the actions before it, shared by the ranked arms.
    """

    neighbors: NeighborLists
    config: InterestConfig = field(default_factory=InterestConfig)
    records: RecordCache = field(default_factory=RecordCache)
    seed: int = 0
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    cosines: Cosines | None = None
    n_threads: int = 1
    vectors_at: VectorsAt | None = None
    links: dict[int, Links] = field(default_factory=dict)

    def as_of(self, ms: int) -> Parts:
        """Return parts that know the embeddings of a moment; these, where embeddings are given."""
        if self.vectors_at is None:
            return self
        return replace(
            self,
            neighbors=self.neighbors.over(self.vectors_at(ms)),
            records=self.records.fresh(),
            cosines=None,
        )

    def links_at(self, log: ReplayLog, ms: int) -> Links:
        """Return what the actions before a moment say of common users; the newest 64 moments stay."""
        if ms not in self.links:
            self.links[ms] = links_before(log, ms)
            while len(self.links) > _KEPT_LINKS:
                del self.links[next(iter(self.links))]
        return self.links[ms]


MakeArm = Callable[[str, Parts], Arm]


def _mean(name: str, parts: Parts, *, decay_per_day: float) -> Arm:
    return DecayedMean(name, parts.neighbors, window_ms=parts.config.window_ms, decay_per_day=decay_per_day)


def _popular(name: str, parts: Parts, *, n_days: int | None = None) -> Arm:
    return Popular(name, parts.neighbors, n_days)


def _in_category(name: str, parts: Parts) -> Arm:
    return PopularInCategory(name, parts.neighbors, parts.config.window_ms, parts.config.decay_per_day)


def _sampled(name: str, parts: Parts, *, n: int = 3, **changes: Any) -> Arm:
    config = parts.config.model_copy(update=changes)
    return Interests(
        name, parts.neighbors, "equal", "score", parts.records, config, n, sampled=True, seed=parts.seed
    )


def _top(name: str, parts: Parts, *, n: int | None) -> Arm:
    return Interests(name, parts.neighbors, "proportional", "turns", parts.records, parts.config, n)


def _balanced(name: str, parts: Parts, *, n: int | None) -> Arm:
    return Balanced(
        name, parts.neighbors, "proportional", "turns", parts.records, parts.config, n,
        retrieval=parts.retrieval, cosines=parts.cosines, n_threads=parts.n_threads,
    )  # fmt: skip


def _complete(name: str, parts: Parts) -> Arm:
    config = parts.config.model_copy(update={"clustering": "complete"})
    return MatchedInterests(
        name, parts.neighbors, "equal", "score", parts.records, config, 3, sampled=True, seed=parts.seed,
        like=parts.config,
    )  # fmt: skip


def _fixed(name: str, parts: Parts) -> Arm:
    return MatchedInterests(
        name, parts.neighbors, "proportional", "turns", parts.records, parts.config, None,
        like=parts.config, match="n_clusters",
    )  # fmt: skip


def _interest_oracle(name: str, parts: Parts) -> Arm:
    config = parts.config.model_copy(update={"clustering": "kmeans", "n_clusters": 3})
    return InterestOracle(name, parts.neighbors, records=parts.records, config=config)


UNTRAINED: dict[str, MakeArm] = {
    "last-item": lambda name, parts: LastItem(name, parts.neighbors),
    "mean-0": partial(_mean, decay_per_day=0.0),
    "mean-0.01": partial(_mean, decay_per_day=0.01),
    "mean-0.1": partial(_mean, decay_per_day=0.1),
    "mean-0.25": partial(_mean, decay_per_day=0.25),
    "popular": _popular,
    "popular-90d": partial(_popular, n_days=90),
    "popular-30d": partial(_popular, n_days=30),
    "popular-category": _in_category,
    "sampled-1": partial(_sampled, n=1),
    "sampled-3": _sampled,
    "sampled-3-decay-0": partial(_sampled, decay_per_day=0.0),
    "sampled-3-decay-0.1": partial(_sampled, decay_per_day=0.1),
    "sampled-3-centroid": partial(_sampled, representative="centroid"),
    "sampled-3-kmeans-5": partial(_sampled, clustering="kmeans", n_clusters=5),
    "sampled-3-complete": _complete,
    "top-1": partial(_top, n=1),
    "top-3": partial(_top, n=3),
    "top-5": partial(_top, n=5),
    "top-10": partial(_top, n=10),
    "top-20": partial(_top, n=20),
    "top-40": partial(_top, n=40),
    "all-interests": partial(_top, n=None),
    "all-interests-fixed-k": _fixed,
    "balanced-40": partial(_balanced, n=40),
    "oracle-kmeans-3": _interest_oracle,
    "oracle-past-items": lambda name, parts: PastItemsOracle(name, parts.neighbors),
}
"""Name -> how the arm is made; in the order of the tables."""


def untrained_arms(log: ReplayLog, parts: Parts, names: list[str] | None = None) -> list[Arm]:
    """Make arms by name; all that the data allow when ``names`` is None."""
    wanted = list(UNTRAINED) if names is None else names
    if log.categories is None or log.categories.max(initial=-1) < 0:
        wanted = [name for name in wanted if name != "popular-category"]
    return [UNTRAINED[name](name, parts) for name in wanted]

"""Frozen, typed settings; unknown keys are refused.

Only the drivers (``cli``, ``model``) read these from files or the environment; everything below
receives them as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pinnersage.errors import UsageError

T = TypeVar("T", bound=BaseModel)

MS_PER_DAY = 86_400_000
MAX_INT32 = 2**31 - 1
MAX_THREADS = 1_024

Clustering = Literal["ward", "complete", "kmeans"]
Representative = Literal["medoid", "centroid"]
RecommendMode = Literal["sampled", "budgeted", "balanced", "ranked"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InterestConfig(_Frozen):
    """How one user's actions become interests.

    Attributes
    ----------
    max_merge_cost
        Ward stops where the next merge would cost more than this (the paper's alpha): a squared
        distance, equal to the square of the SciPy Ward height. The paper does not give its value. At
        1.5 two single actions of unit length are one interest from cosine 0.25 on, and public logs
        show the numbers the paper names: a few interests for light users, about a hundred for the
        heaviest.
    decay_per_day
        The paper's lambda; 0 counts actions, larger values favour recent ones.
    window_days
        Actions in ``(now - window_days, now]`` count.
    max_actions
        Of a user's actions in the window, the newest this many are kept.
    clustering, n_clusters, representative, drop_singletons
        Switches for the paper's comparisons. ``n_clusters`` fixes the number of clusters (needed by
        ``kmeans``). ``drop_singletons`` is the literal reading of the paper's Algorithm 1: an action
        that merges with no other is in no cluster.
    """

    max_merge_cost: float = Field(default=1.5, ge=0, allow_inf_nan=False)
    decay_per_day: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    window_days: float = Field(default=90.0, gt=0, le=1e9)
    max_actions: int = Field(default=5_000, ge=1, le=MAX_INT32)
    clustering: Clustering = "ward"
    n_clusters: int | None = Field(default=None, ge=1, le=MAX_INT32)
    representative: Representative = "medoid"
    drop_singletons: bool = False

    @model_validator(mode="after")
    def _kmeans_needs_a_number(self) -> InterestConfig:
        if self.clustering == "kmeans" and self.n_clusters is None:
            raise ValueError("clustering='kmeans' needs n_clusters, for example n_clusters=5")
        return self

    @property
    def window_ms(self) -> int:
        """Length of the window in milliseconds."""
        return round(self.window_days * MS_PER_DAY)


class ImportConfig(_Frozen):
    """How tables are read and what is done with bad rows.

    Attributes
    ----------
    time_unit
        Unit of an integer ``timestamp`` column; such a column is refused without it.
    columns
        Contract name -> name in the user's table, for example ``{"item_id": "asin"}``; ``items.item_id`` and
        ``actions.item_id`` where the two tables name it differently.
    normalize
        Scale embeddings to unit length. Without it Ward goes by distance and retrieval by inner product:
        long embeddings come first whatever their direction.
    dtype
        Storage type of the embedding matrix.
    embedding_version
        Name of what made the embeddings. Items put online under another name, or none, are left out: their
        embeddings mean nothing among these. Change it with the embeddings.
    strict
        Refuse any bad row.
    max_bad_share
        Without ``strict``: refuse when more than this share of a table's rows is bad.
    memory_limit_mb
        Bound on the memory of the table engine; what does not fit is spilled to disk.
    """

    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    normalize: bool = True
    dtype: Literal["float32", "float16"] = "float32"
    embedding_version: str | None = Field(default=None, min_length=1, max_length=256)
    strict: bool = False
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    memory_limit_mb: int = Field(default=1_500, ge=64, le=MAX_INT32)


class IndexConfig(_Frozen):
    """How the nearest-neighbour index is built.

    Attributes
    ----------
    target_recall
        Share of the true neighbours that auto-tuning must reach at every tuned ``k``.
    exact_below
        Pools with fewer items are searched exactly.
    min_quality
        Items whose ``quality`` is lower are no candidates; those without one are.
    seed
        Seeds training and auto-tuning.
    """

    target_recall: float = Field(default=0.99, gt=0, le=1)
    exact_below: int = Field(default=20_000, ge=0)
    min_quality: float | None = Field(default=None, allow_inf_nan=False)
    seed: int = 0


class RetrievalConfig(_Frozen):
    """How recommendations are drawn from interests.

    Attributes
    ----------
    mode
        ``sampled``: the paper's path, ``n_interests`` interests drawn in proportion to importance.
        ``budgeted``: the top ``n_budgeted_interests`` interests, candidates shared in proportion to
        importance, merged round-robin. ``balanced``: the top ``n_balanced_interests`` propose a wider
        set, from which a list is chosen that speaks for all the user's actions
        (:mod:`pinnersage.retrieval.balance`).
        ``ranked``: many interests, popular and linked items propose, a ranker orders; for models built
        with ``fit_ranker``, which then are asked so by default.
    candidate_budget
        Candidates looked up per request, shared by the interests used (the paper's 400).
    n_candidates_per_slot
        ``balanced``: candidates for each item of the list, where that is more than the budget.
    sharpness, saturation
        ``balanced``: how fast nearness fades with the cosine, and how soon an action has been spoken for.
    near_duplicate_cosine
        Two items at or above this cosine never stand in one list.
    """

    mode: RecommendMode = "sampled"
    n_interests: int = Field(default=3, ge=1)
    n_budgeted_interests: int = Field(default=20, ge=1)
    n_balanced_interests: int = Field(default=40, ge=1)
    candidate_budget: int = Field(default=400, ge=1)
    n_candidates_per_slot: float = Field(default=4.0, ge=1, le=1e6)
    sharpness: float = Field(default=8.0, ge=0, le=1e3)
    saturation: float = Field(default=10.0, ge=0, le=1e9)
    near_duplicate_cosine: float = Field(default=0.99, gt=0, le=1.01)
    exclude_seen: bool = True


class RankingConfig(_Frozen):
    """How the second stage is fitted, and how wide a set it orders.

    Attributes
    ----------
    fit_ranker
        Fit one when building a model, and order recommendations by it.
    budget
        Slots of the wide set it is fitted on. Lists are chosen from one for as many slots, or from a wider
        one if sources would be asked for fewer than six candidates for each item.
    n_proposed_per_slot, n_popular_per_slot, n_linked_per_slot, n_category_per_slot
        Candidates of each source, for each slot of the wide set.
    n_proposing_interests
        The most important interests are asked for proposals, in proportion to importance.
    repeats
        Whether items the user acted on before are candidates, and count as targets.
    horizon_days
        A candidate is a success when the user acts on it within so many days.
    n_moments
        Past moments to learn from, ``horizon_days`` apart.
    n_users_per_moment, min_actions, n_negatives
        Users drawn at each moment, how many actions in the window they must have, and how many of
        each one's other candidates are kept.
    n_trees, learning_rate, n_leaves, min_leaf_rows, l2
        Of the boosted trees; fewer trees are kept when that is better at the newest moment.
    ranker_seed
        Draws users and candidates.
    """

    fit_ranker: bool = False
    budget: int = Field(default=100, ge=1)
    n_proposed_per_slot: float = Field(default=4.0, ge=0, allow_inf_nan=False)
    n_popular_per_slot: float = Field(default=3.0, ge=0, allow_inf_nan=False)
    n_linked_per_slot: float = Field(default=3.0, ge=0, allow_inf_nan=False)
    n_category_per_slot: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    n_proposing_interests: int = Field(default=40, ge=1)
    repeats: bool = False
    horizon_days: float = Field(default=14.0, gt=0, le=1e9)
    n_moments: int = Field(default=4, ge=1)
    n_users_per_moment: int = Field(default=2_000, ge=1)
    min_actions: int = Field(default=1, ge=1)
    n_negatives: int = Field(default=100, ge=1)
    n_trees: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=0.06, gt=0, allow_inf_nan=False)
    n_leaves: int = Field(default=31, ge=2)
    min_leaf_rows: int = Field(default=50, ge=1)
    l2: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    ranker_seed: int = 0


class OnlineConfig(_Frozen):
    """How actions that come after a build reach the interests.

    Attributes
    ----------
    online
        ``exact``: the window of each user is kept, and every action ends in the record that a batch over
        all of them would build. ``recent``, the paper's: a build keeps medoids and importances alone, and
        the newest actions since are clustered and united with them.
    n_recent
        ``recent``: how many of a user's newest actions count until the next build (the paper's 20).
    """

    online: Literal["exact", "recent"] = "exact"
    n_recent: int = Field(default=20, ge=1, le=10_000)


class BuildConfig(_Frozen):
    """All settings of one build; stored with the model."""

    interests: InterestConfig = InterestConfig()
    online: OnlineConfig = OnlineConfig()
    imports: ImportConfig = ImportConfig()
    index: IndexConfig = IndexConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    ranking: RankingConfig = RankingConfig()
    n_threads: int | None = Field(default=None, ge=1, le=MAX_THREADS)


def validated(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return settings of a kind, or say in one line what is wrong with each value.

    Raises
    ------
    UsageError
        A value is out of range or of another type, or there is no such setting.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r}" for e in error.errors()]
        raise UsageError("; ".join(wrong)) from None

"""What each arm is, as the paper's section 5 and the docs say, written out by hand; and the defaults."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, Action, drawn_actions, drawn_embeddings, log_of, with_categories

from pinnersage.cli.evaluating import evaluate as evaluate_verb
from pinnersage.config import InterestConfig
from pinnersage.evaluation.arms.interests import Interests, MatchedInterests
from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.arms.ranked import RANKED
from pinnersage.evaluation.arms.untrained import UNTRAINED, Parts, untrained_arms
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import ReplayLog, walk
from pinnersage.evaluation.running import evaluate_log
from pinnersage.evaluation.saved import log_digest
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.state import RecordCache
from pinnersage.ranking.features import FEATURES

CUT = 50 * DAY
LOG = log_of(drawn_actions(1), drawn_embeddings(1))

WINDOW = 90 * DAY
SAMPLED = {"sampled": True, "sharing": "equal", "order": "score"}
TOP = {"sampled": False, "sharing": "proportional", "order": "turns"}
WARD = {"clustering": "ward", "n_clusters": None, "representative": "medoid", "decay_per_day": 0.01}

ARMS: dict[str, dict[str, Any]] = {
    "last-item": {},
    "mean-0": {"window_ms": WINDOW, "decay_per_day": 0.0},
    "mean-0.01": {"window_ms": WINDOW, "decay_per_day": 0.01},
    "mean-0.1": {"window_ms": WINDOW, "decay_per_day": 0.1},
    "mean-0.25": {"window_ms": WINDOW, "decay_per_day": 0.25},
    "popular": {"n_days": None},
    "popular-90d": {"n_days": 90},
    "popular-30d": {"n_days": 30},
    "popular-category": {"window_ms": WINDOW, "decay_per_day": 0.01},
    "sampled-1": SAMPLED | {"n_interests": 1, "config": WARD},
    "sampled-3": SAMPLED | {"n_interests": 3, "config": WARD},
    "sampled-3-decay-0": SAMPLED | {"n_interests": 3, "config": WARD | {"decay_per_day": 0.0}},
    "sampled-3-decay-0.1": SAMPLED | {"n_interests": 3, "config": WARD | {"decay_per_day": 0.1}},
    "sampled-3-centroid": SAMPLED | {"n_interests": 3, "config": WARD | {"representative": "centroid"}},
    "sampled-3-kmeans-5": SAMPLED
    | {"n_interests": 3, "config": WARD | {"clustering": "kmeans", "n_clusters": 5}},
    "sampled-3-complete": SAMPLED
    | {"n_interests": 3, "config": WARD | {"clustering": "complete"}, "like": WARD}
    | {"match": "max_merge_cost"},
    "top-1": TOP | {"n_interests": 1, "config": WARD},
    "top-3": TOP | {"n_interests": 3, "config": WARD},
    "top-5": TOP | {"n_interests": 5, "config": WARD},
    "top-10": TOP | {"n_interests": 10, "config": WARD},
    "top-20": TOP | {"n_interests": 20, "config": WARD},
    "top-40": TOP | {"n_interests": 40, "config": WARD},
    "all-interests": TOP | {"n_interests": None, "config": WARD},
    "all-interests-fixed-k": TOP
    | {"n_interests": None, "config": WARD, "like": WARD, "match": "n_clusters"},
    "balanced-40": TOP | {"n_interests": 40, "config": WARD},
    "oracle-kmeans-3": {"is_oracle": True, "config": WARD | {"clustering": "kmeans", "n_clusters": 3}},
    "oracle-past-items": {"is_oracle": True},
}  # fmt: skip


def made(log: ReplayLog, name: str) -> Any:
    return untrained_arms(log, Parts(NeighborLists(log.embeddings, 60)), [name])[0]


def test_the_table_names_every_untrained_arm() -> None:
    assert {*ARMS} >= {*UNTRAINED}


@pytest.mark.parametrize("name", UNTRAINED)
def test_an_arm_is_what_its_name_says(name: str) -> None:
    arm = made(with_categories(LOG), name)
    assert getattr(arm, "is_oracle", False) == ARMS[name].get("is_oracle", False)
    for setting, wanted in ARMS[name].items():
        found = getattr(arm, setting)
        if isinstance(found, InterestConfig):
            assert found.window_days == 90
            found = {key: getattr(found, key) for key in wanted}
        assert found == wanted, setting


def mean_number(log: ReplayLog, config: InterestConfig) -> float:
    (day,) = walk(log, CUT, 1, window_ms=WINDOW)
    users = np.unique(log.before(CUT).users).astype(np.int32)
    day = type(day)(CUT, users, np.zeros(len(users) + 1, np.int64), users[:0], users[:0] > 0, day.pool)
    return float(np.diff(RecordCache().of_day(day, log.before(CUT), config).interest_offsets).mean())


@pytest.mark.parametrize("name", ["sampled-3-complete", "all-interests-fixed-k"])
def test_another_clustering_gives_as_many_interests_as_ward(name: str) -> None:
    # Blurred corners: where complete linkage merges, and Ward at the same cost does not.
    rng = np.random.default_rng(4)
    blurred = drawn_embeddings(1) + rng.normal(0, 0.3, (60, 12)).astype(np.float32)
    log = log_of(drawn_actions(1), blurred / np.linalg.norm(blurred, axis=1, keepdims=True))
    arm = made(log, name)
    assert isinstance(arm, MatchedInterests)
    wanted = mean_number(log, InterestConfig())
    before = mean_number(log, arm.config)
    arm.fit(log.before(CUT), CUT)
    found = mean_number(log, arm.config)
    assert wanted > 1.5
    assert abs(found - wanted) < max(0.51, 0.1 * wanted)
    if name == "sampled-3-complete":
        assert abs(before - wanted) > 1


def test_popularity_in_a_category_forgets_what_is_older_than_the_window() -> None:
    old, new, cut = 0, 1, 100 * DAY
    actions: list[Action] = [(f"u{i}", old, 5 * DAY) for i in range(9)]
    actions += [("a", new, 99 * DAY), ("z", 2, 99 * DAY), ("z", 0, cut)]
    log = log_of(actions, drawn_embeddings(1, n_items=3), created_at_ms=[0, 0, 0])
    log = with_categories(log)
    assert log.categories is not None
    log.categories[:] = 0
    (day,) = walk(log, cut, 1, window_ms=WINDOW)
    lists = made(log, "popular-category").recommend(day.without_targets(), log.before(cut), 2, "first_time")
    assert lists.tolist() == [[new, old]]


def test_the_means_fade_at_the_rate_they_are_named_after() -> None:
    actions: list[Action] = [("a", 0, CUT - 1 - 10 * DAY), ("a", 1, CUT - 1), ("a", 2, CUT)]
    log = log_of(actions, np.eye(3, dtype=np.float32), created_at_ms=[0, 0, 0])
    (day,) = walk(log, CUT, 1, window_ms=WINDOW)
    for name, rate in (("mean-0", 0.0), ("mean-0.01", 0.01), ("mean-0.1", 0.1), ("mean-0.25", 0.25)):
        (mean,) = made(log, name).queries(day, log.before(CUT)).vectors
        np.testing.assert_allclose(mean[0] / mean[1], np.exp(-10 * rate), rtol=1e-5)


def test_the_defaults_of_an_evaluation_are_those_of_the_paper_and_the_docs() -> None:
    config = EvaluationConfig()
    assert config.budgets == (400, 0.01, 0.05)
    assert config.relevance_cosine == 0.8
    assert config.n_impressions_per_action == 20
    assert (config.min_actions, config.n_resamples, config.seed) == (1, 1_000, 0)
    assert inspect.signature(evaluate_log).parameters["n_days"].default == 14
    assert inspect.signature(inspect.unwrap(evaluate_verb)).parameters["days"].default == 14


def test_rankers_see_what_their_name_allows_and_nothing_that_is_only_known_now() -> None:
    seen = {name: {*FEATURES} - {*hidden} for name, (_, hidden) in RANKED.items()}
    of_actions = {
        "best_cosine", "best_cosine_rank", "interest_share", "rank_in_interest", "weighted_cosine",
        "sharp_cosine", "newest_cosine", "popularity_in_interest", "user_n_interests",
        "affinity_4", "affinity_4_rank", "affinity_12", "affinity_12_rank",
    }  # fmt: skip
    of_the_mean = {"mean_cosine", "mean_cosine_rank"}
    assert {name: base for name, (base, _) in RANKED.items()} == {
        "top-40-ranked": "top-40", "all-interests-ranked": "all-interests",
        "mean-0.01-ranked": "mean-0.01", "popular-ranked": None,
    }  # fmt: skip
    assert tuple(RANKED) == GROUPS["ranked"]
    assert seen["top-40-ranked"] == seen["all-interests-ranked"] == {*FEATURES} > of_actions | of_the_mean
    assert seen["mean-0.01-ranked"] == {*FEATURES} - of_actions
    assert seen["popular-ranked"] == {*FEATURES} - of_actions - of_the_mean
    assert not any("quality" in name or "available" in name for name in FEATURES)


def test_a_quality_that_is_only_known_now_changes_nothing_that_arms_are_given() -> None:
    one, two = (
        log_of(drawn_actions(1), drawn_embeddings(1), quality=list(values))
        for values in (np.zeros(60), np.arange(60) / 60)
    )
    assert log_digest(one) == log_digest(two)


def test_arms_of_interests_keep_to_the_settings_given() -> None:
    config = InterestConfig(decay_per_day=0.03, max_merge_cost=0.7, window_days=30)
    parts = Parts(NeighborLists(LOG.embeddings, 60), config)
    about = {"sampled-3-decay-0": {"decay_per_day"}, "sampled-3-decay-0.1": {"decay_per_day"}}
    about |= {"sampled-3-centroid": {"representative"}, "sampled-3-complete": {"clustering"}}
    about |= {"sampled-3-kmeans-5": {"clustering", "n_clusters"}}
    for arm in untrained_arms(LOG, parts):
        if isinstance(arm, Interests):
            changed = {key for key, value in arm.config if value != getattr(config, key)}
            assert changed == about.get(arm.name, set()), arm.name

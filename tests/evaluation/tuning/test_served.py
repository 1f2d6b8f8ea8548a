"""What is measured is what a model built with the configuration recommends, item by item."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.evaluation.tuning.tuning_worlds import QUICK, UNTIL, close_topics_tables
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings

from pinnersage import PinnerSage
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.interests import _empty_day
from pinnersage.evaluation.arms.served import served_arm
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.reading import read_log
from pinnersage.evaluation.replay import Mode, ReplayLog
from pinnersage.evaluation.tuning.facade import tune
from pinnersage.evaluation.tuning.running import tune_log
from pinnersage.evaluation.tuning.shared import RecentRecords, shared_parts
from pinnersage.items.origin import EmbeddingOrigin

CUT = 50 * DAY
K = 10
TREES = {"n_trees": 8, "n_leaves": 7, "min_leaf_rows": 5, "horizon_days": 5, "n_moments": 2, "budget": 8}


def tables() -> tuple[pa.Table, pa.Table]:
    """Return 60 items and 30 users, all born early; every fourth item has a near-duplicate."""
    embeddings = drawn_embeddings(4)
    embeddings[1::4] = embeddings[0::4]
    n = len(embeddings)
    items = pa.table(
        {
            "item_id": [f"i{i:02d}" for i in range(n)],
            "embedding": pa.array(embeddings.tolist(), pa.list_(pa.float32())),
            "created_at": pa.array([0] * n, pa.timestamp("ms", tz="UTC")),
            "category": [f"c{i % 6}" for i in range(n)],
            "quality": [0.1 if i % 10 == 0 else 0.9 for i in range(n)],
        }
    )
    drawn = [(user, f"i{row:02d}", ms + DAY) for user, row, ms in drawn_actions(4, n_users=30, n=1_500)]
    users, rows, times = zip(*drawn, strict=True)
    return items, pa.table(
        {"user_id": users, "item_id": rows, "timestamp": pa.array(times, pa.timestamp("ms", tz="UTC"))}
    )


@contextmanager
def both(
    items: pa.Table, actions: pa.Table, config: BuildConfig, cut: int
) -> Iterator[tuple[Any, ReplayLog]]:
    log, _, _ = read_log(
        items, actions, config.imports, wall_clock_ms=400 * DAY, min_quality=config.index.min_quality
    )
    with PinnerSage.build(items, actions, config=config, now=cut - 1) as model:
        yield model, log


def assert_equal_lists(items: pa.Table, actions: pa.Table, config: BuildConfig, cut: int, mode: Mode) -> int:
    """Compare every user's list; return how many items were compared."""
    n_compared = 0
    with both(items, actions, config, cut) as (model, log):
        known = log.before(cut)
        day = _empty_day(known, cut, np.flatnonzero(np.diff(known.offsets)).astype(np.int32))
        assert np.array_equal(day.pool, model.pool)
        arm: Any = served_arm(config, shared_parts(config, log, K, with_ranker=True))
        if config.ranking.fit_ranker:
            arm.fit(known, cut)
        lists = arm.recommend(day, known, K, mode)
        ids = model.items.vocabulary.ids_of(np.arange(len(model.items)))
        for u, user in enumerate(day.users.tolist()):
            served = [item["item_id"] for item in model.recommend_dict(log.user_ids[user], K)["items"]]
            assert [ids[row] for row in lists[u].tolist() if row >= 0] == served
            n_compared += len(served)
    return n_compared


@pytest.mark.parametrize("mode", ["first_time", "all"])
@pytest.mark.parametrize(
    "retrieval",
    [
        {"mode": "sampled", "n_interests": 2},
        {"mode": "sampled", "n_interests": 3, "near_duplicate_cosine": 1.01},
        {"mode": "budgeted", "n_budgeted_interests": 4},
        {"mode": "budgeted", "n_budgeted_interests": 20, "candidate_budget": 7},
        {"mode": "balanced", "n_balanced_interests": 4, "candidate_budget": 7, "sharpness": 3.0},
        {"mode": "balanced", "candidate_budget": 101},
        {"mode": "balanced", "saturation": 1.0, "near_duplicate_cosine": 1.01},
    ],
)
@pytest.mark.parametrize(
    "interests", [{"max_merge_cost": 0.3}, {"decay_per_day": 0.1, "representative": "centroid"}]
)
def test_interests_are_asked_as_they_are_served(
    mode: Mode, retrieval: dict[str, Any], interests: dict[str, Any]
) -> None:
    given = {"interests": interests, "retrieval": retrieval | {"exclude_seen": mode == "first_time"}}
    assert assert_equal_lists(*tables(), BuildConfig.model_validate(given), CUT, mode) > 30 * K / 2


def weighted(actions: pa.Table) -> pa.Table:
    """Give every third user actions of weight 0 alone, and the others some of them."""
    users, items = actions["user_id"].to_pylist(), actions["item_id"].to_pylist()
    nothing = [int(u[1:]) % 3 == 0 or int(i[1:]) % 4 == 0 for u, i in zip(users, items, strict=True)]
    weights = [0.0 if n else 1.0 + int(i[1:]) % 3 for n, i in zip(nothing, items, strict=True)]
    return actions.append_column("weight", pa.array(weights, pa.float32()))


@pytest.mark.parametrize(
    ("interests", "with_weights"),
    [({}, True), ({"max_actions": 5}, False), ({"decay_per_day": 40.0}, False)],
    ids=["weights of 0", "a cap", "weights that decay to 0"],
)
def test_balanced_lists_speak_for_what_they_are_served_for(
    interests: dict[str, Any], with_weights: bool
) -> None:
    items, actions = tables()
    retrieval = {"mode": "balanced", "candidate_budget": 20, "near_duplicate_cosine": 1.01}
    given = {"interests": interests | {"max_merge_cost": 0.3}, "retrieval": retrieval}
    config = BuildConfig.model_validate(given)
    actions = weighted(actions) if with_weights else actions
    assert assert_equal_lists(items, actions, config, CUT, "first_time") > 30 * K / 2


def test_items_below_the_least_quality_are_never_listed() -> None:
    config = BuildConfig.model_validate({"index": {"min_quality": 0.5}})
    with both(*tables(), config, CUT) as (model, _):
        assert not model.pool.all()
    assert assert_equal_lists(*tables(), config, CUT, "first_time") > 30 * K / 2


@pytest.mark.parametrize("mode", ["first_time", "all"])
def test_a_second_stage_orders_as_it_serves(mode: Mode) -> None:
    pytest.importorskip("sklearn")
    given = {
        "ranking": TREES | {"fit_ranker": True, "n_proposing_interests": 5, "repeats": mode == "all"},
        "retrieval": {"exclude_seen": mode == "first_time"},
    }
    assert assert_equal_lists(*tables(), BuildConfig.model_validate(given), CUT, mode) > 30 * K / 2


def test_a_tuned_configuration_serves_what_was_measured() -> None:
    items, actions = close_topics_tables()
    config = tune(items, actions, tuning=QUICK, until=UNTIL).config
    assert config != BuildConfig()
    assert assert_equal_lists(items, actions, config, UNTIL, "first_time") > 0


def test_a_second_stage_that_learns_from_what_the_embeddings_know_is_told() -> None:
    pytest.importorskip("sklearn")
    log, _, _ = read_log(*tables(), wall_clock_ms=400 * DAY)
    first_ms = CUT - (QUICK.held_out_days + QUICK.train_days) * DAY
    learns_from_ms = first_ms - TREES["n_moments"] * TREES["horizon_days"] * DAY
    for until_ms, with_ranker in ((first_ms, True), (first_ms, False), (learns_from_ms, True)):
        config = BuildConfig.model_validate({"ranking": TREES | {"fit_ranker": with_ranker}})
        known = replace(log, origin=EmbeddingOrigin("log", until_ms, "1"))
        found = tune_log(
            known, config=config, tuning=QUICK.model_copy(update={"max_trials": 1}), until_ms=CUT
        )
        assert found.held_out is not None
        is_told = with_ranker and until_ms > learns_from_ms
        assert len(found.warnings) == is_told
        assert ("# Of the second stage: the embeddings were learnt" in found.toml()) == is_told


def test_days_may_be_asked_in_any_order_and_for_other_users() -> None:
    pytest.importorskip("sklearn")
    given = {"ranking": TREES | {"fit_ranker": True}, "interests": {"max_merge_cost": 0.5}}
    config = BuildConfig.model_validate(given)
    log, _, _ = read_log(*tables(), config.imports, wall_clock_ms=400 * DAY)
    for chosen in (config, BuildConfig()):
        shared = shared_parts(config, log, K, with_ranker=True)
        fresh, used = (served_arm(chosen, s) for s in (Parts(shared.neighbors), shared))
        for arm in (fresh, used):
            if hasattr(arm, "fit"):
                arm.fit(log.before(CUT), CUT)
        everyone, few = np.arange(30, dtype=np.int32), np.arange(3, 9, dtype=np.int32)
        later, now = log.before(CUT + 5 * DAY), log.before(CUT)
        used.recommend(_empty_day(later, CUT + 5 * DAY, everyone), later, K, "all")
        used.recommend(_empty_day(now, CUT, everyone), now, K, "all")
        again = used.recommend(_empty_day(now, CUT, few), now, K, "all")
        assert np.array_equal(again, fresh.recommend(_empty_day(now, CUT, few), now, K, "all"))


def test_records_are_kept_by_user_and_only_so_many() -> None:
    log, _, _ = read_log(*tables(), wall_clock_ms=400 * DAY)
    known, records, config = log.before(CUT), RecentRecords(2), BuildConfig().interests
    days = [_empty_day(known, CUT, np.arange(n, dtype=np.int32)) for n in (5, 7, 9)]
    first = records.of_day(days[0], known, config)
    assert records.of_day(days[0], known, config) is first
    assert [records.of_day(day, known, config).n_users for day in days] == [5, 7, 9]
    assert records.of_day(days[0], known, config) is not first


def test_a_ranked_mode_needs_a_ranker() -> None:
    log, _, _ = read_log(*tables(), wall_clock_ms=400 * DAY)
    config = BuildConfig.model_validate({"retrieval": {"mode": "ranked"}})
    with pytest.raises(UsageError, match="second stage"):
        served_arm(config, shared_parts(config, log, K, with_ranker=False))

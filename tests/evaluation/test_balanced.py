"""The balanced arm against a naive twin, and against the retriever that serves."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import RetrievalConfig
from pinnersage.evaluation.arms.balanced import Balanced
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.contexts import cosines_of
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Day, Mode, ReplayLog, walk
from pinnersage.evaluation.state import RecordCache
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.retriever import Retriever

CUT = 50 * DAY


def day_of(log: ReplayLog) -> Day:
    (day,) = walk(log, CUT, 1, window_ms=90 * DAY)
    return day.without_targets()


def arm_of(log: ReplayLog, retrieval: RetrievalConfig, *, with_table: bool = True) -> Balanced:
    cosines = cosines_of(log.embeddings) if with_table else None
    parts = Parts(NeighborLists(log.embeddings, 10), retrieval=retrieval, cosines=cosines, n_threads=2)
    (arm,) = untrained_arms(log, parts, ["balanced-40"])
    assert isinstance(arm, Balanced)
    return arm


@given(st.integers(0, 50), st.sampled_from([0.0, 2.0, 7.0, 30.0]), st.booleans())
@settings(max_examples=15, deadline=None)
def test_scores_equal_the_naive_sum(seed: int, sharpness: float, with_table: bool) -> None:
    log = log_of(drawn_actions(seed), drawn_embeddings(seed))
    known, day = log.before(CUT), day_of(log)
    arm = arm_of(log, RetrievalConfig(sharpness=sharpness), with_table=with_table)
    items = np.arange(log.n_items, dtype=np.int32)
    offsets = np.arange(day.n_users + 1) * log.n_items
    found = arm.score(day, known, offsets, np.tile(items, day.n_users)).reshape(day.n_users, -1)
    for u, user in enumerate(day.users.tolist()):
        own = slice(known.offsets[user], known.offsets[user + 1])
        ages_days = (CUT - 1 - known.times_ms[own]) / DAY
        weights = np.exp(-0.01 * ages_days) * (ages_days < 90)
        cosines = known.embeddings[known.item_rows[own]].astype(float) @ known.embeddings.T.astype(float)
        naive = weights @ np.exp(sharpness * (cosines - 1)) / weights.sum()
        assert np.allclose(found[u], naive, atol=1e-5)


def test_it_recommends_what_the_retriever_serves() -> None:
    log = log_of(drawn_actions(3, n_users=20, n=900), drawn_embeddings(3))
    known, day = log.before(CUT), day_of(log)
    config = RetrievalConfig(
        mode="balanced", candidate_budget=10, n_candidates_per_slot=2.5, near_duplicate_cosine=1.01
    )
    arm = arm_of(log, config)
    modes: tuple[Mode, ...] = ("first_time", "all")
    records = RecordCache().of_day(day, known, arm.config)
    served = Retriever(ExactIndex(log.embeddings), log.embeddings, day.pool, config)
    for mode in modes:
        for budget in (3, 12):
            lists = arm.recommend(day, known, budget, mode)
            for u in range(day.n_users):
                found = served.recommend(records.record(u), budget, exclude_seen=mode == "first_time")
                assert lists[u][lists[u] >= 0].tolist() == found.rows.tolist()


def test_only_the_wide_set_of_the_interests_is_chosen_from() -> None:
    log = log_of(drawn_actions(4), drawn_embeddings(4))
    known, day = log.before(CUT), day_of(log)
    narrow = RetrievalConfig(candidate_budget=1, n_candidates_per_slot=1)
    parts = Parts(NeighborLists(log.embeddings, 60), retrieval=narrow)
    lists = [
        np.sort(arm.recommend(day, known, 8, "first_time"), axis=1)
        for arm in untrained_arms(known, parts, ["balanced-40", "top-40"])
    ]
    assert np.array_equal(lists[0], lists[1])
    parts.retrieval = RetrievalConfig(candidate_budget=24)
    (wider,) = untrained_arms(known, parts, ["balanced-40"])
    assert not np.array_equal(np.sort(wider.recommend(day, known, 8, "first_time"), axis=1), lists[0])

"""The shared lists give what the Retriever gives over an exact index, arm by arm."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import InterestConfig, RetrievalConfig
from pinnersage.evaluation.arms.interests import Interests
from pinnersage.evaluation.arms.popular import Popular
from pinnersage.evaluation.arms.single import DecayedMean, LastItem
from pinnersage.evaluation.neighbors import ANY_COSINE, NeighborLists
from pinnersage.evaluation.replay import Mode, ReplayLog, walk
from pinnersage.evaluation.state import RecordCache, user_seed
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.retriever import Retriever


def a_log() -> ReplayLog:
    actions = drawn_actions(5, n_users=20, n_items=300, n=1_500)
    return log_of(actions, drawn_embeddings(5, n_items=300))


@pytest.mark.parametrize("depth", [8, 300])
@pytest.mark.parametrize("mode", ["first_time", "all"])
@pytest.mark.parametrize("near_duplicate_cosine", [ANY_COSINE, 0.97])
@pytest.mark.parametrize(
    ("sampled", "n", "representative"),
    [(True, 1, "medoid"), (True, 3, "medoid"), (True, 3, "centroid"), (False, 20, "medoid")],
)
def test_interest_arms_equal_the_retriever(
    depth: int, mode: Mode, near_duplicate_cosine: float, sampled: bool, n: int, representative: str
) -> None:
    log = a_log()
    (day,) = walk(log, 50 * DAY, 1, window_ms=90 * DAY)
    known = log.before(day.start_ms)
    config = InterestConfig(representative=representative)  # type: ignore[arg-type]
    neighbors = NeighborLists(
        log.embeddings, depth, near_duplicate_cosine=min(1.01, near_duplicate_cosine), n_threads=2
    )
    arm = Interests(
        "arm", neighbors, "equal" if sampled else "proportional", "score" if sampled else "turns",
        RecordCache(), config, n, sampled=sampled,
    )  # fmt: skip
    rows = arm.recommend(day.without_targets(), known, 40, mode)
    retriever = Retriever(
        ExactIndex(log.embeddings, day.pool),
        log.embeddings,
        day.pool,
        RetrievalConfig(candidate_budget=40, near_duplicate_cosine=min(1.01, near_duplicate_cosine)),
        representative=config.representative,
    )
    records = RecordCache().of_day(day, known, config)
    for u, user in enumerate(day.users.tolist()):
        expected = retriever.recommend(
            records.record(u),
            40,
            seed=user_seed(0, day, known, user),
            mode="sampled" if sampled else "budgeted",
            n_interests=n,
            exclude_seen=mode == "first_time",
        )
        assert rows[u][rows[u] >= 0].tolist() == expected.rows.tolist()


def test_threads_change_nothing() -> None:
    log = a_log()
    (day,) = walk(log, 50 * DAY, 1, window_ms=90 * DAY)
    known = log.before(day.start_ms)
    lists = []
    for n_threads in (1, 3):
        arm = DecayedMean("mean", NeighborLists(log.embeddings, 50, n_threads=n_threads), window_ms=90 * DAY)
        lists.append(arm.recommend(day, known, 30, "all"))
    assert (lists[0] == lists[1]).all()


def test_the_mean_is_weighted_by_age_within_the_window() -> None:
    eye = np.eye(3, dtype=np.float32)
    log = log_of([("a", 0, 10 * DAY), ("a", 1, 12 * DAY), ("a", 2, 1 * DAY), ("a", 0, 13 * DAY)], eye)
    (day,) = walk(log, 13 * DAY, 1, window_ms=5 * DAY)
    arm = DecayedMean("mean", NeighborLists(eye, 3), window_ms=5 * DAY, decay_per_day=0.5)
    mean = arm.queries(day, log.before(day.start_ms)).vectors[0]
    older, newer = np.exp(-0.5 * 3), np.exp(-0.5 * 1)  # items 0 and 1; item 2 is too old
    length = np.hypot(older, newer)
    assert mean == pytest.approx([older / length, newer / length, 0], abs=1e-6)


def test_the_last_item_is_the_newest() -> None:
    eye = np.eye(3, dtype=np.float32)
    log = log_of([("a", 2, 2 * DAY), ("a", 1, 3 * DAY), ("b", 0, 1 * DAY), ("a", 0, 5 * DAY)], eye)
    (day,) = walk(log, 5 * DAY, 1, window_ms=90 * DAY)
    arm = LastItem("last", NeighborLists(eye, 3))
    assert arm.recommend(day, log.before(day.start_ms), 1, "all").tolist() == [[1]]


def test_popularity_counts_users_not_actions() -> None:
    eye = np.eye(4, dtype=np.float32)
    actions = [("a", 0, DAY), ("a", 0, DAY + 1), ("a", 0, DAY + 2), ("b", 1, DAY), ("c", 1, DAY)]
    actions += [("d", 2, 8 * DAY), ("a", 3, 9 * DAY), ("a", 1, 10 * DAY)]
    log = log_of(actions, eye)
    (day,) = walk(log, 10 * DAY, 1, window_ms=90 * DAY)
    known = log.before(day.start_ms)
    lists = NeighborLists(eye, 4)
    assert Popular("p", lists).recommend(day, known, 4, "all").tolist() == [[1, 0, 2, 3]]
    assert Popular("p", lists).recommend(day, known, 4, "first_time").tolist() == [[1, 2, -1, -1]]
    assert Popular("p", lists, 5).recommend(day, known, 2, "all").tolist() == [[2, 3]]

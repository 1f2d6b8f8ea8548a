from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from pinnersage._arrays import Bools, Float32s
from pinnersage.config import RetrievalConfig
from pinnersage.errors import ItemNotFoundError, UsageError
from pinnersage.interests.record import UserRecord
from pinnersage.retrieval.draw import proportional_shares, sample_interests
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.neighbors import bytes_of
from pinnersage.retrieval.retriever import Recommendations, Retriever
from pinnersage.testing.index import clustered

N_ITEMS, DIM = 400, 8


def record_of(
    interests: list[list[int]], importances: list[float] | None = None, seen: list[int] | None = None
) -> UserRecord:
    """A user whose interest ``i`` has actions on items ``interests[i]``, the first being the medoid."""
    rows = [row for members in interests for row in members]
    n = len(rows)
    return UserRecord(
        as_of_ms=1_000,
        item_rows=np.array(rows, np.int32),
        times_ms=np.arange(n, dtype=np.int64),
        weights=np.ones(n, np.float32),
        kinds=np.zeros(n, np.uint8),
        event_keys=np.zeros(n, np.uint64),
        labels=np.repeat(np.arange(len(interests)), [len(m) for m in interests]).astype(np.int32),
        medoid_rows=np.array([members[0] for members in interests], np.int32),
        importances=np.array(importances or [float(len(m)) for m in interests], np.float64),
        seen_rows=np.array(seen or [], np.int32),
    )


EMPTY = record_of([])


# ---- the naive twin: whole sorted lists, no depths, no cache, no sets of bits -------------------


def cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(a.astype(np.float64) @ b / (np.linalg.norm(a.astype(np.float64)) * np.linalg.norm(b)))


def naive_list(items: Float32s, query: Float32s, pool: Bools, seen: set[int]) -> Iterator[int]:
    scores = {row: float(np.float32(items[row] @ query)) for row in range(len(items))}
    for row in sorted(scores, key=lambda row: (-scores[row], row)):
        if pool[row] and row not in seen:
            yield row


def naive_merge(
    items: Float32s,
    queries: list[Float32s],
    shares: list[int],
    pool: Bools,
    seen: set[int],
    k: int,
    limit: float,
) -> list[tuple[int, int]]:
    lists = {i: naive_list(items, query, pool, seen) for i, query in enumerate(queries)}
    given_by = dict.fromkeys(lists, 0)
    taken: list[tuple[int, int]] = []
    while lists and len(taken) < k:
        turn = max(lists, key=lambda i: (shares[i] * (len(taken) + 1) - given_by[i] * sum(shares), -i))
        for row in lists[turn]:
            if all(row != r and cosine(items[row], items[r]) < limit - 1e-6 for r, _ in taken):
                taken.append((row, turn))
                given_by[turn] += 1
                break
        else:
            del lists[turn]
    return taken


def naive_sampled(
    items: Float32s,
    record: UserRecord,
    pool: Bools,
    k: int,
    seed: int,
    config: RetrievalConfig,
    seen: set[int],
) -> list[tuple[int, int]]:
    asked = sample_interests(record.importances, config.n_interests, seed).tolist()
    queries = [items[record.medoid_rows[i]] for i in asked]
    taken = naive_merge(items, queries, [1] * len(asked), pool, seen, k, config.near_duplicate_cosine)
    scored = []
    for row, _ in taken:
        scores = [float(np.float32(items[row] @ q)) for q in queries]
        scored.append((-max(scores), row, asked[scores.index(max(scores))]))
    return [(row, interest) for _, row, interest in sorted(scored)]


def naive_budgeted(
    items: Float32s, record: UserRecord, pool: Bools, k: int, config: RetrievalConfig, seen: set[int]
) -> list[tuple[int, int]]:
    importances = record.importances[: config.n_budgeted_interests]
    budget = max(min(k, len(items)), config.candidate_budget)
    shares = proportional_shares(importances, budget).tolist()
    queries = [items[row] for row in record.medoid_rows[: len(shares)]]
    return naive_merge(items, queries, shares, pool, seen, k, config.near_duplicate_cosine)


def naive_balanced(
    items: Float32s, record: UserRecord, pool: Bools, k: int, config: RetrievalConfig, seen: set[int]
) -> tuple[set[int], list[float]]:
    """The wide set, and the gains of the greedy choice from it, every gain computed anew each time."""
    k = min(k, len(items))
    wide = min(len(items), max(math.ceil(config.n_candidates_per_slot * k), config.candidate_budget))
    queries = [items[row] for row in record.medoid_rows[: config.n_balanced_interests]]
    shares = proportional_shares(record.importances[: len(queries)], max(wide, k)).tolist()
    limit = config.near_duplicate_cosine
    offered = {row for row, _ in naive_merge(items, queries, shares, pool, seen, wide, limit)}
    left, gains, taken = offered.copy(), [], list[int]()
    while left and len(taken) < k:
        found = {row: naive_gain(items, record, row, taken, config) for row in left}
        best = max(found, key=lambda row: (found[row], -row))
        gains.append(found[best])
        taken.append(best)
        left.remove(best)
    return offered, gains


def naive_gain(
    items: Float32s, record: UserRecord, row: int, taken: list[int], config: RetrievalConfig
) -> float:
    weights = record.weights * np.exp(-0.01 * (record.as_of_ms - record.times_ms) / 86_400_000)
    total = 0.0
    for weight, own in zip((weights / weights.sum()).tolist(), record.item_rows.tolist(), strict=True):
        near = {r: math.exp(config.sharpness * (cosine(items[r], items[own]) - 1)) for r in [row, *taken]}
        total += weight * near[row] / (1 + config.saturation * sum(near[r] for r in taken))
    return total


def pairs(found: Recommendations) -> list[tuple[int, int]]:
    return list(zip(found.rows.tolist(), found.interests.tolist(), strict=True))


@st.composite
def cases(draw: Any) -> dict[str, Any]:
    """Vectors of small integers on a lattice, so that scores are exact, with many ties and duplicates."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 120))
    dim = draw(st.integers(1, 4))
    items = rng.integers(-2, 3, (n, dim)).astype(np.float32)
    items[~items.any(axis=1)] = 1
    n_interests = draw(st.integers(1, 6))
    members = [rng.integers(0, n, rng.integers(1, 4)).tolist() for _ in range(n_interests)]
    importances = sorted(rng.choice([0.0, 0.5, 1.0, 2.0, 7.25], n_interests).tolist(), reverse=True)
    seen = rng.choice(n, rng.integers(0, n + 1) // draw(st.sampled_from([1, 4])), replace=False).tolist()
    config = RetrievalConfig(
        n_interests=draw(st.integers(1, 4)),
        n_budgeted_interests=draw(st.integers(1, 6)),
        candidate_budget=draw(st.sampled_from([1, 3, 10, 40, 400])),
        near_duplicate_cosine=draw(st.sampled_from([0.8, 0.9, 0.99, 1.0, 1.01])),
        exclude_seen=draw(st.booleans()),
    )
    pool = rng.random(n) < draw(st.sampled_from([0.3, 1.0]))
    return {
        "items": items,
        "record": record_of(members, importances, seen),
        "pool": pool,
        "k": draw(st.integers(1, n + 5)),
        "seed": draw(st.integers(0, 9)),
        "config": config,
    }


@given(cases())
@settings(max_examples=150, deadline=None)
def test_both_paths_equal_their_naive_twins(case: dict[str, Any]) -> None:
    items, record, pool, config = case["items"], case["record"], case["pool"], case["config"]
    k, seed = case["k"], case["seed"]
    seen = {*record.item_rows.tolist(), *record.seen_rows.tolist()} if config.exclude_seen else set()
    for n_lists in (0, 1, 100):
        retriever = Retriever(ExactIndex(items), items, pool, config, cache_bytes=n_lists * bytes_of(32))
        for _ in range(2):
            sampled = retriever.recommend(record, k, seed=seed, mode="sampled")
            budgeted = retriever.recommend(record, k, seed=seed, mode="budgeted")
            assert pairs(sampled) == naive_sampled(items, record, pool, k, seed, config, seen)
            assert pairs(budgeted) == naive_budgeted(items, record, pool, k, config, seen)
    for found in (sampled, budgeted):
        medoids = items[record.medoid_rows[found.interests]]
        assert found.scores.tolist() == (items[found.rows] * medoids).sum(axis=1).tolist()
        assert found.n_candidates <= max(k, config.candidate_budget, record.n_interests)


@given(
    st.integers(0, 10_000),
    st.sampled_from([0.0, 3.0, 12.0]),
    st.sampled_from([0.0, 1.0, 30.0]),
    st.sampled_from([0.9, 1.01]),
    st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_the_balanced_path_equals_its_naive_twin(
    seed: int, sharpness: float, saturation: float, limit: float, k: int
) -> None:
    rng = np.random.default_rng(seed)
    items = clustered(60, 5, seed=seed)
    members = [rng.integers(0, 60, rng.integers(1, 5)).tolist() for _ in range(4)]
    record = record_of(members, sorted(rng.random(4).tolist(), reverse=True), rng.integers(0, 60, 5).tolist())
    config = RetrievalConfig(
        candidate_budget=8, n_candidates_per_slot=1.5, n_balanced_interests=3, sharpness=sharpness,
        saturation=saturation, near_duplicate_cosine=limit,
    )  # fmt: skip
    pool = rng.random(60) < 0.8
    seen = {*record.item_rows.tolist(), *record.seen_rows.tolist()}
    found = Retriever(ExactIndex(items), items, pool, config).recommend(record, k, mode="balanced")
    offered, gains = naive_balanced(items, record, pool, k, config, seen)
    assert {*found.rows.tolist()} <= offered
    assert np.allclose(found.scores, gains, rtol=1e-4)
    assert (np.diff(found.scores) <= 1e-6).all()
    rows = found.rows.tolist()
    own = [naive_gain(items, record, row, rows[:i], config) for i, row in enumerate(rows)]
    assert np.allclose(own, gains, rtol=1e-4)  # where gains tie, another item may stand here
    nearest = (items[found.rows] @ items[record.medoid_rows[:3]].T).max(axis=1)
    named = (items[found.rows] * items[record.medoid_rows[found.interests]]).sum(axis=1)
    assert np.allclose(nearest, named, atol=1e-6)


def test_a_saturated_list_shares_itself_out_by_weight() -> None:
    """Two far-apart bundles of items; three of the user's four actions lie in the first."""
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(2, 6), 40, axis=0)
    items = centers + 0.05 * rng.standard_normal(centers.shape)
    items = (items / np.linalg.norm(items, axis=1, keepdims=True)).astype(np.float32)
    user = record_of([[0, 1, 2], [40]])
    shares = {}
    for saturation in (0.0, 1e6):
        config = RetrievalConfig(saturation=saturation, near_duplicate_cosine=1.01, mode="balanced")
        found = Retriever(ExactIndex(items), items, np.ones(80, np.bool_), config).recommend(user, 20)
        shares[saturation] = float((found.rows < 40).mean())
    assert shares == {0.0: 1.0, 1e6: 3 / 4}


def test_actions_without_any_weight_count_alike() -> None:
    """As in the shares of interests that have no importance: the list is the one of equal weights."""
    items = clustered(60, 5, seed=3)
    user = record_of([[0, 1], [40]])
    weightless = replace(user, weights=np.zeros(3, np.float32), importances=np.zeros(2))
    alike = replace(user, as_of_ms=0, times_ms=np.zeros(3, np.int64), importances=np.ones(2))
    lists = [retriever_of(items, mode="balanced").recommend(one, 20) for one in (weightless, alike)]
    assert pairs(lists[0]) == pairs(lists[1])
    assert lists[0].scores.tolist() == lists[1].scores.tolist()
    assert lists[0].scores.min() > 0


# ---- on clustered vectors -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def items() -> Float32s:
    return clustered(N_ITEMS, DIM, seed=0)


def retriever_of(items: Float32s, pool: Bools | None = None, **config: Any) -> Retriever:
    pool = np.ones(len(items), np.bool_) if pool is None else pool
    return Retriever(ExactIndex(items, pool), items, pool, RetrievalConfig(**config))


USER = record_of([[3, 50, 51], [100, 7], [222], [9]], [5.0, 2.0, 1.0, 0.5])


def test_an_empty_record_gives_an_empty_list(items: Float32s) -> None:
    for mode in ("sampled", "budgeted", "balanced"):
        found = retriever_of(items, mode=mode).recommend(EMPTY, 10)
        assert (len(found.rows), len(found.scores), len(found.interests), found.n_candidates) == (0, 0, 0, 0)


@pytest.mark.parametrize("mode", ["sampled", "budgeted", "balanced"])
def test_types_and_order(items: Float32s, mode: Any) -> None:
    found = retriever_of(items).recommend(USER, 30, mode=mode)
    assert [a.dtype.name for a in (found.rows, found.scores, found.interests)] == [
        "int32",
        "float32",
        "int32",
    ]
    assert len(set(found.rows.tolist())) == 30
    if mode != "budgeted":
        assert (np.diff(found.scores) <= 0).all()
    if mode == "balanced":
        return  # its scores are gains
    expected = np.einsum("nd,nd->n", items[found.rows], items[USER.medoid_rows[found.interests]])
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)


def test_a_shorter_budgeted_list_is_the_beginning_of_a_longer_one(items: Float32s) -> None:
    retriever = retriever_of(items, mode="budgeted", candidate_budget=200)
    whole = pairs(retriever.recommend(USER, 200))
    for k in (1, 2, 7, 50, 199):
        assert pairs(retriever.recommend(USER, k)) == whole[:k]


def test_budget_follows_importance(items: Float32s) -> None:
    found = retriever_of(items, mode="budgeted", near_duplicate_cosine=1.01).recommend(USER, 17)
    # of 17 items, 5 : 2 : 1 : 0.5 is 10 : 4 : 2 : 1
    assert np.bincount(found.interests).tolist() == [10, 4, 2, 1]


def test_the_same_seed_gives_the_same_list_and_seeds_differ(items: Float32s) -> None:
    retriever = retriever_of(items, n_interests=2)
    lists = [tuple(pairs(retriever.recommend(USER, 20, seed=seed))) for seed in range(20)]
    assert lists == [tuple(pairs(retriever.recommend(USER, 20, seed=seed))) for seed in range(20)]
    assert len(set(lists)) > 1


def test_arguments_win_over_the_configuration(items: Float32s) -> None:
    retriever = retriever_of(items)
    assert set(retriever.recommend(USER, 40, mode="budgeted", n_interests=1).interests.tolist()) == {0}
    assert len(set(retriever.recommend(USER, 40, n_interests=4).interests.tolist())) == 4
    assert 3 in retriever.recommend(USER, 40, exclude_seen=False, n_interests=4).rows
    assert 3 not in retriever.recommend(USER, 40, n_interests=4).rows


@pytest.mark.parametrize("mode", ["sampled", "budgeted"])
def test_who_has_seen_the_nearest_still_gets_a_full_list(mode: Any) -> None:
    items = clustered(3_000, 16, seed=2)
    nearest = ExactIndex(items).search(items[:1], 900)[1][0].tolist()
    user = record_of([[0]], seen=nearest)
    found = retriever_of(items, near_duplicate_cosine=1.01).recommend(user, 100, mode=mode)
    order = ExactIndex(items).search(items[:1], 1_000)[1][0].tolist()
    assert found.rows.tolist() == order[900:1_000]
    assert found.n_candidates == 400


@pytest.mark.parametrize("mode", ["sampled", "budgeted"])
def test_all_that_may_be_recommended_is_when_asked_for(items: Float32s, mode: Any) -> None:
    pool = np.arange(N_ITEMS) % 7 == 0
    found = retriever_of(items, pool, near_duplicate_cosine=1.01).recommend(USER, N_ITEMS, mode=mode)
    assert sorted(found.rows.tolist()) == [row for row in range(0, N_ITEMS, 7) if row != 7]


@pytest.mark.parametrize("mode", ["sampled", "budgeted"])
def test_more_than_any_array_holds_may_be_asked_for(items: Float32s, mode: Any) -> None:
    retriever = retriever_of(items, near_duplicate_cosine=1.01)
    all_rows = retriever.recommend(USER, N_ITEMS, mode=mode).rows.tolist()
    assert retriever.recommend(USER, 10**20, mode=mode).rows.tolist() == all_rows
    assert len(retriever.neighbors(5, 10**20)[0]) == N_ITEMS - 1


def test_near_duplicates_give_way_to_the_next(items: Float32s) -> None:
    doubled = np.concatenate([items, items + np.float32(1e-4)])
    doubled /= np.linalg.norm(doubled, axis=1, keepdims=True)
    for mode in ("sampled", "budgeted"):
        found = retriever_of(doubled, mode=mode).recommend(USER, 100).rows
        assert len(found) == 100
        cosines = doubled[found] @ doubled[found].T
        assert (cosines[np.triu_indices(100, 1)] < 0.99).all()


@pytest.mark.parametrize("mode", ["sampled", "budgeted"])
def test_what_leaves_the_pool_is_never_returned_again(items: Float32s, mode: Any) -> None:
    retriever = retriever_of(items)
    before = retriever.recommend(USER, 50, mode=mode)
    similar = retriever.neighbors(3, 20)[0]
    for row in {*before.rows[:25].tolist(), *similar[:10].tolist()}:
        retriever.set_available(row, False)
    after = retriever.recommend(USER, 50, mode=mode)
    assert len(after.rows) == 50
    assert not set(before.rows[:25].tolist()) & set(after.rows.tolist())
    assert not set(similar[:10].tolist()) & set(retriever.neighbors(3, 20)[0].tolist())
    for row in {*before.rows[:25].tolist(), *similar[:10].tolist()}:
        retriever.set_available(row, True)
    assert pairs(retriever.recommend(USER, 50, mode=mode)) == pairs(before)


def test_the_callers_pool_is_not_touched(items: Float32s) -> None:
    pool = np.ones(N_ITEMS, np.bool_)
    retriever_of(items, pool).set_available(4, False)
    assert pool.all()


def test_the_cache_counts_and_is_bounded(items: Float32s) -> None:
    retriever = Retriever(ExactIndex(items), items, np.ones(N_ITEMS, np.bool_), cache_bytes=2 * bytes_of(32))
    counts = []
    for row in (1, 2, 1, 3, 2):
        retriever.neighbors(row, 5)
        counts.append(retriever.cache_counts())
    # 1 and 2 are new, 1 is held, 3 pushes out 2 (1 was used later), so 2 is new again
    assert [(c.n_hits, c.n_misses, c.n_entries) for c in counts] == [
        (0, 1, 1), (0, 2, 2), (1, 2, 2), (1, 3, 2), (1, 4, 2),
    ]  # fmt: skip


def test_centroids_ask_with_the_mean_of_the_members(items: Float32s) -> None:
    pool = np.ones(N_ITEMS, np.bool_)
    retriever = Retriever(
        ExactIndex(items), items, pool, RetrievalConfig(n_interests=1), representative="centroid"
    )
    user = record_of([[3, 50, 51]])
    mean = items[[3, 50, 51]].astype(np.float64).mean(axis=0)
    mean /= np.linalg.norm(mean)
    scores = items @ mean
    scores[[3, 50, 51]] = -2
    found = retriever.recommend(user, 1)
    assert found.rows.tolist() == [int(scores.argmax())]
    np.testing.assert_allclose(found.scores, scores.max(), atol=1e-6)
    assert retriever.cache_counts().n_entries == 0


def test_neighbors_are_the_nearest_available_items_without_the_item(items: Float32s) -> None:
    doubled = np.concatenate([items, items])
    pool = np.arange(2 * N_ITEMS) != 7
    rows, scores = Retriever(ExactIndex(doubled), doubled, pool).neighbors(5, 30)
    order = np.argsort(-(doubled @ doubled[5]), kind="stable")
    assert rows.tolist() == [row for row in order.tolist() if row not in (5, 7)][:30]
    assert rows[0] == 5 + N_ITEMS
    assert (np.diff(scores) <= 0).all()


def test_half_precision_gives_nearly_the_same(items: Float32s) -> None:
    half = items.astype(np.float16)
    pool = np.ones(N_ITEMS, np.bool_)
    found = Retriever(ExactIndex(half), half, pool).recommend(USER, 40)
    assert len(set(found.rows.tolist()) & set(retriever_of(items).recommend(USER, 40).rows.tolist())) >= 38


def test_many_threads_get_what_one_gets(items: Float32s) -> None:
    retriever = Retriever(ExactIndex(items), items, np.ones(N_ITEMS, np.bool_), cache_bytes=5 * bytes_of(32))
    users = [record_of([[i], [i + 100, i + 101], [i + 200]]) for i in range(60)]
    expected = [pairs(retriever_of(items).recommend(user, 25, seed=i)) for i, user in enumerate(users)]
    wrong: list[int] = []

    def ask() -> None:
        wrong.extend(
            i for i, u in enumerate(users) if pairs(retriever.recommend(u, 25, seed=i)) != expected[i]
        )

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_bad_calls(items: Float32s) -> None:
    retriever = retriever_of(items)
    for bad in ({"k": 0}, {"k": 1.5}, {"k": 5, "n_interests": 0}, {"k": 5, "mode": "best"}):
        with pytest.raises(UsageError):
            retriever.recommend(USER, **bad)
    with pytest.raises(UsageError):
        retriever.neighbors(3, 0)
    with pytest.raises(ItemNotFoundError):
        retriever.neighbors(N_ITEMS, 3)
    with pytest.raises(UsageError):
        Retriever(ExactIndex(items), items, np.ones(3, np.bool_))


def test_balanced_lists_look_at_cosines_whatever_the_lengths(items: Float32s) -> None:
    long = (items * np.linspace(0.5, 30, len(items))[:, None]).astype(np.float32)
    pool = np.ones(len(items), np.bool_)
    config = RetrievalConfig(mode="balanced", near_duplicate_cosine=1.01, candidate_budget=N_ITEMS)
    one, other = (Retriever(ExactIndex(m), m, pool, config).recommend(USER, 20) for m in (items, long))
    assert one.rows.tolist() == other.rows.tolist()
    assert np.allclose(one.scores, other.scores, rtol=1e-4)

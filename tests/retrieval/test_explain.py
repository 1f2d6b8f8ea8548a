from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pinnersage._arrays import Float32s
from pinnersage.config import MS_PER_DAY, RetrievalConfig
from pinnersage.errors import ItemNotFoundError
from pinnersage.interests.record import UserRecord
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.explain import Explanation, explain
from pinnersage.retrieval.retriever import Retriever
from pinnersage.testing.index import clustered

N_ITEMS = 600
NOW_MS = 100 * MS_PER_DAY
ALL = np.ones(N_ITEMS, np.bool_)


@pytest.fixture(scope="module")
def items() -> Float32s:
    items = clustered(N_ITEMS, 8, seed=3)
    items[501] = items[10]  # a copy of something seen
    return items


USER = UserRecord(
    as_of_ms=NOW_MS,
    item_rows=np.array([10, 11, 200, 12], np.int32),
    times_ms=NOW_MS - MS_PER_DAY * np.array([30, 20, 10, 0], np.int64),
    weights=np.array([1, 2, 1, 4], np.float32),
    kinds=np.array([0, 1, 0, 2], np.uint8),
    event_keys=np.zeros(4, np.uint64),
    labels=np.array([0, 0, 1, 0], np.int32),
    medoid_rows=np.array([11, 200], np.int32),
    importances=np.array([5.0, 1.0]),
    seen_rows=np.array([300], np.int32),
)


def ask(
    items: Float32s, row: int, pool: Any = ALL, user: UserRecord = USER, *,
    interest: int | None = None, **config: Any,
) -> Explanation:  # fmt: skip
    retrieval = RetrievalConfig(**config)
    shares = Retriever(ExactIndex(items), items, pool, retrieval).shares(user, 10)
    return explain(user, row, items, pool, retrieval, shares, decay_per_day=0.01, interest=interest)


def test_similarity_to_every_interest(items: Float32s) -> None:
    for row in range(0, N_ITEMS, 37):
        told = ask(items, row)
        cosines = items[[11, 200]] @ items[row]
        assert told.interests.tolist() == np.argsort(-cosines, kind="stable").tolist()
        np.testing.assert_allclose(told.similarities, np.sort(cosines)[::-1], atol=1e-6)
        assert told.interest == int(cosines.argmax())


def test_the_actions_behind(items: Float32s) -> None:
    row = next(r for r in range(N_ITEMS) if items[11] @ items[r] > items[200] @ items[r] + 0.1)
    told = ask(items, row)
    expected = {
        10: (1.0 * np.exp(-0.01 * 30), 0, 1.0),
        11: (2.0 * np.exp(-0.01 * 20), 1, 2.0),
        12: (4.0 * np.exp(-0.01 * 0), 2, 4.0),
    }
    assert {a.item_row for a in told.actions} == set(expected)
    for action in told.actions:
        decayed, kind, weight = expected[action.item_row]
        assert action.decayed_weight == pytest.approx(decayed)
        assert (action.kind, action.weight) == (kind, weight)
        assert action.similarity == pytest.approx(float(items[action.item_row] @ items[row]), abs=1e-6)
        assert action.contribution == pytest.approx(action.similarity * decayed)
    contributions = [a.contribution for a in told.actions]
    assert contributions == sorted(contributions, reverse=True)


def test_what_is_known_of_the_item(items: Float32s) -> None:
    assert ask(items, 10).seen
    assert ask(items, 300).seen
    gone = ALL.copy()
    gone[501] = False
    assert not ask(items, 501, gone).available
    told = ask(items, 501)
    assert (told.seen, told.available, told.near_duplicate_of) == (False, True, 10)
    assert ask(items, 200).near_duplicate_of is None


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_place_and_share(items: Float32s, exclude_seen: bool) -> None:
    left_out = {10, 11, 12, 200, 300} if exclude_seen else set()
    others = [r for r in range(N_ITEMS) if r not in left_out]
    order = sorted(others, key=lambda r: (-float(items[11] @ items[r]), r))
    nearest_to_first = [r for r in order if items[11] @ items[r] > items[200] @ items[r] + 0.01]
    for row in (nearest_to_first[0], nearest_to_first[-1]):
        told = ask(items, row, candidate_budget=40, exclude_seen=exclude_seen)
        assert told.rank == order.index(row) + 1
        assert told.n_offered == 20  # 40 shared by the two interests
        assert told.interest == 0


def test_the_interest_that_offers_an_item_speaks_for_it_and_not_a_nearer_one_that_does_not(
    items: Float32s,
) -> None:
    """The nearer interest has so small a share that others come first."""
    vectors = items.copy()
    crowd = 0.95 * vectors[200] + 0.05 * vectors[[20, 21, 22, 23]]
    vectors[400:404] = crowd / np.linalg.norm(crowd, axis=1, keepdims=True)
    between = vectors[200] * 0.9 + vectors[11] * 0.1
    vectors[404] = between / np.linalg.norm(between)
    shares = np.array([N_ITEMS, 1])
    assert vectors[200] @ vectors[404] > vectors[11] @ vectors[404]
    told = explain(USER, 404, vectors, ALL, RetrievalConfig(), shares, decay_per_day=0.01)
    order = np.argsort(-(vectors @ vectors[200]), kind="stable")
    assert order.tolist().index(404) > 1
    assert (told.interest, told.n_offered) == (0, N_ITEMS)
    named = explain(USER, 404, vectors, ALL, RetrievalConfig(), shares, decay_per_day=0.01, interest=1)
    assert (named.interest, named.n_offered) == (1, 1)
    assert named.rank > 1
    none = explain(USER, 404, vectors, ALL, RetrievalConfig(), np.array([1, 1]), decay_per_day=0.01)
    assert none.interest == 1  # the nearest, where none offers it


@pytest.mark.parametrize("mode", ["sampled", "budgeted", "balanced"])
def test_shares_are_those_that_a_list_is_made_with(items: Float32s, mode: Any) -> None:
    config = RetrievalConfig(mode=mode, candidate_budget=60, near_duplicate_cosine=1.01)
    retriever = Retriever(ExactIndex(items), items, ALL, config)
    found = retriever.candidates(USER, 20)
    shares = retriever.shares(USER, 20)
    assert len(found.rows) == shares.sum() == {"balanced": 80}.get(mode, 60)
    assert set(retriever.recommend(USER, 20).rows.tolist()) <= set(found.rows.tolist())
    for row in range(N_ITEMS):
        told = explain(USER, row, items, ALL, config, shares, decay_per_day=0.01)
        if not told.seen and told.rank <= told.n_offered:
            assert row in found.rows


def test_no_interests(items: Float32s) -> None:
    nobody = replace(
        USER,
        **{name: getattr(USER, name)[:0] for name in UserRecord.__slots__[1:-1]},
    )
    for mode in ("sampled", "budgeted"):
        told = ask(items, 5, user=nobody, mode=mode)
        assert (told.interest, told.rank, told.n_offered, told.actions) == (-1, 0, 0, ())


def test_unknown_row(items: Float32s) -> None:
    with pytest.raises(ItemNotFoundError):
        ask(items, N_ITEMS)

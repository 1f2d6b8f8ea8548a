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


def ask(items: Float32s, row: int, pool: Any = ALL, user: UserRecord = USER, **config: Any) -> Explanation:
    return explain(user, row, items, pool, RetrievalConfig(**config), decay_per_day=0.01, k=10)


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


def test_reasons(items: Float32s) -> None:
    assert ask(items, 10).reasons == ("seen",)
    assert "seen" in ask(items, 300).reasons
    assert ask(items, 300, exclude_seen=False).seen
    assert "seen" not in ask(items, 300, exclude_seen=False).reasons
    gone = ALL.copy()
    gone[501] = False
    assert ask(items, 501, gone).reasons == ("unavailable",)
    assert not ask(items, 501, gone).available
    assert ask(items, 501).reasons == ()
    assert ask(items, 501).near_duplicate_of == 10
    assert ask(items, 200).near_duplicate_of is None


def test_rank_and_too_far(items: Float32s) -> None:
    unseen = [r for r in range(N_ITEMS) if r not in {10, 11, 12, 200, 300}]
    order = sorted(unseen, key=lambda r: (-float(items[11] @ items[r]), r))
    nearest_to_first = [r for r in order if items[11] @ items[r] > items[200] @ items[r] + 0.01]
    for row in (nearest_to_first[0], nearest_to_first[-1]):
        told = ask(items, row, candidate_budget=40)
        assert told.rank == order.index(row) + 1
        assert told.n_offered == 20  # 40 shared by the two interests
        assert told.reasons == (("too_far",) if told.rank > 20 else ())


@pytest.mark.parametrize("mode", ["sampled", "budgeted"])
def test_agrees_with_the_retriever(items: Float32s, mode: Any) -> None:
    """Everything offered within the budget, and nothing else, is free of reasons against it."""
    config = RetrievalConfig(mode=mode, candidate_budget=60, near_duplicate_cosine=1.01)
    found = Retriever(ExactIndex(items), items, ALL, config).recommend(USER, 60)
    told = {row: explain(USER, row, items, ALL, config, decay_per_day=0.01, k=60) for row in range(N_ITEMS)}
    clear = {row for row, t in told.items() if not t.reasons}
    assert clear <= set(found.rows.tolist())
    for row, interest in zip(found.rows.tolist(), found.interests.tolist(), strict=True):
        if row in clear and mode == "sampled":
            assert told[row].interest == interest


def test_no_interests(items: Float32s) -> None:
    nobody = replace(
        USER,
        **{name: getattr(USER, name)[:0] for name in UserRecord.__slots__[1:-1]},
    )
    for mode in ("sampled", "budgeted"):
        told = ask(items, 5, user=nobody, mode=mode)
        assert told.reasons == ("no_interests",)
        assert (told.interest, told.rank, told.actions) == (-1, 0, ())


def test_unknown_row(items: Float32s) -> None:
    with pytest.raises(ItemNotFoundError):
        ask(items, N_ITEMS)

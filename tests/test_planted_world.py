"""The synthetic world plants what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from planted_world import Planted, World

BENCHMARKS = str(Path(__file__).parents[1] / "benchmarks")


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def small(**changes: Any) -> World:
    from planted_world import World

    world = World(n_items=4_000, n_items_per_topic=100, n_users=40, n_crowd=10, n_measured_days=5)
    return replace(world, **changes)


def made(**changes: Any) -> Planted:
    from planted_world import make_world

    return make_world(small(**changes))


def still(**changes: Any) -> Planted:
    """A world whose interests neither come, go nor rest."""
    from planted_world import FOREVER_DAYS

    return made(lifetime_days=FOREVER_DAYS, idle_days=0.0, **changes)


def topics_of_users(planted: Planted) -> list[Any]:
    log = planted.log
    return [
        planted.catalogue.topics[log.item_rows[log.offsets[u] : log.offsets[u + 1]]]
        for u in range(len(planted.n_interests))
    ]


def pair_cosines(planted: Planted, same_topic: bool) -> Any:
    made = planted.catalogue
    rng = np.random.default_rng(0)
    i = rng.integers(0, len(made.topics), 20_000)
    j = rng.integers(0, len(made.topics), 20_000)
    if same_topic:
        sizes = np.diff(made.offsets)[made.topics[i]]
        j = made.offsets[made.topics[i]] + rng.integers(0, sizes)
    kept = (i != j) & (same_topic | (made.fields[made.topics[i]] != made.fields[made.topics[j]]))
    return (made.embeddings[i[kept]] * made.embeddings[j[kept]]).sum(axis=1)


@pytest.mark.parametrize("spread", [0.35, 0.7, 1.0])
def test_the_cosine_in_a_topic_is_what_the_spread_says(spread: float) -> None:
    planted = made(spread=spread)
    norms = np.linalg.norm(planted.catalogue.embeddings, axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)
    assert pair_cosines(planted, True).mean() == pytest.approx(1 / (1 + spread**2), abs=0.06)
    # Fields are even directions of 64 dimensions: cosines of mean 0 and deviation below 1 / 8.
    across = pair_cosines(planted, False)
    assert abs(across.mean()) < 0.05
    assert across.std() < 1 / 8 + 0.02


def test_topics_of_a_field_are_siblings() -> None:
    planted = made(sibling_cosine=0.5)
    centers, fields = planted.catalogue.centers, planted.catalogue.fields
    cosines = centers @ centers.T
    same = (fields[:, None] == fields) & ~np.eye(len(fields), dtype=bool)
    assert cosines[same].mean() == pytest.approx(0.5, abs=0.1)
    assert abs(cosines[fields[:, None] != fields].mean()) < 0.1


def test_topics_differ_in_size_and_hold_all_items() -> None:
    sizes = np.diff(made().catalogue.offsets)
    assert sizes.sum() == 4_000
    assert sizes.min() >= 30
    assert sizes.max() > 4 * np.median(sizes)


@pytest.mark.parametrize("n", [1, 4])
def test_users_have_as_many_interests_as_planted(n: int) -> None:
    planted = still(n_interests=(n, n), outlier_share=0.0, sessions_per_day=2.0)
    found = [len(np.unique(topics)) for topics in topics_of_users(planted)]
    assert (planted.n_interests == n).all()
    assert max(found) <= n
    # Two interests may fall on one topic; most users have as many topics as interests.
    assert np.mean([f == n for f in found]) > 0.5


def test_interests_come_and_go() -> None:
    args = {"n_interests": (1, 1), "outlier_share": 0.0, "idle_days": 0.0, "sibling_share": 0.0}
    # One after the other, in 95 days as many as 1 + 95 / lifetime on average.
    planted = made(lifetime_days=19.0, sessions_per_day=2.0, n_users=150, n_crowd=0, **args)
    found = np.mean([len(np.unique(topics)) for topics in topics_of_users(planted)])
    assert found == pytest.approx(1 + 95 / 19, rel=0.15)


def test_an_interest_that_rests_is_hardly_acted_on() -> None:
    from planted_world import _Slot

    slot = _Slot(np.array([9e9]), np.array([0]), np.array([0]), np.array([10.0, 30.0]), True)
    assert slot.likely(np.array([5.0, 10.0, 29.0, 31.0]), 0.1).tolist() == [1.0, 0.1, 0.1, 1.0]
    assert slot.holder(np.array([5.0])).tolist() == [0]


def test_outliers_are_as_many_as_planted_and_lie_anywhere() -> None:
    few = {"n_items_per_topic": 1_000, "sessions_per_day": 0.1, "popularity": 1.0, "n_looked_at": 1}
    planted = still(n_interests=(1, 1), outlier_share=0.3, n_users=200, n_crowd=0, **few)
    assert planted.outlier_share == pytest.approx(0.3, abs=0.05)
    own = [np.bincount(topics).max() / len(topics) for topics in topics_of_users(planted) if len(topics) > 9]
    # One topic has what is no outlier, and now and then an outlier too.
    assert 0.7 - 0.05 < np.mean(own) < 0.7 + 0.15


def test_important_interests_get_more_actions() -> None:
    planted = still(n_interests=(4, 4), outlier_share=0.0, sessions_per_day=3.0, sibling_share=0.0)
    shares = [np.sort(np.bincount(topics))[::-1][:4] / len(topics) for topics in topics_of_users(planted)]
    # Ranks 1 .. 4 with importances 1, 1/2, 1/3, 1/4; sorting makes the largest a little larger still,
    # and what is acted on once is not acted on again.
    expected = (1 / np.arange(1, 5)) / (1 / np.arange(1, 5)).sum()
    np.testing.assert_allclose(np.mean([s for s in shares if len(s) == 4], axis=0), expected, atol=0.1)


def test_nobody_acts_on_an_item_twice_and_the_crowd_only_before() -> None:
    planted = made()
    log = planted.log
    pairs = log.users.astype(np.int64) * log.n_items + log.item_rows
    assert len(np.unique(pairs)) == len(pairs)
    is_crowd = np.array([user.startswith("c") for user in log.user_ids])  # type: ignore[union-attr]
    late = log.times_ms >= planted.first_day_ms
    assert late.any()
    assert not is_crowd[log.users[late]].any()
    assert (log.born_ms < log.times_ms.min()).all()
    span_days = (log.times_ms.max() - log.times_ms.min()) / 86_400_000
    assert 80 < span_days < 95


def test_equal_seeds_give_equal_worlds() -> None:
    a, b, other = made(), made(), made(seed=2)
    for name in ("item_rows", "times_ms", "offsets", "embeddings"):
        assert (getattr(a.log, name) == getattr(b.log, name)).all(), name
    assert not np.array_equal(a.log.embeddings, other.log.embeddings)
    assert not np.array_equal(a.log.item_rows[:50], other.log.item_rows[:50])


def test_more_users_change_no_other_user() -> None:
    few, many = made(n_users=5, n_crowd=0), made(n_users=9, n_crowd=0)
    n = few.log.offsets[-1]
    assert few.log.item_rows.tolist() == many.log.item_rows[:n].tolist()

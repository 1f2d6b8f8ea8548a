"""The walk over days: what is known, what is a target, and that nothing looks ahead."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.worlds import (
    DAY,
    Action,
    drawn_actions,
    drawn_embeddings,
    log_of,
    with_categories,
)

from pinnersage.evaluation.arms.untrained import UNTRAINED, Parts, untrained_arms
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import NEVER_MS, Day, ReplayLog, Scorer, walk

EYE = np.eye(6, dtype=np.float32)


def only_day(actions: list[Action], start_day: int, **more: int) -> Day:
    (day,) = walk(log_of(actions, EYE), start_day * DAY, 1, window_ms=more.get("window", 90) * DAY)
    return day


def test_a_log_is_a_set_in_order_of_time() -> None:
    log = log_of([("a", 1, 5), ("b", 0, 1), ("a", 2, 3), ("a", 1, 5)], EYE)
    assert log.offsets.tolist() == [0, 2, 3]
    assert log.item_rows.tolist() == [2, 1, 0]
    assert log.times_ms.tolist() == [3, 5, 1]


def test_items_are_born_with_their_first_action_or_before() -> None:
    born = [5 * DAY, None, 1 * DAY, None, None, None]
    actions = [("a", 0, 2 * DAY), ("a", 1, 3 * DAY), ("b", 1, 9 * DAY)]
    log = log_of(actions, EYE, created_at_ms=born)
    assert log.born_ms.tolist() == [2 * DAY, 3 * DAY, 1 * DAY, NEVER_MS, NEVER_MS, NEVER_MS]
    assert log.before(3 * DAY).born_ms.tolist() == [2 * DAY, NEVER_MS, 1 * DAY, *[NEVER_MS] * 3]


def test_targets_are_what_existed_and_are_marked_first_time_or_repeat() -> None:
    actions = [
        ("a", 0, 1 * DAY), ("a", 1, 2 * DAY), ("b", 2, 1 * DAY), ("c", 5, 4 * DAY),
        ("a", 0, 4 * DAY), ("a", 0, 4 * DAY + 9), ("a", 2, 5 * DAY - 1), ("a", 3, 4 * DAY), ("a", 2, 5 * DAY),
    ]  # fmt: skip
    day = only_day(actions, 4)
    assert day.users.tolist() == [0]
    assert day.target_rows.tolist() == [0, 2]
    assert day.first_time.tolist() == [False, True]
    assert day.pool.tolist() == [True, True, True, False, False, False]
    assert (day.n_not_in_pool, day.n_newcomers) == (2, 0)  # item 3 by a, item 5 by c: born that very day


def test_users_without_an_action_in_the_window_are_counted_apart() -> None:
    actions = [("a", 0, 0), ("b", 1, 3 * DAY), ("a", 1, 5 * DAY), ("b", 0, 5 * DAY)]
    day = only_day(actions, 5, window=2)
    assert day.users.tolist() == [1]
    assert day.n_newcomers == 1


def test_before_holds_exactly_the_earlier_actions() -> None:
    log = log_of(drawn_actions(1), drawn_embeddings(1))
    known = log.before(30 * DAY)
    assert len(known.item_rows) == int((log.times_ms < 30 * DAY).sum())
    assert known.times_ms.max() < 30 * DAY
    assert known.user_ids == log.user_ids
    for u in range(log.n_users):
        own = slice(log.offsets[u], log.offsets[u + 1])
        kept = log.times_ms[own] < 30 * DAY
        there = slice(known.offsets[u], known.offsets[u + 1])
        assert known.item_rows[there].tolist() == log.item_rows[own][kept].tolist()


def changed_later(actions: list[Action], cut_ms: int, seed: int) -> list[Action]:
    """Keep what came before the cut; shift, replace and drop what came after, and add a user."""
    rng = np.random.default_rng(seed)
    earlier = [a for a in actions if a[2] < cut_ms]
    later = [
        (user, int(rng.integers(60)), cut_ms + int(rng.integers(20 * DAY)))
        for user, _, ms in actions
        if ms >= cut_ms and rng.random() < 0.7
    ]
    return [*earlier, *later, ("a new one", 3, cut_ms)]


def answers(log: ReplayLog, first_day: int, n_days: int) -> dict[str, dict[str, list[list[int]]]]:
    """Return day/user id -> arm/mode -> list, and the targets, of all arms that do not see targets."""
    log = with_categories(log)
    parts = Parts(NeighborLists(log.embeddings, 30))
    names = [name for name in UNTRAINED if not name.startswith("oracle")]
    arms = untrained_arms(log, parts, names)
    for arm in arms:
        if hasattr(arm, "fit"):
            arm.fit(log.before(first_day * DAY), first_day * DAY)
    found: dict[str, dict[str, list[list[int]]]] = {}
    for day in walk(log, first_day * DAY, n_days, window_ms=90 * DAY):
        known = log.before(day.start_ms)
        for u, user in enumerate(day.users.tolist()):
            own = slice(day.target_offsets[u], day.target_offsets[u + 1])
            targets = [day.target_rows[own].tolist(), day.first_time[own].tolist()]
            found[f"{day.start_ms}/{log.user_ids[user]}"] = {"targets": targets}
        for arm in arms:
            for mode in ("first_time", "all"):
                rows = arm.recommend(day.without_targets(), known, 10, mode)
                for u, user in enumerate(day.users.tolist()):
                    found[f"{day.start_ms}/{log.user_ids[user]}"][f"{arm.name}/{mode}"] = [rows[u].tolist()]
    return found


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1_000))
def test_changing_all_later_events_changes_nothing_earlier(seed: int) -> None:
    actions, embeddings = drawn_actions(seed), drawn_embeddings(seed)
    changed = changed_later(actions, 43 * DAY, seed)
    assert sorted(changed) != sorted(actions)
    one = answers(log_of(actions, embeddings), 40, 3)
    other = answers(log_of(changed, embeddings), 40, 3)
    assert one == other
    assert len(one) >= 10


def test_an_arm_is_given_no_target() -> None:
    (day,) = walk(log_of(drawn_actions(2), drawn_embeddings(2)), 40 * DAY, 1, window_ms=90 * DAY)
    blind = day.without_targets()
    changed = {f.name for f in fields(Day) if getattr(day, f.name) is not getattr(blind, f.name)}
    assert changed >= {"target_offsets", "target_rows", "first_time"}
    assert blind.users.tolist() == day.users.tolist()
    assert len(blind.target_rows) == 0
    assert len(day.target_rows) > 0


@pytest.mark.parametrize("name", [name for name in UNTRAINED if not name.startswith("oracle")])
def test_lists_keep_to_pool_mode_and_budget(name: str) -> None:
    log = with_categories(log_of(drawn_actions(3), drawn_embeddings(3)))
    (day,) = walk(log, 45 * DAY, 1, window_ms=90 * DAY)
    known = log.before(day.start_ms)
    (arm,) = untrained_arms(log, Parts(NeighborLists(log.embeddings, 12)), [name])
    if hasattr(arm, "fit"):
        arm.fit(known, day.start_ms)
    for mode in ("first_time", "all"):
        rows = arm.recommend(day.without_targets(), known, 25, mode)
        assert rows.shape == (day.n_users, 25)
        for u, user in enumerate(day.users.tolist()):
            listed = rows[u][rows[u] >= 0].tolist()
            assert len(set(listed)) == len(listed)
            assert day.pool[listed].all()
            seen = set(known.item_rows[known.offsets[user] : known.offsets[user + 1]].tolist())
            n_allowed = int(day.pool.sum()) - (len(seen) if mode == "first_time" else 0)
            assert mode == "all" or not seen & set(listed)
            assert len(listed) == min(25, n_allowed)


def test_what_is_popular_in_the_own_categories_comes_before_what_is_popular_elsewhere() -> None:
    log = with_categories(log_of(drawn_actions(3), drawn_embeddings(3)))
    codes = (np.arange(log.n_items) % 6).astype(np.int32)
    codes[::7] = -1  # some items have none
    log = replace(log, categories=codes)
    (day,) = walk(log, 45 * DAY, 1, window_ms=90 * DAY)
    known = log.before(day.start_ms)
    (arm,) = untrained_arms(log, Parts(NeighborLists(log.embeddings, 12)), ["popular-category"])
    rows = arm.recommend(day.without_targets(), known, 50, "all")
    assert (rows >= 0).all()
    everything = np.flatnonzero(day.pool).astype(np.int32)
    offsets = np.arange(day.n_users + 1) * len(everything)
    assert isinstance(arm, Scorer)
    scores = arm.score(day, known, offsets, np.tile(everything, day.n_users)).reshape(day.n_users, -1)
    for u, user in enumerate(day.users.tolist()):
        own = set(codes[known.item_rows[known.offsets[user] : known.offsets[user + 1]]].tolist()) - {-1}
        inside = np.isin(codes[rows[u]], list(own))
        assert inside.any()
        assert not inside.all()
        assert inside.tolist() == sorted(inside.tolist(), reverse=True)
        n_users = [len(set(known.users[known.item_rows == row].tolist())) for row in rows[u][~inside]]
        assert n_users == sorted(n_users, reverse=True)
        mine = np.isin(codes[everything], list(own))
        assert scores[u][mine].min() >= 0 > scores[u][~mine].max()

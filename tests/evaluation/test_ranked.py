from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage._arrays import Float32s
from pinnersage.config import BuildConfig, RankingConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.ranked import RANKED, Ranked, ranked_arm
from pinnersage.evaluation.arms.served import ServedRanked, served_arm
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.clock import Clock
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Day, Mode, ReplayLog, walk
from pinnersage.ranking.candidates import WideSet, n_items_for
from pinnersage.ranking.features import OF_EMBEDDINGS, OF_ONE_VECTOR, features_of

CUT = 50 * DAY
CONFIG = RankingConfig(
    budget=8, horizon_days=5, n_moments=2, n_trees=8, n_leaves=7, min_leaf_rows=5, n_negatives=20
)


def world(seed: int = 1) -> ReplayLog:
    return log_of(drawn_actions(seed, n_users=30, n=1_500), drawn_embeddings(seed))


def arms(log: ReplayLog) -> dict[str, Ranked]:
    parts = Parts(NeighborLists(log.embeddings, 60))
    ranked = {name: ranked_arm(name, parts, CONFIG) for name in RANKED}
    for arm in ranked.values():
        arm.fit(log, CUT)
    return ranked


def days(log: ReplayLog, n: int) -> list[Day]:
    return list(walk(log, CUT, n, window_ms=90 * DAY))


@pytest.mark.parametrize("name", [*RANKED])
def test_lists_obey_pool_and_mode(name: str) -> None:
    log = world()
    arm, day = arms(log)[name], days(log, 1)[0]
    day = replace(day, pool=day.pool & (np.arange(log.n_items) % 7 != 0))
    known = log.before(day.start_ms)
    modes: tuple[Mode, ...] = ("first_time", "all")
    for mode in modes:
        rows = arm.recommend(day.without_targets(), known, 6, mode)
        assert rows.shape == (day.n_users, 6)
        assert rows.dtype == np.int32
        for u, user in enumerate(day.users.tolist()):
            mine = rows[u][rows[u] >= 0]
            assert len(set(mine.tolist())) == len(mine) > 0
            assert day.pool[mine].all()
            seen = known.item_rows[known.offsets[user] : known.offsets[user + 1]]
            if mode == "first_time":
                assert not np.isin(mine, seen).any()


def test_all_interests_propose_where_they_are_named() -> None:
    log = world()
    day, known, parts = (
        days(log, 1)[0].without_targets(),
        log.before(CUT),
        Parts(NeighborLists(log.embeddings, 60)),
    )
    (proposer,) = untrained_arms(known, parts, ["all-interests"])
    proposed = ranked_arm("all-interests-ranked", parts, CONFIG)._proposed(parts, known, day, 9, "first_time")
    assert np.array_equal(proposed, proposer.recommend(day, known, 9, "first_time"))


def test_nothing_from_the_day_on_is_used() -> None:
    log = world()
    later = log.times_ms >= CUT
    rows = log.item_rows.copy()
    rows[later] = (rows[later] + 5) % log.n_items
    other = replace(log, item_rows=rows)
    day = days(log, 1)[0].without_targets()
    for name, arm in arms(log).items():
        changed = arms(other)[name].recommend(day, other.before(CUT), 6, "first_time")
        assert np.array_equal(arm.recommend(day, log.before(CUT), 6, "first_time"), changed), name


def test_popularity_is_counted_anew_every_day() -> None:
    log = world()
    arm = arms(log)["popular-ranked"]
    first, second = days(log, 2)
    arm.recommend(first, log.before(first.start_ms), 6, "first_time")
    second_known = log.before(second.start_ms)
    statistics = arm._moment(second, second_known).statistics
    assert statistics.moment_ms == second.start_ms
    columns = (second_known.users, second_known.item_rows, second_known.times_ms)
    pairs = {
        (user, row, ms // DAY) for user, row, ms in zip(*(column.tolist() for column in columns), strict=True)
    }
    for item in range(log.n_items):
        assert statistics.ever[item] == sum(row == item for _, row, _ in pairs)
    assert any(ms // DAY == CUT // DAY for ms in second_known.times_ms.tolist())


def test_links_are_of_the_day_whatever_was_asked_before() -> None:
    log = world()
    arm, fresh = arms(log)["popular-ranked"], arms(log)["popular-ranked"]
    first, *_, last = days(log, 9)
    for day in (last, first):
        moment = arm._moment(day, log.before(day.start_ms))
    expected = fresh._moment(first, log.before(first.start_ms))
    assert moment.moment_ms == first.start_ms
    assert np.array_equal(moment.links.regression.strengths, expected.links.regression.strengths)
    assert set(arm.parts.links) == {first.start_ms, last.start_ms}


def test_deterministic_and_any_base() -> None:
    log = world(2)
    day = days(log, 1)[0].without_targets()
    one, two = ({n: a.recommend(day, log.before(CUT), 6, "all") for n, a in arms(log).items()} for _ in "ab")
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_it_must_be_fitted_on_the_past() -> None:
    log = world()
    day = days(log, 1)[0]
    mode: Mode = "all"
    with pytest.raises(UsageError, match="fit"):
        Ranked("x", None, Parts(NeighborLists(log.embeddings, 60))).recommend(day, log.before(CUT), 5, mode)
    arm = Ranked("x", None, Parts(NeighborLists(log.embeddings, 60)), config=CONFIG)
    arm.fit(log, CUT + 1)
    with pytest.raises(UsageError, match="before the day"):
        arm.recommend(day, log.before(CUT), 5, mode)


def test_shorter_lists_begin_longer_ones() -> None:
    log = world(3)
    day = days(log, 1)[0].without_targets()
    for arm in arms(log).values():
        long, short = (arm.recommend(day, log.before(CUT), n, "first_time") for n in (12, 5))
        assert np.array_equal(long[:, :5], short)


@pytest.mark.parametrize("kind", ["base", "served"])
def test_learnt_embeddings_of_a_training_moment_know_nothing_later(kind: str) -> None:
    log = world(4)
    asked: list[int] = []

    def vectors_at(ms: int) -> Float32s:
        asked.append(ms)
        return drawn_embeddings(ms // DAY)

    parts = Parts(NeighborLists(log.embeddings, 60), vectors_at=vectors_at)
    arm = ranked_arm("top-40-ranked", parts, CONFIG)
    if kind == "served":
        served = served_arm(BuildConfig(ranking=CONFIG.model_copy(update={"fit_ranker": True})), parts)
        assert isinstance(served, ServedRanked)
        arm = served
    arm.fit(log, CUT)
    arm.recommend(days(log, 1)[0].without_targets(), log.before(CUT), 6, "first_time")
    horizon_ms = round(CONFIG.horizon_days * DAY)
    assert set(asked) == {CUT - 2 * horizon_ms, CUT - horizon_ms}
    moment = arm._past_moment(log, CUT - horizon_ms)
    assert np.array_equal(moment.embeddings, drawn_embeddings((CUT - horizon_ms) // DAY))
    proposer: Any = arm._proposer(log, parts.as_of(CUT - horizon_ms))
    assert np.array_equal(proposer.neighbors._embeddings, moment.embeddings)


def test_scores_do_not_depend_on_where_an_item_stands() -> None:
    """Targets stand first in what is ranked against impressions: equals must not be told apart by it."""
    log = world(5)
    day = days(log, 1)[0].without_targets()
    rows = np.random.default_rng(0).permutation(log.n_items).astype(np.int32)
    offsets = np.arange(day.n_users + 1) * len(rows)
    back = np.argsort(rows)
    for name, arm in arms(log).items():
        shuffled = arm.score(day, log.before(CUT), offsets, np.tile(rows, day.n_users))
        ascending = arm.score(day, log.before(CUT), offsets, np.tile(rows[back], day.n_users))
        assert np.array_equal(shuffled.reshape(day.n_users, -1)[:, back].ravel(), ascending), name


@pytest.mark.parametrize("name", list(RANKED))
def test_few_items_are_scored_as_among_all_candidates(name: str) -> None:
    """Ranks among three items would not mean what they meant when the ranker was fitted."""
    log = world(7)
    arm, day = arms(log)[name], days(log, 1)[0].without_targets()
    known = log.before(CUT)
    listed = arm.recommend(day, known, n_items_for(CONFIG.budget, CONFIG), "all")
    lists = [mine[mine >= 0] for mine in listed]
    lengths = np.array([len(mine) for mine in lists])
    together = arm.score(day, known, np.append(0, lengths.cumsum()), np.concatenate(lists))
    starts = lengths.cumsum() - lengths
    for u, start in enumerate(starts.tolist()):
        assert (np.diff(together[start : start + lengths[u]]) <= 0).all()
    for place in (np.zeros_like(lengths), np.minimum(lengths - 1, 3)):
        alone = np.array([mine[at] for mine, at in zip(lists, place, strict=True)], np.int32)
        scores = arm.score(day, known, np.arange(day.n_users + 1), alone)
        assert np.array_equal(scores, together[starts + place])


def test_scores_are_those_of_candidates_and_asked_items_together() -> None:
    log = world(8)
    day = days(log, 1)[0].without_targets()
    known = log.before(CUT)
    rng = np.random.default_rng(8)
    asked = rng.integers(0, log.n_items, (day.n_users, 4)).astype(np.int32)
    offsets = np.arange(day.n_users + 1) * 4
    n_outside = 0
    for name, arm in arms(log).items():
        scores = arm.score(day, known, offsets, asked.ravel()).reshape(-1, 4)
        moment, ranker = arm._moment(day, known), arm._ranker(day, "all")
        proposer = arm._proposer(known, arm.parts)
        n = round(CONFIG.n_proposed_per_slot * CONFIG.budget)
        for u in range(day.n_users):
            user = moment.view(arm._records(day, known).record(u))
            nobody = np.empty(0, np.int32)
            proposed = proposer.recommend(day, known, n, "all")[u] if proposer else nobody
            wide = WideSet(moment, CONFIG).of_user(user, proposed, CONFIG.budget, repeats=True).rows
            rows = np.array(sorted({*wide.tolist(), *asked[u].tolist()}), np.int32)
            n_outside += len(rows) - len(wide)
            expected = dict(zip(rows.tolist(), ranker.score(features_of(user, rows, moment)), strict=True))
            assert scores[u].tolist() == [expected[row] for row in asked[u].tolist()], name
    assert n_outside


def test_what_an_arm_does_not_propose_its_ranker_does_not_see() -> None:
    """So that the share of interests, of one vector and of the rest in a gain can be told."""
    log = world(6)
    mode: Mode = "first_time"
    other = replace(log, embeddings=drawn_embeddings(99))
    day = days(log, 1)[0].without_targets()
    one, two = (arms(w)["popular-ranked"].recommend(day, w.before(CUT), 6, mode) for w in (log, other))
    assert np.array_equal(one, two)
    gains = {}
    for name, arm in arms(log).items():
        arm.recommend(day, log.before(CUT), 6, mode)
        gains[name] = {f for f, share in arm.fitted()[mode]["gains"].items() if share > 0}
    of_many = set(OF_EMBEDDINGS) - set(OF_ONE_VECTOR)
    assert gains["top-40-ranked"] & of_many
    assert not gains["mean-0.01-ranked"] & of_many
    assert gains["mean-0.01-ranked"] & set(OF_ONE_VECTOR)
    assert not gains["popular-ranked"] & set(OF_EMBEDDINGS)


def test_the_ranker_is_fitted_late_and_that_is_no_time_of_recommending() -> None:
    log = world()
    arm, day = arms(log)["popular-ranked"], days(log, 1)[0].without_targets()
    assert arm.fitting.seconds == 0
    clock = Clock(arm.fitting)
    with clock.recommend():
        arm.recommend(day, log.before(CUT), 6, "first_time")
    assert arm.fitting.seconds > 0
    cost = clock.cost()
    assert cost["fit_seconds"] == round(arm.fitting.seconds, 3)
    arm.fitting.seconds += 1_000  # for the scores, between two lists
    later = clock.cost()
    assert later["fit_seconds"] == pytest.approx(cost["fit_seconds"] + 1_000)
    assert later["recommend_seconds"] == cost["recommend_seconds"]
    with clock.recommend():
        arm.fitting.seconds += 1_000
    assert clock.cost()["recommend_seconds"] == pytest.approx(cost["recommend_seconds"] - 1_000)

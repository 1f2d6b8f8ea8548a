"""Figures are those of the lists, user by user, and blocks of users add up."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.worlds import DAY, drawn_actions, drawn_embeddings, log_of

from pinnersage.config import BuildConfig
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.tuning.moments import (
    drawn_users,
    held_out_days,
    n_targets_of,
    narrowed,
    training_moments,
    users_of,
    walked,
)
from pinnersage.evaluation.tuning.running import _measure
from pinnersage.evaluation.tuning.scoring import Scores
from pinnersage.evaluation.tuning.settings import TuningSettings

UNTIL = 55 * DAY
WINDOW = 90 * DAY


def world() -> ReplayLog:
    return log_of(drawn_actions(2, n_users=20, n=800), drawn_embeddings(2), created_at_ms=[0] * 60)


def scores(log: ReplayLog, settings: TuningSettings) -> Scores:
    moments = training_moments(log, UNTIL, settings, WINDOW)
    users = drawn_users(users_of([m.day for m in moments]), 50, 0)
    measure = _measure(log, BuildConfig(), settings, moments[0].day, with_ranker=False)
    return Scores(log.before(UNTIL), moments, users, measure)


@pytest.mark.parametrize("targets", ["first_time", "all"])
@pytest.mark.parametrize("metric", ["recall", "relevance", "ndcg"])
def test_figures_are_those_of_the_lists(metric: str, targets: str) -> None:
    log = world()
    settings = TuningSettings.model_validate({"metric": metric, "targets": targets, "budget": 6})
    asked = scores(log, settings)
    found = asked.of(BuildConfig(), asked.n_users)
    tops: dict[int, list[tuple[float, float]]] = {}
    for moment in asked.moments:
        arm = asked._fitted(BuildConfig())
        lists = arm.recommend(moment.day.without_targets(), moment.known, 6, settings.targets)
        for u, user in enumerate(moment.day.users.tolist()):
            own = slice(moment.day.target_offsets[u], moment.day.target_offsets[u + 1])
            rows = moment.day.target_rows[own]
            rows = rows[moment.day.first_time[own]] if targets == "first_time" else rows
            tops.setdefault(user, []).append(naive(metric, rows.tolist(), lists[u].tolist(), log))
    expected = [sum(t for t, _ in tops[u]) / sum(b for _, b in tops[u]) for u in asked.users.tolist()]
    assert found == pytest.approx(expected)


def naive(metric: str, targets: list[int], listed: list[int], log: ReplayLog) -> tuple[float, float]:
    """Return what is added to numerator and denominator."""
    if metric == "recall":
        return sum(row in listed for row in targets), len(targets)
    if metric == "relevance":
        near = log.embeddings[targets] @ log.embeddings[[row for row in listed if row >= 0]].T
        return float((near.max(axis=1) >= 0.8 - 1e-6).sum()), len(targets)
    gains = [1 / np.log2(listed.index(row) + 2) for row in targets if row in listed]
    best = sum(1 / np.log2(k + 2) for k in range(min(len(targets), len(listed))))
    return sum(gains) / best, 1


def test_blocks_of_users_add_up() -> None:
    log, settings = world(), TuningSettings(budget=6)
    at_once, in_parts = scores(log, settings), scores(log, settings)
    whole = at_once.of(BuildConfig(), at_once.n_users)
    assert in_parts.of(BuildConfig(), 5).tolist() == whole[:5].tolist()
    in_parts.rest(BuildConfig())
    assert in_parts.of(BuildConfig(), 13).tolist() == whole[:13].tolist()
    assert in_parts.of(BuildConfig(), in_parts.n_users).tolist() == whole.tolist()
    assert in_parts.n_trials == 1


def test_moments_fill_the_training_days_and_see_only_what_was_before() -> None:
    log = world()
    moments = training_moments(log, UNTIL, TuningSettings(train_days=16, horizon_days=7), WINDOW)
    assert [m.day.start_ms for m in moments] == [UNTIL - 14 * DAY, UNTIL - 7 * DAY]
    for moment in moments:
        start = moment.day.start_ms
        assert moment.known.times_ms.max() < start
        for u, user in enumerate(moment.day.users.tolist()):
            mine = log.users == user
            week = mine & (log.times_ms >= start) & (log.times_ms < start + 7 * DAY)
            own = slice(moment.day.target_offsets[u], moment.day.target_offsets[u + 1])
            assert moment.day.target_rows[own].tolist() == np.unique(log.item_rows[week]).tolist()
            assert moment.day.first_time[own].any()


def test_a_short_span_is_one_moment() -> None:
    (moment,) = training_moments(world(), UNTIL, TuningSettings(train_days=3), WINDOW)
    assert moment.day.start_ms == UNTIL - 3 * DAY


def test_held_out_days_are_walked_one_by_one() -> None:
    log, settings = world(), TuningSettings(held_out_days=4, targets="all")
    days = held_out_days(log, UNTIL - 4 * DAY, settings, WINDOW)
    assert [day.start_ms for day in days] == [UNTIL + k * DAY for k in range(-4, 0)]
    assert all(m.known.times_ms.max() < m.day.start_ms for m in walked(log, days))
    in_span = (log.times_ms >= UNTIL - 4 * DAY) & (log.times_ms < UNTIL)
    pairs = {
        (u, r, t // DAY)
        for u, r, t in zip(
            *(a[in_span].tolist() for a in (log.users, log.item_rows, log.times_ms)), strict=True
        )
    }
    assert n_targets_of(days, "all") == len(pairs)


def test_narrowing_keeps_whole_users() -> None:
    log = world()
    (moment,) = training_moments(log, UNTIL, TuningSettings(train_days=7, targets="all"), WINDOW)
    wanted = np.zeros(log.n_users, np.bool_)
    wanted[moment.day.users[::2]] = True
    day = narrowed(moment.day, wanted)
    assert day.users.tolist() == moment.day.users[::2].tolist()
    for u, before in enumerate(range(0, moment.day.n_users, 2)):
        rows = day.target_rows[day.target_offsets[u] : day.target_offsets[u + 1]]
        own = slice(moment.day.target_offsets[before], moment.day.target_offsets[before + 1])
        assert rows.tolist() == moment.day.target_rows[own].tolist()

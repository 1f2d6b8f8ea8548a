"""Embeddings at a cut: what they mean, what they may not know, and that they repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.embedding.worlds import N_ITEMS, N_PER_TOPIC, START_MS, Log, topic_of, topical_log
from threadpoolctl import threadpool_limits

from pinnersage._arrays import Float32s
from pinnersage.config import MS_PER_DAY
from pinnersage.embedding.arrays import embed_items
from pinnersage.embedding.factors import reduced, unit_rows
from pinnersage.embedding.fusing import fuse, prediction_weights, with_predictions
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.errors import UsageError

CUT_MS = START_MS + 14 * MS_PER_DAY
SOURCES = ["log", "fused"]


def content(seed: int = 1) -> Float32s:
    """Return content that knows the topics, roughly."""
    topics = np.eye(8)[topic_of(np.arange(N_ITEMS))]
    return unit_rows(topics + 0.1 * np.random.default_rng(seed).standard_normal(topics.shape))


def made_from(log: Log, source: Any = "log", until_ms: int | None = None, **more: Any) -> Float32s:
    return embed_items(content(), *log, until_ms=until_ms, settings=EmbeddingSettings(source=source, **more))


@pytest.mark.parametrize("source", SOURCES)
def test_items_of_the_same_sessions_are_neighbors(source: str) -> None:
    made = made_from(topical_log(), source, n_dimensions=8)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    cosines = made @ made.T
    np.fill_diagonal(cosines, -1)
    nearest = np.argsort(-cosines, axis=1)[:, : N_PER_TOPIC - 1]
    np.testing.assert_array_equal(topic_of(nearest), topic_of(np.arange(N_ITEMS))[:, None].repeat(5, axis=1))


@pytest.mark.parametrize("source", SOURCES)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_what_happens_later_changes_no_bit(source: str, seed: int) -> None:
    log, rng = topical_log(), np.random.default_rng(seed)
    later = log.times_ms >= CUT_MS
    assert later.any()
    assert not later.all()
    kept = rng.random(len(later)) < 0.5
    changed = Log(
        np.where(later, rng.integers(0, 99, len(later)), log.users),
        np.where(later, rng.integers(0, N_ITEMS, len(later)), log.item_rows).astype(np.int32),
        np.where(later, CUT_MS + rng.integers(0, 10**9, len(later)), log.times_ms),
    )
    thinned = Log(*(values[~later | kept] for values in changed))
    np.testing.assert_array_equal(made_from(log, source, CUT_MS), made_from(thinned, source, CUT_MS))


@pytest.mark.parametrize("source", ["text", *SOURCES])
@pytest.mark.parametrize("width", [6, 100])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_items_born_at_or_after_the_cut_change_no_bit_of_the_others(
    source: Any, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    late = rng.random(N_ITEMS) < rng.random()
    late[rng.choice(N_ITEMS, 2, replace=False)] = False, True
    born = np.where(late, CUT_MS + rng.integers(0, 2, N_ITEMS), CUT_MS - 1)
    log = topical_log()
    possible = ~late[log.item_rows] | (log.times_ms >= CUT_MS)
    log = Log(*(values[possible] for values in log))

    def made(known: Float32s, of: Log, births: Any) -> Float32s:
        more = EmbeddingSettings(source=source, n_dimensions=width)
        return embed_items(known, *of, until_ms=CUT_MS, born_ms=births, settings=more)

    plain = made(content(), log, born)
    assert len(plain) == N_ITEMS
    other = np.where(late[:, None], 3 * rng.standard_normal((N_ITEMS, 8)), content())
    assert made(other, log, born)[~late].tobytes() == plain[~late].tobytes()
    kept = ~late | (rng.random(N_ITEMS) < 0.5)
    still = kept[log.item_rows]
    thin = Log(log.users[still], (np.cumsum(kept) - 1)[log.item_rows[still]], log.times_ms[still])
    fewer = made(content()[kept], thin, born[kept])
    assert fewer[~late[kept]].tobytes() == plain[~late].tobytes()


def test_without_births_the_first_action_before_the_cut_tells_what_was_there() -> None:
    log = topical_log()
    acted_on = np.isin(np.arange(N_ITEMS), log.item_rows[log.times_ms < CUT_MS])
    log = Log(*(values[log.item_rows != 3] for values in log))
    acted_on[3] = False
    assert acted_on.any()
    births = np.where(acted_on, 0, CUT_MS)
    one, two = (
        embed_items(content(), *log, until_ms=CUT_MS, born_ms=born, settings=EmbeddingSettings("text", 4))
        for born in (None, births)
    )
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != made_from(log, "text", n_dimensions=4).tobytes()


def test_items_not_born_are_placed_by_their_content() -> None:
    log = topical_log()
    late = np.isin(np.arange(N_ITEMS), [0, N_ITEMS - 1])
    log = Log(*(values[~late[log.item_rows]] for values in log))
    born = np.where(late, CUT_MS, 0)
    for source in ("text", "fused"):
        made = embed_items(
            content(),
            *log,
            until_ms=CUT_MS,
            born_ms=born,
            settings=EmbeddingSettings(source, 6),
        )
        cosines = made @ made.T
        np.fill_diagonal(cosines, -1)
        for row in np.flatnonzero(late):
            nearest = np.argsort(-cosines[row])[: N_PER_TOPIC - 1]
            assert set(topic_of(nearest).tolist()) == {row // N_PER_TOPIC}


def test_births_of_another_catalogue_are_refused() -> None:
    with pytest.raises(UsageError, match="born_ms: expected a birth for each of 24 items"):
        embed_items(content(), *topical_log(), until_ms=CUT_MS, born_ms=[0])


def test_the_last_millisecond_before_the_cut_counts_and_the_cut_does_not() -> None:
    base = topical_log(n_weeks=1)
    probe = [np.array([99, 99]), np.array([0, N_ITEMS - 1], np.int32)]
    at, before = (
        Log(*(np.concatenate([a, b]) for a, b in zip(base, [*probe, np.full(2, time)], strict=True)))
        for time in (CUT_MS, CUT_MS - 1)
    )
    without = made_from(base, until_ms=CUT_MS)
    np.testing.assert_array_equal(made_from(at, until_ms=CUT_MS), without)
    assert not np.array_equal(made_from(before, until_ms=CUT_MS), without)


@pytest.mark.parametrize("source", SOURCES)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_order_repeats_and_names_of_users_change_no_bit(source: str, seed: int) -> None:
    log, rng = topical_log(n_users=12), np.random.default_rng(seed)
    rows = rng.permutation(np.concatenate([np.arange(len(log.users)), rng.integers(0, len(log.users), 9)]))
    names = rng.permutation(1_000)
    again = Log(names[log.users[rows]], log.item_rows[rows], log.times_ms[rows])
    np.testing.assert_array_equal(made_from(log, source), made_from(again, source))


def test_threads_change_no_bit() -> None:
    rng = np.random.default_rng(3)
    n_items, n = 400, 20_000
    log = (rng.integers(0, 300, n), rng.integers(0, n_items, n), rng.integers(0, 90, n) * MS_PER_DAY)
    known = rng.standard_normal((n_items, 64))
    made = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            made.append(embed_items(known, *log, until_ms=None))
    np.testing.assert_array_equal(made[0], made[1])


def test_items_that_the_log_does_not_know() -> None:
    log = topical_log()
    unseen = [0, N_ITEMS - 1]
    known = ~np.isin(log.item_rows, unseen)
    log = Log(*(values[known] for values in log))
    logged = made_from(log, "log")
    assert np.flatnonzero(~logged.any(axis=1)).tolist() == unseen
    fused = made_from(log, "fused", n_dimensions=16)
    cosines = fused @ fused.T
    np.fill_diagonal(cosines, -1)
    # Their content places them among the items of their topic.
    for row in unseen:
        nearest = np.argsort(-cosines[row])[: N_PER_TOPIC - 1]
        assert set(topic_of(nearest).tolist()) == {row // N_PER_TOPIC}


def test_a_fused_cosine_is_the_mean_of_both() -> None:
    text, logged = unit_rows([[1, 0], [0.6, 0.8], [0, 1]]), unit_rows([[1, 0, 0], [0, 1, 0], [0.8, 0, 0.6]])
    made = fuse(text, logged, log_share=0.7, n_dimensions=9)
    np.testing.assert_allclose(made[0] @ made[1], 0.7 * 0.0 + 0.3 * 0.6, atol=1e-6)
    np.testing.assert_allclose(made[0] @ made[2], 0.7 * 0.8 + 0.3 * 0.0, atol=1e-6)


def test_predictions_are_ridge_regression() -> None:
    rng = np.random.default_rng(2)
    text, logged = unit_rows(rng.standard_normal((9, 3))), unit_rows(rng.standard_normal((9, 4)))
    logged[7:] = 0
    text[8] = 0
    made = with_predictions(text, logged, prediction_weights(text, logged))
    x, y = text[:7].astype(float), logged[:7].astype(float)
    # Ridge as least squares with one more row for each column.
    weights = np.linalg.lstsq(np.vstack([x, np.eye(3)]), np.vstack([y, np.zeros((3, 4))]), rcond=None)[0]
    np.testing.assert_array_equal(made[:7], logged[:7])
    predicted = text[7] @ weights
    assert np.linalg.norm(predicted) < 1
    np.testing.assert_allclose(made[7], predicted, atol=1e-5)
    assert not made[8].any()


def test_reducing_keeps_dot_products_of_few_directions() -> None:
    rng = np.random.default_rng(4)
    rows = unit_rows(rng.standard_normal((50, 3)) @ rng.standard_normal((3, 20)))
    made = reduced(rows, 3)
    assert made.shape == (50, 3)
    np.testing.assert_allclose(made @ made.T, rows @ rows.T, atol=1e-5)


@pytest.mark.parametrize("source", SOURCES)
def test_an_empty_log_is_no_error(source: str) -> None:
    nothing = np.zeros(0, np.int64)
    made = made_from(Log(nothing, nothing.astype(np.int32), nothing), source)
    assert made.shape[0] == N_ITEMS
    assert bool(made.any()) == (source == "fused")


@pytest.mark.parametrize(
    ("users", "rows", "times", "message"),
    [
        ([1], [N_ITEMS], [0], "item_rows: expected rows of 24 items"),
        ([1], [-1], [0], "item_rows"),
        ([1, 2], [0], [0], "one user, item row and time"),
    ],
)
def test_impossible_logs_are_refused(users: Any, rows: Any, times: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        embed_items(content(), users, rows, times, until_ms=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_dimensions": 0},
        {"smoothing": 0.0},
        {"smoothing": 1.5},
        {"log_share": 2.0},
        {"session_days": -1.0},
        {"session_days": 1e12},
        {"seed": 2**32},
        {"shift": float("nan")},
        {"source": "words"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        EmbeddingSettings(**wrong)

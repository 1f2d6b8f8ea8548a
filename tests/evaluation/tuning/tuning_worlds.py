"""Worlds to tune in: one where small clusters are clearly better, with known answers."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pyarrow as pa
from tests.evaluation.worlds import DAY, Action, log_of, unit

from pinnersage._arrays import Float32s
from pinnersage.config import BuildConfig
from pinnersage.evaluation.arms.interests import _empty_day
from pinnersage.evaluation.arms.served import served_arm
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.tuning.settings import TuningSettings
from pinnersage.evaluation.tuning.shared import shared_parts

N_PARENTS, N_CHILDREN, N_PER_CHILD, N_EARLY = 3, 6, 8, 4
HISTORY_DAYS = 30
UNTIL = (HISTORY_DAYS + 14 + 7) * DAY
QUICK = TuningSettings(
    train_days=14, held_out_days=7, horizon_days=7, budget=8, n_resamples=200, min_users=20, min_targets=50
)


@functools.cache
def close_topics_embeddings() -> Float32s:
    """Three far topics of six near ones each: squared distance 0.2 inside a topic, 2 between topics."""
    rng = np.random.default_rng(3)
    n_topics = N_PARENTS * N_CHILDREN
    topics = np.zeros((n_topics, N_PARENTS + n_topics + 4))
    for t in range(n_topics):
        topics[t, t // N_CHILDREN] = np.sqrt(0.9)
        topics[t, N_PARENTS + t] = np.sqrt(0.1)
    rows = np.repeat(topics, N_PER_CHILD, axis=0)
    return unit(rows + 0.04 * rng.standard_normal(rows.shape))


def close_topics_actions(n_users: int = 60) -> list[Action]:
    """Users act on four items each of two near topics, then on one more of each every week.

    Two clusters of four at squared distance 0.2 merge at a cost of 2 * 16 / 8 * 0.2 = 0.8, and of six
    at 1.2: with a larger alpha a user has one interest, and the nearest items are of one topic only.
    """
    actions = []
    for user in range(n_users):
        parent, first = user % N_PARENTS, user % N_CHILDREN
        for child in (first, (first + 1 + user % 5) % N_CHILDREN):
            topic = parent * N_CHILDREN + child
            for number in range(N_EARLY + 3):
                day = number if number < N_EARLY else HISTORY_DAYS + 7 * (number - N_EARLY) + user % 7
                row = topic * N_PER_CHILD + (number + user) % N_PER_CHILD
                actions.append((f"u{user:03d}", row, day * DAY + user))
    return actions


@functools.cache
def close_topics(n_users: int = 60) -> ReplayLog:
    embeddings = close_topics_embeddings()
    return log_of(close_topics_actions(n_users), embeddings, created_at_ms=[0] * len(embeddings))


def close_topics_tables() -> tuple[pa.Table, pa.Table]:
    """The same as tables."""
    embeddings = close_topics_embeddings()
    items = pa.table(
        {
            "item_id": np.arange(len(embeddings)),
            "created_at": pa.array([0] * len(embeddings), pa.timestamp("ms", tz="UTC")),
            "embedding": pa.array(embeddings.tolist(), pa.list_(pa.float32())),
        }
    )
    users, rows, times = zip(*close_topics_actions(), strict=True)
    actions = pa.table(
        {"user_id": users, "item_id": rows, "timestamp": pa.array(times, pa.timestamp("ms", tz="UTC"))}
    )
    return items, actions


def changed_from(log: ReplayLog, ms: int) -> ReplayLog:
    """Return the log with other items from a time on; births stay."""
    rows = log.item_rows.copy()
    later = log.times_ms >= ms
    rows[later] = (rows[later] * 7 + 31) % log.n_items
    return replace(log, item_rows=rows)


def found_only_by(log: ReplayLog, ms: int, better: BuildConfig, worse: BuildConfig) -> ReplayLog:
    """Return the log in which, from a time on, all act on what only one configuration lists."""
    known = log.before(ms)
    day = _empty_day(known, ms, np.arange(log.n_users, dtype=np.int32))
    shared = shared_parts(better, log, 8, with_ranker=False)
    listed, other = (served_arm(c, shared).recommend(day, known, 8, "first_time") for c in (better, worse))
    rows, later, users = log.item_rows.copy(), log.times_ms >= ms, log.users
    for u in range(log.n_users):
        only = listed[u][~np.isin(listed[u], other[u])]
        rows[later & (users == u)] = only[0] if len(only) else listed[u][0]
    return replace(log, item_rows=rows)

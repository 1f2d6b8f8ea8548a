"""An event id that comes again changes nothing before the day it comes again on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.worlds import DAY, table_of

from pinnersage.actions.batch import ActionBatch
from pinnersage.evaluation.arms.trained_choice import span
from pinnersage.evaluation.reading import read_log
from pinnersage.evaluation.replay import Day, ReplayLog, walk
from pinnersage.evaluation.saved import log_digest
from pinnersage.interests.overruled import overruled_in
from pinnersage.interests.unique import unique_actions
from pinnersage.model.ranking import WholeLog
from pinnersage.ranking.statistics import statistics_before

N_USERS, N_ITEMS, N_DAYS = 3, 4, 8
ITEMS = table_of(np.eye(N_ITEMS, dtype=np.float32), created_at_ms=[None, 0, 5 * DAY, None])
Row = tuple[int, int, int, int, int]
"""User, day, item row, event, weight."""
ROWS = st.lists(
    st.tuples(
        st.integers(0, N_USERS - 1), st.integers(0, N_DAYS - 1), st.integers(0, N_ITEMS - 1),
        st.integers(0, 3), st.integers(0, 2),
    ),
    max_size=30,
)  # fmt: skip


def batch_of(rows: list[Row]) -> ActionBatch:
    """All users stand in it, also those without an action."""
    rows = sorted(rows, key=lambda row: row[0])
    users, days, items, events, weights = (np.array([row[i] for row in rows], np.int64) for i in range(5))
    return ActionBatch(
        list(range(N_USERS)),
        np.searchsorted(users, np.arange(N_USERS + 1)).astype(np.int64),
        items.astype(np.int32),
        days * DAY,
        weights.astype(np.float32),
        np.zeros(len(rows), np.uint8),
        events.astype(np.uint64),
    )


def log_of(rows: list[Row]) -> ReplayLog:
    return ReplayLog.from_batch(batch_of(rows), ITEMS)


def known(rows: list[Row], ms: int) -> ReplayLog:
    """Read what came before a time, as if nothing else ever had."""
    return log_of([row for row in rows if row[1] * DAY < ms])


def told(log: Any) -> list[list[Any]]:
    names = ("offsets", "item_rows", "times_ms", "weights", "kinds", "event_keys", "born_ms")
    return [getattr(log, name).tolist() for name in names]


def of_day(day: Day) -> list[Any]:
    arrays = (day.users, day.target_offsets, day.target_rows, day.first_time, day.pool)
    return [*(array.tolist() for array in arrays), day.n_not_in_pool, day.n_newcomers]


@settings(deadline=None, max_examples=200)
@given(ROWS, st.integers(0, N_DAYS), st.integers(0, N_DAYS))
def test_what_was_known_is_what_a_log_cut_there_holds(rows: list[Row], first: int, second: int) -> None:
    log, earlier, later = log_of(rows), min(first, second) * DAY, max(first, second) * DAY
    expected = told(known(rows, earlier).before(earlier))
    assert told(log.before(earlier)) == expected
    assert told(log.before(later).before(earlier)) == expected
    assert told(log.before(later)) == told(known(rows, later).before(later))
    assert told(log.before(N_DAYS * DAY)) == told(log_of(rows))


@settings(deadline=None, max_examples=200)
@given(ROWS, st.integers(1, N_DAYS - 1), st.integers(1, 3))
def test_days_and_spans_are_those_of_a_log_that_ends_with_them(rows: list[Row], start: int, n: int) -> None:
    log, cut = log_of(rows), known(rows, (start + n) * DAY)
    for day in walk(log, start * DAY, n, window_ms=3 * DAY):
        (alone,) = walk(known(rows, day.start_ms + DAY), day.start_ms, 1, window_ms=3 * DAY)
        assert of_day(day) == of_day(alone)
    assert of_day(span(log, start * DAY, n, window_days=3)) == of_day(
        span(cut, start * DAY, n, window_days=3)
    )
    (day,) = walk(log, start * DAY, 1, window_ms=3 * DAY)
    before = known(rows, start * DAY)
    for user, row, is_first in zip(
        np.repeat(day.users, np.diff(day.target_offsets)).tolist(), day.target_rows.tolist(),
        day.first_time.tolist(), strict=True,
    ):  # fmt: skip
        own = before.item_rows[before.offsets[user] : before.offsets[user + 1]]
        assert is_first == (row not in own)
        assert any(r[:3] == (user, start, row) and r[4] > 0 for r in rows)


@settings(deadline=None, max_examples=100)
@given(ROWS, st.integers(0, N_DAYS))
def test_a_build_counts_the_past_as_it_was(rows: list[Row], day: int) -> None:
    batch, ms, log = batch_of(rows), day * DAY, log_of(rows)
    unique = unique_actions(batch)
    whole = WholeLog(
        unique.offsets, unique.item_rows, unique.times_ms, unique.weights, unique.kinds, unique.event_keys,
        log.born_ms, overruled_in(batch, unique), log.created_ms,
    )  # fmt: skip
    expected = statistics_before(known(rows, ms), ms)
    for found in (statistics_before(whole, ms), statistics_before(log, ms)):
        assert found.in_7_days.tolist() == expected.in_7_days.tolist()
        assert found.ever.tolist() == expected.ever.tolist()
        assert np.array_equal(found.age_days, expected.age_days, equal_nan=True)
        assert np.array_equal(found.idle_days, expected.idle_days, equal_nan=True)


def test_tables_are_read_with_what_is_overruled_later() -> None:
    items = pa.table({"item_id": ["a", "b", "c"], "embedding": [[1.0, 0.0], [0.0, 1.0], [0.7, 0.7]]})

    def read(*rows: tuple[str, str, int, str]) -> ReplayLog:
        users, ids, days, events = zip(*rows, strict=True)
        times = pa.array([day * DAY for day in days], pa.timestamp("ms", "UTC"))
        actions = pa.table({"user_id": users, "item_id": ids, "timestamp": times, "event_id": events})
        return read_log(items, actions, wall_clock_ms=100 * DAY)[0]

    early = [("t", "b", 11, "1"), ("u", "a", 10, "1"), ("u", "b", 12, "2")]
    log, alone = read(*early, ("u", "c", 50, "1")), read(*early)
    assert told(log.before(20 * DAY)) == told(alone.before(20 * DAY))
    assert log.item_rows.tolist() == [1, 1, 2]
    assert log.before(51 * DAY).item_rows.tolist() == [1, 1, 2]
    assert log_digest(log) != log_digest(replace(log, overruled=None))

"""Records to test with: hypothesis strategies, and seeded batches of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from pinnersage.interests.record import RecordBatch, UserRecord

MS_PER_DAY = 86_400_000
MAX_ROW = 2**31 - 1

_DTYPES: dict[str, npt.DTypeLike] = {
    "item_rows": np.int32,
    "times_ms": np.int64,
    "weights": np.float32,
    "kinds": np.uint8,
    "event_keys": np.uint64,
    "labels": np.int32,
    "medoid_rows": np.int32,
    "importances": np.float64,
    "seen_rows": np.int32,
}


def same_record(a: UserRecord, b: UserRecord) -> bool:
    """Tell whether two records are equal, bit for bit and dtype for dtype."""
    return a.as_of_ms == b.as_of_ms and all(_same(getattr(a, name), getattr(b, name)) for name in _DTYPES)


def _same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def user_ids() -> st.SearchStrategy[str | int]:
    """Draw ids of every kind a store accepts, also beyond the size of an LMDB key."""
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
    long_text = st.builds(lambda letter, n: letter * n, text, st.integers(100, 600))
    return st.integers(-(2**63), 2**64 - 1) | st.integers(-3, 300) | text | long_text


@st.composite
def user_records(draw: st.DrawFn, max_actions: int = 30) -> UserRecord:
    """Draw records over the whole range of the format, far beyond what a build makes."""
    n = draw(st.integers(0, max_actions))
    unit_ms = draw(st.sampled_from([1, 7, 1_000, 60_000, MS_PER_DAY]))
    largest_row: int = draw(st.sampled_from([0, 1, 300, MAX_ROW]))
    row = st.integers(0, largest_row)
    rows = draw(st.lists(row, min_size=n, max_size=n))
    times = sorted(draw(st.lists(st.integers(0, (2**63 - 1) // unit_ms), min_size=n, max_size=n)))
    n_interests = draw(st.integers(0, 12))
    lowest = -1 if n_interests == 0 or draw(st.booleans()) else 0
    labels = draw(st.lists(st.integers(lowest, n_interests - 1), min_size=n, max_size=n))
    medoid = st.sampled_from(rows) if draw(st.booleans()) and rows else row
    weight = st.floats(0, width=32, allow_infinity=False) if draw(st.booleans()) else st.just(1.0)
    largest_kind: int = draw(st.sampled_from([0, 1, 255]))
    kind = st.integers(0, largest_kind)
    largest_key: int = draw(st.sampled_from([0, 2**64 - 1]))
    key = st.integers(0, largest_key)
    return UserRecord(
        draw(st.integers(0, 2**63 - 1)),
        np.array(rows, np.int32),
        np.array(times, np.int64) * unit_ms,
        np.array(draw(st.lists(weight, min_size=n, max_size=n)), np.float32),
        np.array(draw(st.lists(kind, min_size=n, max_size=n)), np.uint8),
        np.array(draw(st.lists(key, min_size=n, max_size=n)), np.uint64),
        np.array(labels, np.int32),
        np.array(draw(st.lists(medoid, min_size=n_interests, max_size=n_interests)), np.int32),
        np.array(draw(st.lists(st.floats(0), min_size=n_interests, max_size=n_interests)), np.float64),
        np.array(sorted(draw(st.sets(row, max_size=20))), np.int32),
        draw(st.booleans()),
    )


def join_records(as_of_ms: int, records: dict[str, UserRecord] | dict[int, UserRecord]) -> RecordBatch:
    """Return the batch of these users' records."""
    values = list(records.values())
    columns: dict[str, Any] = {
        name: np.concatenate([np.empty(0, dtype), *(getattr(record, name) for record in values)])
        for name, dtype in _DTYPES.items()
    }
    return RecordBatch(
        as_of_ms,
        list(records),  # type: ignore[arg-type]
        action_offsets=_offsets([record.n_actions for record in values]),
        interest_offsets=_offsets([record.n_interests for record in values]),
        seen_offsets=_offsets([len(record.seen_rows) for record in values]),
        untied=np.array([record.untied for record in values], np.bool_),
        **columns,
    )


def _offsets(counts: list[int]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def random_batch(
    n_users: int,
    *,
    seed: int,
    n_actions: int = 100,
    n_interests: int = 10,
    n_items: int = 100_000,
    time_unit_ms: int = 1_000,
    first_user: int = 0,
) -> RecordBatch:
    """Return records like those of a build: 90 days, uniform times and items.

    Weights, kinds and event keys are at their defaults; user ids are the integers from ``first_user``.
    """
    rng = np.random.default_rng(seed)
    n_units = 90 * MS_PER_DAY // time_unit_ms
    start_ms = 20_000 * MS_PER_DAY
    total, n_medoids = n_users * n_actions, n_users * n_interests
    rows = rng.integers(0, n_items, (n_users, n_actions), dtype=np.int32)
    times = start_ms + time_unit_ms * np.sort(rng.integers(0, n_units, (n_users, n_actions)), axis=1)
    chosen = rng.integers(0, max(n_actions, 1), (n_users, n_interests))
    importances = np.sort(rng.random((n_users, n_interests)), axis=1)[:, ::-1]
    return RecordBatch(
        start_ms + 90 * MS_PER_DAY,
        list(range(first_user, first_user + n_users)),
        np.arange(n_users + 1) * n_actions,
        rows.ravel(),
        times.ravel(),
        np.ones(total, np.float32),
        np.zeros(total, np.uint8),
        np.zeros(total, np.uint64),
        rng.integers(0, n_interests, total, dtype=np.int32),
        np.arange(n_users + 1) * n_interests,
        np.take_along_axis(rows, chosen, axis=1).ravel(),
        np.ascontiguousarray(importances).reshape(n_medoids),
        np.zeros(n_users + 1, np.int64),
        np.empty(0, np.int32),
        np.zeros(n_users, np.bool_),
    )

"""Batches of whole users, however the rows come."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.actions.cutting import cut_by_user


def rows_of(sizes: list[int], integers: bool, chunk: int) -> list[pa.RecordBatch]:
    users = [f"u{u:04d}" if not integers else u for u, size in enumerate(sizes) for _ in range(size)]
    n = len(users)
    whole = pa.table(
        {
            "user_id": pa.array(users, pa.int64() if integers else pa.string()),
            "item_row": pa.array(np.arange(n, dtype=np.int32)),
            "time_ms": pa.array(np.arange(n) + 10**12),
            "weight": pa.array(np.arange(n, dtype=np.float32) / 2),
            "kind": pa.array((np.arange(n) % 200).astype(np.uint8)),
            "event_key": pa.array(np.arange(n, dtype=np.uint64) + np.uint64(2**63)),
        }
    )
    batches: list[pa.RecordBatch] = whole.to_batches(max_chunksize=chunk)
    return batches


def greedy(sizes: list[int], max_actions: int) -> list[list[int]]:
    """The naive twin: put users in while they fit."""
    batches: list[list[int]] = []
    total = 0
    for user, size in enumerate(sizes):
        if not batches or total + size > max_actions:
            batches.append([])
            total = 0
        batches[-1].append(user)
        total += size
    return batches


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), max_size=40), st.integers(1, 20), st.integers(1, 30), st.booleans())
def test_cuts_like_the_naive_twin(sizes: list[int], max_actions: int, chunk: int, integers: bool) -> None:
    batches = list(cut_by_user(rows_of(sizes, integers, chunk), max_actions))
    name = int if integers else "u{:04d}".format
    assert [b.user_ids for b in batches] == [[name(u) for u in users] for users in greedy(sizes, max_actions)]
    for batch, users in zip(batches, greedy(sizes, max_actions), strict=True):
        assert np.diff(batch.offsets).tolist() == [sizes[u] for u in users]
        assert batch.offsets[0] == 0
    n = sum(sizes)
    if batches:
        assert np.concatenate([b.item_rows for b in batches]).tolist() == list(range(n))
        assert np.concatenate([b.times_ms for b in batches]).tolist() == [10**12 + i for i in range(n)]
        assert np.concatenate([b.weights for b in batches]).tolist() == [i / 2 for i in range(n)]
        assert np.concatenate([b.kinds for b in batches]).tolist() == [i % 200 for i in range(n)]
        assert np.concatenate([b.event_keys for b in batches]).tolist() == [2**63 + i for i in range(n)]
        b = batches[0]
        dtypes = [a.dtype.name for a in (b.item_rows, b.times_ms, b.weights, b.kinds, b.event_keys)]
        assert dtypes == ["int32", "int64", "float32", "uint8", "uint64"]

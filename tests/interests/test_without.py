"""A record without some interests: what leaves, what stays seen."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage._arrays import Int64s
from pinnersage.interests.record import UserRecord
from pinnersage.interests.without import without_interests

FIELDS = ("item_rows", "times_ms", "weights", "kinds", "event_keys", "labels")


def record_of(labels: list[int], seen: list[int]) -> UserRecord:
    n, n_interests = len(labels), max(labels, default=-1) + 1
    return UserRecord(
        99, np.arange(n, dtype=np.int32) * 2, np.arange(n) + 5, np.ones(n, np.float32),
        np.zeros(n, np.uint8), np.arange(n).astype(np.uint64), np.array(labels, np.int32),
        np.array([2 * labels.index(k) for k in range(n_interests)], np.int32),
        np.arange(n_interests, 0, -1).astype(np.float64), np.array(sorted(set(seen)), np.int32),
    )  # fmt: skip


@given(st.permutations([0, 1, 2, 3, -1, 0, 2, 2]), st.sets(st.integers(0, 3)), st.lists(st.integers(50, 60)))
@settings(max_examples=50)
def test_only_what_is_left_out_leaves(labels: list[int], left_out: set[int], seen: list[int]) -> None:
    record = record_of(labels, seen)
    out: Int64s = np.array(sorted(left_out), np.int64)
    found = without_interests(record, out)
    stays = [i for i, label in enumerate(labels) if label not in left_out]
    kept = [k for k in range(4) if k not in left_out]
    for name in FIELDS[:-1]:
        assert getattr(found, name).tolist() == getattr(record, name)[stays].tolist()
        assert getattr(found, name).dtype == getattr(record, name).dtype
    assert found.labels.tolist() == [kept.index(labels[i]) if labels[i] >= 0 else -1 for i in stays]
    assert found.medoid_rows.tolist() == record.medoid_rows[kept].tolist()
    assert found.importances.tolist() == record.importances[kept].tolist()
    everything = set(record.item_rows.tolist()) | set(record.seen_rows.tolist())
    assert set(found.item_rows.tolist()) | set(found.seen_rows.tolist()) == everything
    assert not set(found.item_rows.tolist()) & set(found.seen_rows.tolist())
    assert found.seen_rows.tolist() == sorted(found.seen_rows.tolist())
    assert (found.as_of_ms, found.n_interests) == (99, len(kept))


def test_nothing_left_out_changes_nothing() -> None:
    record = record_of([0, 1, -1, 1], [70])
    found = without_interests(record, np.empty(0, np.int64))
    for name in (*FIELDS, "medoid_rows", "importances", "seen_rows"):
        assert getattr(found, name).tobytes() == getattr(record, name).tobytes()

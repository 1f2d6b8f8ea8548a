"""A record moved to a later moment is the record a batch builds then."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.moving import record_at
from pinnersage.testing.records import same_record

one_action = st.tuples(st.integers(0, 9), st.integers(0, 30), st.sampled_from([0.0, 0.5, 1.0]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 30), st.sampled_from([0.0, 0.5, 1.0])),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([0, 1, MS_PER_DAY, 15 * MS_PER_DAY, 40 * MS_PER_DAY]),
    st.booleans(),
)
def test_moving_equals_building_later(
    actions: list[tuple[int, int, float]], later_ms: int, drop_singletons: bool
) -> None:
    embeddings = np.random.default_rng(3).normal(size=(10, 5)).astype(np.float32)
    config = InterestConfig(window_days=20.0, max_merge_cost=2.0, drop_singletons=drop_singletons)
    rows, days, weights = zip(*actions, strict=True)
    n = len(actions)
    batch = ActionBatch(
        ["u"], np.array([0, n], np.int64), np.array(rows, np.int32), np.array(days, np.int64) * MS_PER_DAY,
        np.array(weights, np.float32), np.zeros(n, np.uint8), np.zeros(n, np.uint64),
    )  # fmt: skip
    now_ms = max(days) * MS_PER_DAY
    record = build_records(batch, embeddings, config, now_ms).record(0)
    moved = record_at(record, now_ms + later_ms, embeddings, config)
    assert same_record(moved, build_records(batch, embeddings, config, now_ms + later_ms).record(0))

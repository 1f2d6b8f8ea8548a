"""Mode ``recent``: what a batch leaves, and what the newest actions add."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.streaming.worlds import START_MS, embeddings

from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.moving import record_at
from pinnersage.interests.record import UserRecord
from pinnersage.streaming.recent import united, without_window

CONFIG = InterestConfig(max_merge_cost=0.7)
Actions = list[tuple[int, float]]
actions = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from([0.0, 1.0, 2.5, 30.0])), min_size=1, max_size=20
)


def batch(chosen: Actions) -> ActionBatch:
    n = len(chosen)
    return ActionBatch(
        ["u"], np.array([0, n], np.int64), np.array([row for row, _ in chosen], np.int32),
        np.array([START_MS + round(day * MS_PER_DAY) for _, day in chosen], np.int64),
        np.ones(n, np.float32), np.zeros(n, np.uint8), np.zeros(n, np.uint64),
    )  # fmt: skip


def record(chosen: Actions, day: float) -> UserRecord:
    return build_records(batch(chosen), embeddings(), CONFIG, START_MS + round(day * MS_PER_DAY)).record(0)


@settings(max_examples=40, deadline=None)
@given(actions, st.sampled_from([0, 1, 20]))
def test_interests_without_a_window_decay_like_those_with_one(chosen: Actions, later_days: int) -> None:
    whole = record(chosen, 30.0)
    kept = without_window(whole, CONFIG.decay_per_day)
    now_ms = whole.as_of_ms + later_days * MS_PER_DAY
    moved = record_at(kept, now_ms, embeddings(), CONFIG)
    wanted = whole.importances * np.exp(-CONFIG.decay_per_day * later_days)
    assert np.allclose(moved.importances, wanted, rtol=1e-6)
    assert sorted(moved.medoid_rows) == sorted(whole.medoid_rows)
    assert kept.n_actions == whole.n_interests
    assert set(kept.item_rows) | set(kept.seen_rows) == set(whole.item_rows) | set(whole.seen_rows)


@settings(max_examples=60, deadline=None)
@given(actions, actions)
def test_uniting_keeps_every_importance_and_every_action(old: Actions, new: Actions) -> None:
    whole = record(old, 30.0)
    kept = without_window(whole, CONFIG.decay_per_day)
    later = [(row, 30.0 + day) for row, day in new]
    now_ms = START_MS + 60 * MS_PER_DAY
    found = united(kept, batch(later), embeddings(), CONFIG, now_ms)
    recent = build_records(batch(later), embeddings(), CONFIG, now_ms).record(0)
    decayed = whole.importances.sum() * np.exp(-CONFIG.decay_per_day * 30)
    assert np.isclose(found.importances.sum(), decayed + recent.importances.sum(), rtol=1e-6)
    assert found.n_actions == kept.n_actions + recent.n_actions
    assert np.all(np.diff(found.importances) <= 0)
    assert np.all(np.diff(found.times_ms) >= 0)
    for k in range(found.n_interests):
        own = found.labels == k
        ages = (now_ms - found.times_ms[own]) / MS_PER_DAY
        assert np.isclose(found.importances[k], (found.weights[own] * np.exp(-0.01 * ages)).sum(), rtol=1e-5)
        assert found.medoid_rows[k] in found.item_rows[own]


def test_an_action_on_a_known_medoid_joins_its_interest_and_a_far_one_is_new() -> None:
    vectors = np.eye(12, 4, dtype=np.float32)
    old = build_records(batch([(0, 0.0), (1, 0.0)]), vectors, CONFIG, START_MS).record(0)
    kept = without_window(old, CONFIG.decay_per_day)
    found = united(kept, batch([(0, 1.0), (2, 1.0)]), vectors, CONFIG, START_MS + MS_PER_DAY)
    assert sorted(found.medoid_rows) == [0, 1, 2]
    assert found.importances.tolist() == pytest.approx([1 + np.exp(-0.01), 1.0, np.exp(-0.01)])


def test_a_user_the_batch_did_not_know() -> None:
    found = united(None, batch([(3, 0.0)]), embeddings(), CONFIG, START_MS)
    assert found.medoid_rows.tolist() == [3]

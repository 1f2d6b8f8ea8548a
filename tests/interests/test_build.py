"""Records against the naive twin, and the invariants that batch and stream rest on."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.interests import naive, worlds

from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.build import _build, build_records
from pinnersage.interests.extend import extend_records, nothing_new
from pinnersage.interests.record import UserRecord

Users = list[list[tuple[int, int, int, float, int]]]
NOW_MS = worlds.NOW_MS


def same_bits(a: UserRecord, b: UserRecord) -> bool:
    return all(
        np.asarray(getattr(a, f.name)).tobytes() == np.asarray(getattr(b, f.name)).tobytes()
        for f in fields(UserRecord)
        if f.name != "untied"
    )


@settings(max_examples=150, deadline=None)
@given(
    found=worlds.users(st.one_of(worlds.actions, worlds.conflicting)),
    seed=st.integers(0, 99),
    limit=st.floats(0.01, 6),
    max_actions=st.integers(1, 12),
    decay=st.sampled_from([0.0, 0.01, 0.1]),
    drop=st.booleans(),
)
def test_a_record_is_the_naive_one(
    found: Users, seed: int, limit: float, max_actions: int, decay: float, drop: bool
) -> None:
    config = InterestConfig(
        max_merge_cost=limit, max_actions=max_actions, decay_per_day=decay, drop_singletons=drop
    )
    x = worlds.embeddings(seed)
    built = build_records(worlds.batch(found), x, config, NOW_MS)
    for u, (own, record) in enumerate(zip(found, built.records(), strict=True)):
        expected = naive.record(own, x, config, NOW_MS)
        assert same_bits(record, built.record(u))
        assert record.untied == built.record(u).untied
        assert record.as_of_ms == NOW_MS
        window = [
            (int(t), int(i), int(k), float(w), int(e))
            for t, i, k, w, e in zip(
                record.times_ms, record.item_rows, record.kinds, record.weights, record.event_keys,
                strict=True,
            )
        ]  # fmt: skip
        assert window == expected["window"]
        assert record.seen_rows.tolist() == expected["seen"]
        members = {tuple(m): (importance, medoid) for importance, medoid, m in expected["interests"]}
        for k in range(record.n_interests):
            importance, medoid = members.pop(tuple(np.flatnonzero(record.labels == k).tolist()))
            assert record.medoid_rows[k] == medoid
            assert record.importances[k] == pytest.approx(importance, rel=1e-12)
        assert not members
        assert (np.diff(record.importances) <= 0).all()


@settings(max_examples=60, deadline=None)
@given(found=worlds.users(), seed=st.integers(0, 99), shuffle=st.integers(0, 2**32 - 1))
def test_order_and_repeats_change_no_bit(found: Users, seed: int, shuffle: int) -> None:
    rng = np.random.default_rng(shuffle)
    x, config = worlds.embeddings(seed), InterestConfig()
    again = [[own[i] for i in rng.permutation(len(own))] * 2 for own in found]
    direct = build_records(worlds.batch(found), x, config, NOW_MS)
    shuffled = build_records(worlds.batch(again), x, config, NOW_MS)
    for u in range(len(found)):
        assert same_bits(direct.record(u), shuffled.record(u))


@settings(max_examples=60, deadline=None)
@given(found=worlds.users(), seed=st.integers(0, 99), data=st.data())
def test_batch_equals_stream(found: Users, seed: int, data: st.DataObject) -> None:
    """Actions that come one group after the other, at moving "now", end where one batch ends."""
    x, config = worlds.embeddings(seed), InterestConfig(max_actions=9)
    whole = build_records(worlds.batch(found), x, config, NOW_MS)
    for u, own in enumerate(found):
        arrived = data.draw(st.permutations(own))
        cut = data.draw(st.integers(0, len(own)))
        record, now_ms = None, NOW_MS - 20 * MS_PER_DAY
        for part in (arrived[:cut], arrived[cut:]):
            now_ms = max([now_ms, *(a[0] for a in part if a[0] <= NOW_MS)])
            known = [a for a in part if a[0] <= NOW_MS]
            record = extend_records([record], worlds.batch([known]), x, config, now_ms).record(0)
        record = extend_records([record], nothing_new(0), x, config, NOW_MS).record(0)
        assert same_bits(record, whole.record(u))


def test_users_do_not_touch_each_other() -> None:
    x, config = worlds.embeddings(1), InterestConfig()
    found = [[(NOW_MS - i, i, 0, 1.0, 0) for i in range(n)] for n in (5, 0, 9, 1)]
    together = build_records(worlds.batch(found), x, config, NOW_MS)
    for u, own in enumerate(found):
        alone = build_records(worlds.batch([own]), x, config, NOW_MS)
        assert same_bits(together.record(u), alone.record(0))


def test_embeddings_in_memory_and_on_disk_take_one_compilation() -> None:
    """A mapped file may not be written, an array may: a second compilation would take half a minute."""
    batch, embeddings = worlds.batch([[(NOW_MS, 1, 0, 1.0, 0)]]), worlds.embeddings(1)
    build_records(batch, embeddings, InterestConfig(), NOW_MS)
    kernel: Any = _build
    n_before = len(kernel.signatures)
    fixed = embeddings.copy()
    fixed.flags.writeable = False
    build_records(batch, fixed, InterestConfig(), NOW_MS)
    assert len(kernel.signatures) == n_before


@settings(max_examples=30, deadline=None)
@given(found=worlds.users(), seed=st.integers(0, 99))
def test_half_precision_is_read_exactly(found: Users, seed: int) -> None:
    half = worlds.embeddings(seed, dtype=np.float16)
    config = InterestConfig()
    a = build_records(worlds.batch(found), half, config, NOW_MS)
    b = build_records(worlds.batch(found), half.astype(np.float32), config, NOW_MS)
    assert all(same_bits(a.record(u), b.record(u)) for u in range(len(found)))


def test_the_window_is_open_at_its_old_end_and_closed_at_now() -> None:
    window_ms = 90 * MS_PER_DAY
    own = [(NOW_MS - window_ms, 0, 0, 1.0, 0), (NOW_MS - window_ms + 1, 1, 0, 1.0, 0),
           (NOW_MS, 2, 0, 1.0, 0), (NOW_MS + 1, 3, 0, 1.0, 0)]  # fmt: skip
    record = build_records(worlds.batch([own]), worlds.embeddings(0), InterestConfig(), NOW_MS).record(0)
    assert record.item_rows.tolist() == [1, 2]
    assert record.seen_rows.tolist() == [0]


def test_two_member_clusters_take_the_newer_item_then_the_smaller() -> None:
    x = np.array([[1.0, 0.0], [0.96, 0.28]], np.float32)
    config = InterestConfig(max_merge_cost=1.0)
    for newer in (0, 1):
        own = [(NOW_MS - 5, 1 - newer, 0, 1.0, 0), (NOW_MS, newer, 0, 1.0, 0)]
        assert build_records(worlds.batch([own]), x, config, NOW_MS).medoid_rows.tolist() == [newer]
    tied = [(NOW_MS, 1, 0, 1.0, 0), (NOW_MS, 0, 0, 1.0, 0)]
    assert build_records(worlds.batch([tied]), x, config, NOW_MS).medoid_rows.tolist() == [0]


def test_importance_halves_in_ln2_over_lambda_days() -> None:
    age_ms = round(np.log(2) / 0.01 * MS_PER_DAY)
    own = [(NOW_MS, 0, 0, 1.0, 0), (NOW_MS - age_ms, 0, 0, 2.0, 0)]
    record = build_records(worlds.batch([own]), worlds.embeddings(0), InterestConfig(), NOW_MS).record(0)
    assert record.importances.tolist() == pytest.approx([1.0 + 2.0 * 0.5], rel=1e-8)


def test_twenty_thousand_actions_stay_within_the_cap() -> None:
    """The newest ``max_actions`` count; the items of all others are only remembered as seen."""
    rng, n = np.random.default_rng(0), 20_000
    x = rng.standard_normal((n, 16)).astype(np.float32)
    own = [(NOW_MS - i, i, 0, 1.0, 0) for i in range(n)]
    record = build_records(worlds.batch([own]), x, InterestConfig(max_actions=1_500), NOW_MS).record(0)
    assert sorted(record.item_rows.tolist()) == list(range(1_500))
    assert record.seen_rows.tolist() == list(range(1_500, n))


def test_a_thousand_equal_actions_are_one() -> None:
    batch = worlds.batch([[(NOW_MS, 3, 0, 1.0, 0)] * 1_000])
    built = build_records(batch, worlds.embeddings(0), InterestConfig(), NOW_MS)
    assert built.n_repeats == 999
    assert built.record(0).importances.tolist() == [1.0]


def test_a_thousand_events_on_one_item_are_a_thousand_actions() -> None:
    own = [(NOW_MS, 3, 0, 1.0, 1 + i) for i in range(1_000)]
    built = build_records(worlds.batch([own]), worlds.embeddings(0), InterestConfig(), NOW_MS)
    assert built.record(0).n_actions == 1_000
    assert built.importances.tolist() == [1_000.0]


def test_what_is_left_out_is_counted() -> None:
    day = MS_PER_DAY
    own = [(NOW_MS, 0, 0, 1.0, 0), (NOW_MS, 0, 0, 1.0, 0), (NOW_MS - 91 * day, 1, 0, 1.0, 0),
           (NOW_MS + 1, 2, 0, 1.0, 0)]  # fmt: skip
    built = build_records(worlds.batch([own]), worlds.embeddings(0), InterestConfig(), NOW_MS)
    assert (len(built.item_rows), built.n_outside, built.n_repeats) == (1, 1, 1)

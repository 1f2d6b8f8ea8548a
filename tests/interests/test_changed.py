"""Clusters of which most are known: always those of clustering everything, also where costs tie."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.interests import naive, worlds
from tests.interests.keeping import keeping
from tests.interests.test_build import same_bits
from tests.interests.test_ward import between_heights, blobs

from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.changed import labels_with_known, whole_clusters
from pinnersage.interests.clustering import buffer_size, cluster_points
from pinnersage.interests.extend import extend_records, nothing_new

__all__ = ["keeping"]

NOW_MS = worlds.NOW_MS
Array = npt.NDArray[Any]


def all_anew(x: Array, rows: Array, counts: Array, limit: float) -> tuple[Array, bool]:
    buffer = np.empty(buffer_size(len(rows), x.shape[1]), np.float32)
    labels, untied = cluster_points(x, rows, counts, limit, None, buffer)
    return labels, untied


def known_after(
    labels: Array, rows: Array, counts: Array, new_rows: Array, new_counts: Array
) -> npt.NDArray[np.int32]:
    """Return the cluster each point is known to be in: no point of it came, went or counts otherwise."""
    before = dict(zip(rows.tolist(), zip(labels.tolist(), counts.tolist(), strict=True), strict=True))
    after = dict(zip(new_rows.tolist(), new_counts.tolist(), strict=True))
    broken = {label for row, (label, n) in before.items() if after.get(row) != n}
    return np.array(
        [before[r][0] if r in before and before[r][0] not in broken else -1 for r in new_rows.tolist()],
        np.int32,
    )


def changed_user(rng: np.random.Generator, n: int, n_changes: int) -> tuple[Array, Array, Array, Array]:
    """Draw the items of a user and how often each, before and after some actions came and went."""
    counts = rng.integers(0, 4, n) * (rng.random(n) < 0.8)
    after = counts.copy()
    for i in rng.integers(0, n, n_changes):
        after[i] = max(0, after[i] + rng.integers(-1, 2))
    rows, new_rows = np.flatnonzero(counts), np.flatnonzero(after)
    return rows, counts[rows].astype(np.float64), new_rows, after[new_rows].astype(np.float64)


def check(x: Array, limit: float, seed: int, n_changes: int) -> bool:
    """Compare; return whether known clusters were of use."""
    rows, counts, new_rows, new_counts = changed_user(np.random.default_rng(seed), len(x), n_changes)
    if not len(rows) or not len(new_rows):
        return False
    x = x.copy()
    x.flags.writeable = False
    labels, untied = all_anew(x, rows, counts, limit)
    expected, _ = all_anew(x, new_rows, new_counts, limit)
    if not untied:
        return False
    known = known_after(labels, rows, counts, new_rows, new_counts)
    if (known < 0).all():
        return False
    found, of_use = labels_with_known(x, new_rows, new_counts, known, limit, 10 * len(new_rows))
    if of_use:
        assert found.tolist() == expected.tolist()
    return bool(of_use)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 70),
    d=st.integers(1, 40),
    spread=st.floats(0.05, 3),
    quantile=st.floats(0, 1),
    n_changes=st.integers(0, 6),
)
def test_what_an_action_does_not_touch_stays(
    seed: int, n: int, d: int, spread: float, quantile: float, n_changes: int
) -> None:
    x = blobs(seed, n, d, spread, d > 1)
    check(x, between_heights(x, quantile), seed, n_changes)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 40),
    d=st.integers(1, 4),
    side=st.integers(2, 6),
    limit=st.sampled_from([0.0, 0.5, 1.0, 4 / 3, 2.0, 3.0, 4.0, 9.0]),
    n_changes=st.integers(0, 4),
)
def test_where_costs_tie_nothing_known_is_trusted(
    seed: int, n: int, d: int, side: int, limit: float, n_changes: int
) -> None:
    """Points of a grid: equal points, equal costs, costs equal to the limit."""
    x = np.random.default_rng(seed).integers(0, side, (n, d)).astype(np.float32)
    check(x, limit, seed, n_changes)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 30),
    d=st.integers(1, 4),
    limit=st.sampled_from([0.0, 0.5, 1.0, 4 / 3, 2.0, 3.0, 4.0]),
)
def test_what_was_kept_may_be_kept_again_and_again(seed: int, n: int, d: int, limit: float) -> None:
    """Where two merges tie, which of them is made hangs on the order: that must never be kept as known."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (n, d)).astype(np.float32)
    x.flags.writeable = False
    all_counts = rng.integers(1, 3, n)
    rows, counts = np.arange(n), all_counts.astype(np.float64)
    labels, untied = all_anew(x, rows, counts, limit)
    for i in rng.integers(0, n, 15):
        all_counts[i] = max(0, all_counts[i] + rng.integers(-1, 2))
        new_rows = np.flatnonzero(all_counts)
        if not len(new_rows):
            break
        new_counts = all_counts[new_rows].astype(np.float64)
        expected, new_untied = all_anew(x, new_rows, new_counts, limit)
        known = known_after(labels, rows, counts, new_rows, new_counts)
        if untied and (known >= 0).any():
            found, of_use = labels_with_known(x, new_rows, new_counts, known, limit, 10 * len(new_rows))
            new_untied = new_untied or of_use
            assert not of_use or found.tolist() == expected.tolist()
        rows, counts, labels, untied = new_rows, new_counts, expected, new_untied


@pytest.mark.parametrize(("spread", "quantile"), [(0.3, 0.9), (0.7, 0.9), (1.0, 0.5), (2.0, 0.7)])
def test_large_users_keep_what_is_known(spread: float, quantile: float) -> None:
    x = blobs(7, 600, 64, spread)
    limit = between_heights(x, quantile)
    assert sum(check(x, limit, seed, 1) for seed in range(12)) >= 6


def test_a_new_point_between_two_clusters_joins_both() -> None:
    """Two pairs at 0.0 and 3.0 do not merge at 4.5: 2 * 2 * 2 / 4 * 9 = 18. With 1.5 between them they do not
    either, but 1.5 joins one of them (2 * 2 / 3 * 2.25 = 3), so its cluster has to be made anew."""
    x = np.array([[0.0], [0.0], [3.0], [3.0], [1.6], [40.0], [41.0]], np.float32)
    rows, counts = np.arange(7), np.ones(7)
    known = np.array([0, 0, 1, 1, -1, 2, 2], np.int32)
    labels, found = labels_with_known(x, rows, counts, known, 4.5, 70)
    assert found
    assert naive.same_partition(labels, naive.labels_of(naive.ward(x, 4.5), 7))
    assert labels.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert not labels_with_known(x, rows, counts, known, 4.5, 2)[1]


def test_a_cluster_that_gained_or_lost_an_action_is_not_whole() -> None:
    before = np.array([0, 0, 1, 1, 2, 2, 3, -1], np.int32)
    in_window = np.array([0, 0, 1, 2, 2, -1, 3, -1, -1], np.int32)  # One of 1 left, one of 2's items got one.
    point_of = np.array([0, 1, 2, 3, 4, 4, 5, 6, 7])
    assert whole_clusters(before, in_window, point_of, 8).tolist() == [0, 0, -1, -1, -1, 3, -1, -1]


def test_an_action_that_came_before_the_known_ones_on_its_item_breaks_the_cluster_too() -> None:
    before, in_window = np.array([0, 0], np.int32), np.array([-1, 0, 0], np.int32)
    assert whole_clusters(before, in_window, np.array([0, 0, 1]), 2).tolist() == [-1, -1]


@pytest.mark.parametrize("drop_singletons", [False, True])
@settings(max_examples=80, deadline=None)
@given(
    found=worlds.users(),
    seed=st.integers(0, 99),
    limit=st.floats(0.05, 2.5) | st.sampled_from([0.5, 1.0, 2.0]),
    grid=st.booleans(),
    data=st.data(),
)
def test_records_grow_as_a_batch_builds_them(
    drop_singletons: bool,
    found: list[list[worlds.Action]],
    seed: int,
    limit: float,
    grid: bool,
    data: st.DataObject,
) -> None:
    """One action after the other, then time passes; on a grid costs tie."""
    config = InterestConfig(max_merge_cost=limit, max_actions=9, drop_singletons=drop_singletons)
    x = worlds.embeddings(seed)
    if grid:
        x = np.random.default_rng(seed).integers(0, 3, (worlds.N_ITEMS, 2)).astype(np.float32)
    for own in found:
        arrived = [a for a in data.draw(st.permutations(own)) if a[0] <= NOW_MS]
        record, now_ms = None, NOW_MS - 100 * MS_PER_DAY
        for i, action in enumerate(arrived):
            now_ms = max(now_ms, action[0])
            record = extend_records([record], worlds.batch([[action]]), x, config, now_ms).record(0)
            whole = build_records(worlds.batch([arrived[: i + 1]]), x, config, now_ms).record(0)
            assert same_bits(record, whole)
        later = extend_records([record], nothing_new(0), x, config, NOW_MS).record(0)
        assert same_bits(later, build_records(worlds.batch([arrived]), x, config, NOW_MS).record(0))


def test_a_tie_is_decided_again_when_an_action_far_from_it_leaves_the_window() -> None:
    """On a line 2 is as far from 1 as from 3. Which it joins hangs on where the chain begins, at one of three
    zeros or, once the oldest zero is gone, at 3: clusters of before must not be trusted."""
    x = np.array([[0.0], [3.0], [2.0], [0.0], [0.0], [1.0]], np.float32)
    ages_days = [89, 1, 1, 1, 1, 1]
    own = [(NOW_MS - days * MS_PER_DAY, row, 0, 1.0, 0) for row, days in enumerate(ages_days)]
    config, later_ms = InterestConfig(max_merge_cost=2.0), NOW_MS + 2 * MS_PER_DAY
    record = build_records(worlds.batch([own]), x, config, NOW_MS).record(0)
    assert not record.untied
    whole = build_records(worlds.batch([own[1:]]), x, config, later_ms).record(0)
    moved = extend_records([record], nothing_new(0), x, config, later_ms).record(0)
    assert whole.labels[0] == whole.labels[1] != whole.labels[4]
    assert record.labels[1] != record.labels[2] == record.labels[5]
    assert moved.labels.tolist() == whole.labels.tolist()

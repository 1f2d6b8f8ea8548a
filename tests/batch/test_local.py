"""The local batch: equal records at any number of threads and in any order of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pinnersage.actions.staging import stage_actions
from pinnersage.batch.local import BatchCounts, build_users
from pinnersage.config import MS_PER_DAY, ImportConfig, InterestConfig
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.store.codec import encode_record
from pinnersage.store.memory import MemoryStore

NOW_MS = 1_700_000_000_000
N_USERS, N_ITEMS = 120, 300


def table(seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    n = 6_000
    return pa.table(
        {
            "user_id": [f"u{u}" for u in rng.integers(0, N_USERS, n)],
            "item_id": [f"i{i:04d}" for i in rng.integers(0, N_ITEMS, n)],
            "timestamp": NOW_MS - rng.integers(0, 120, n) * MS_PER_DAY,
            "action": [("click", "save")[k] for k in rng.integers(0, 2, n)],
        }
    )


def built(
    actions: pa.Table, work_dir: Path, *, n_threads: int, per_batch: int
) -> tuple[dict[str | int, bytes], BatchCounts]:
    vocabulary = ItemVocabulary.from_ids([f"i{i:04d}" for i in range(N_ITEMS)])
    x = np.random.default_rng(0).standard_normal((N_ITEMS, 16)).astype(np.float32)
    imports, store = ImportConfig(time_unit="ms"), MemoryStore()
    with stage_actions(
        actions, vocabulary, imports, now_ms=None, wall_clock_ms=NOW_MS, work_dir=work_dir,
        n_threads=n_threads,
    ) as log:  # fmt: skip
        counts = build_users(
            log, x, InterestConfig(max_merge_cost=20), NOW_MS, store,
            n_threads=n_threads, max_actions_per_batch=per_batch,
        )  # fmt: skip
    records = {}
    for user_id in store.user_ids():
        record = store.get(user_id)
        assert record is not None
        records[user_id] = encode_record(record)
    return records, counts


@pytest.mark.parametrize(("n_threads", "per_batch"), [(1, 50), (2, 1_000), (4, 100_000)])
def test_threads_and_batches_change_no_bit(tmp_path: Path, n_threads: int, per_batch: int) -> None:
    actions = table(1)
    expected, counts = built(actions, tmp_path, n_threads=1, per_batch=200_000)
    order = np.random.default_rng(2).permutation(actions.num_rows)
    found, again = built(actions.take(order), tmp_path, n_threads=n_threads, per_batch=per_batch)
    assert found == expected
    assert again == counts


def test_every_row_is_counted_once(tmp_path: Path) -> None:
    actions = table(3)
    twice = pa.concat_tables([actions, actions])
    _, counts = built(twice, tmp_path, n_threads=2, per_batch=500)
    distinct = len(set(zip(*(c.to_pylist() for c in actions.columns), strict=True)))
    assert counts.n_actions + counts.n_actions_outside == distinct
    assert counts.n_repeats == twice.num_rows - distinct
    assert counts.n_users == N_USERS

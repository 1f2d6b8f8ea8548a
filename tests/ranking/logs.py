"""Small logs for the tests of ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage.config import MS_PER_DAY

NEVER_MS = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Log:
    offsets: Int64s
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s
    born_ms: Int64s

    def as_of(self, ms: int) -> Log:
        return self  # no event id comes twice


def log_of(actions: list[tuple[int, int, int]], n_users: int, n_items: int) -> Log:
    """Make a log of ``(user, item row, time in ms)``."""
    ordered = sorted(actions, key=lambda a: (a[0], a[2], a[1]))
    users, rows, times = (np.array([a[i] for a in ordered], np.int64) for i in range(3))
    born = np.full(n_items, NEVER_MS, np.int64)
    np.minimum.at(born, rows, times)
    return Log(
        np.searchsorted(users, np.arange(n_users + 1)).astype(np.int64),
        rows.astype(np.int32),
        times,
        np.ones(len(rows), np.float32),
        np.zeros(len(rows), np.uint8),
        np.zeros(len(rows), np.uint64),
        born,
    )


def random_log(seed: int, *, n_users: int = 60, n_items: int = 80, n_days: int = 60) -> tuple[Log, Float32s]:
    """Make users of two tastes: half of the items each, the first of them popular. Also embeddings."""
    rng = np.random.default_rng(seed)
    actions = []
    for user in range(n_users):
        for day in range(n_days):
            if rng.random() < 0.5:
                within = int((n_items // 2) * rng.random() ** 2)
                row = within + (user % 2) * (n_items // 2)
                actions.append((user, row, day * MS_PER_DAY + int(rng.integers(MS_PER_DAY))))
    vectors = rng.normal(size=(n_items, 8))
    vectors[: n_items // 2, 0] += 3
    vectors[n_items // 2 :, 1] += 3
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return log_of(actions, n_users, n_items), vectors.astype(np.float32)

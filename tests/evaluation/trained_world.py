"""A small log of users of two tastes, for the tests of trained arms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.replay import NEVER_MS, Day, ReplayLog

Action = tuple[int, int, int]
"""User, item row, day."""


def log_of(actions: Iterable[Action], n_users: int, n_items: int) -> ReplayLog:
    """Make a log; an item is born with its first action."""
    ordered = sorted(set(actions), key=lambda a: (a[0], a[2], a[1]))
    users, rows, days = (np.array([a[i] for a in ordered], np.int64) for i in range(3))
    n = len(ordered)
    born = np.full(n_items, NEVER_MS, np.int64)
    np.minimum.at(born, rows, days * MS_PER_DAY)
    return ReplayLog(
        list(range(n_users)),
        np.searchsorted(users, np.arange(n_users + 1)).astype(np.int64),
        rows.astype(np.int32),
        days * MS_PER_DAY,
        np.ones(n, np.float32),
        np.zeros(n, np.uint8),
        np.zeros(n, np.uint64),
        np.ones((n_items, 2), np.float32),
        born,
        np.ones(n_items, np.bool_),
    )


def two_tastes(seed: int = 0, *, n_users: int = 40, n_items: int = 30, n_days: int = 40) -> list[Action]:
    """Users act on three items a day on every third day, of the half of the items that is theirs."""
    rng = np.random.default_rng(seed)
    half = n_items // 2
    return [
        (user, int(row) + (user % 2) * half, day)
        for user in range(n_users)
        for day in range(user % 3, n_days, 3)
        for row in rng.choice(half, 3, replace=False)
    ]


def day_at(log: ReplayLog, number: int, users: Iterable[int]) -> Day:
    """Make a day that some users ask on, without targets."""
    asking = np.array(sorted(users), np.int32)
    pool = log.available & (log.born_ms < number * MS_PER_DAY)
    empty = np.empty(0, np.int32)
    return Day(
        number * MS_PER_DAY, asking, np.zeros(len(asking) + 1, np.int64), empty, empty.astype(bool), pool
    )


def without_item(log: ReplayLog, row: int) -> ReplayLog:
    """Return the log with an item that is not available."""
    available = log.available.copy()
    available[row] = False
    return replace(log, available=available)

"""The model that benchmarks of the service serve: items of 256 dimensions, users with twelve interests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common import DAY_MS, NOW_MS, unit_vectors, write_items
from pinnersage.streaming.events import NewAction

DIM, N_CENTERS, N_INTERESTS = 256, 400, 12
KINDS = ("click", "save")


def draw(n: int, n_users: int, n_items: int, times_ms: Any, seed: int) -> list[NewAction]:
    """Return actions of users who each have twelve interests, on items around those."""
    rng = np.random.default_rng(seed)
    users = rng.permutation(np.arange(n) % n_users)
    centers = np.random.default_rng(0).integers(0, N_CENTERS, (n_users, N_INTERESTS))
    rows = centers[users, rng.integers(0, N_INTERESTS, n)]
    rows = rows + N_CENTERS * rng.integers(0, n_items // N_CENTERS, n)
    kinds = rng.integers(0, len(KINDS), n)
    columns = zip(users.tolist(), rows.tolist(), times_ms.tolist(), kinds.tolist(), strict=True)
    return [
        NewAction(f"u{user}", f"i{row}", time_ms, KINDS[kind], event_id=f"{seed}-{number}")
        for number, (user, row, time_ms, kind) in enumerate(columns)
    ]


def action_table(actions: list[NewAction]) -> pa.Table:
    """Return actions as a build reads them."""
    return pa.table(
        {
            "user_id": [a.user_id for a in actions],
            "item_id": [a.item_id for a in actions],
            "timestamp": pa.array([a.time_ms for a in actions], pa.timestamp("ms", "UTC")),
            "action": [a.kind for a in actions],
            "event_id": [a.event_id for a in actions],
        }
    )


def write_tables(folder: Path, n_users: int, n_actions: int, n_items: int) -> tuple[Path, Path]:
    """Write items, and a log in which every user has ``n_actions`` in the window; return both paths."""
    items, actions = folder / "items.parquet", folder / "actions.parquet"
    write_items(items, unit_vectors(n_items, DIM, N_CENTERS, 1.0, seed=1))
    ages = np.random.default_rng(2).integers(0, 80 * DAY_MS, n_users * n_actions)
    pq.write_table(action_table(draw(len(ages), n_users, n_items, NOW_MS - ages, seed=3)), actions)
    return items, actions

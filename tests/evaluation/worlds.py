"""Small logs: written out by hand, or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pinnersage._arrays import Float32s
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import ItemVocabulary

DAY = MS_PER_DAY
Action = tuple[str, int, int]
"""User, item row, time in milliseconds."""


def unit(rows: npt.NDArray[Any]) -> Float32s:
    scaled: Float32s = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def table_of(embeddings: Float32s, **attributes: Sequence[object]) -> ItemTable:
    n = len(embeddings)
    columns = dict(attributes) or {"title": [f"item {i}" for i in range(n)]}
    return ItemTable(
        embeddings, ItemVocabulary.from_ids(list(range(n))), pa.table(columns), np.ones(n, np.bool_)
    )


def batch_of(actions: Sequence[Action]) -> ActionBatch:
    users = sorted({user for user, _, _ in actions})
    ordered = [a for user in users for a in actions if a[0] == user]
    lengths = [sum(a[0] == user for a in actions) for user in users]
    n = len(ordered)
    return ActionBatch(
        users,
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        np.array([row for _, row, _ in ordered], np.int32),
        np.array([ms for _, _, ms in ordered], np.int64),
        np.ones(n, np.float32),
        np.zeros(n, np.uint8),
        np.zeros(n, np.uint64),
    )


def log_of(actions: Sequence[Action], embeddings: Float32s, **attributes: Sequence[object]) -> ReplayLog:
    return ReplayLog.from_batch(batch_of(actions), table_of(embeddings, **attributes))


def drawn_actions(seed: int, *, n_users: int = 12, n_items: int = 60, n: int = 600) -> list[Action]:
    """Users u00.. act on items of their own two corners of the catalogue, over 60 days."""
    rng = np.random.default_rng(seed)
    actions = []
    for _ in range(n):
        user = int(rng.integers(n_users))
        corner = (user + int(rng.integers(2)) * 3) % 6
        row = int(rng.integers(n_items // 6)) * 6 + corner
        actions.append((f"u{user:02d}", row, int(rng.integers(60 * DAY))))
    return actions


def drawn_embeddings(seed: int, n_items: int = 60, dim: int = 12) -> Float32s:
    rng = np.random.default_rng(seed)
    corners = rng.standard_normal((6, dim))
    return unit(corners[np.arange(n_items) % 6] + 0.4 * rng.standard_normal((n_items, dim)))


def with_categories(log: ReplayLog) -> ReplayLog:
    return replace(log, categories=(np.arange(log.n_items) % 6).astype(np.int32))

"""A batch of actions as the set it stands for: canonical order inside each user, none twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pinnersage._arrays import Int64s
from pinnersage._kernel import kernel
from pinnersage.actions.batch import ActionBatch
from pinnersage.interests.canonical import Columns, canonical_order

_ALWAYS = np.iinfo(np.int64).max


@kernel
def _orders(columns: Columns, offsets: Int64s, now_ms: int, out: Int64s) -> Int64s:
    """Write the positions that stay, user after user; return where each user's end."""
    ends = np.zeros(offsets.shape[0], np.int64)
    for u in range(offsets.shape[0] - 1):
        order = canonical_order(columns, offsets[u], offsets[u + 1], now_ms)
        ends[u + 1] = ends[u] + order.shape[0]
        out[ends[u] : ends[u + 1]] = order
    return ends


def unique_actions(actions: ActionBatch) -> ActionBatch:
    """Return the same users with their different actions only, in canonical order."""
    columns = Columns(actions.item_rows, actions.times_ms, actions.weights, actions.kinds, actions.event_keys)
    kept = np.empty(len(actions.item_rows), np.int64)
    offsets = _orders(columns, actions.offsets, _ALWAYS, kept)
    kept = kept[: offsets[-1]]
    return ActionBatch(
        actions.user_ids,
        offsets,
        actions.item_rows[kept],
        actions.times_ms[kept],
        actions.weights[kept],
        actions.kinds[kept],
        actions.event_keys[kept],
    )


def joined(batches: Iterable[ActionBatch]) -> ActionBatch:
    """Return the users of all batches, one after another, as one batch."""
    parts = list(batches)
    ids: Any = [user_id for part in parts for user_id in part.user_ids]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return ActionBatch(
        ids,
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        np.concatenate([part.item_rows for part in parts]),
        np.concatenate([part.times_ms for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.event_keys for part in parts]),
    )

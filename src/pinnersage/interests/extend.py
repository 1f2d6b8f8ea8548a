"""New actions on top of records: the same answer as one batch over old and new together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Int32s
from pinnersage._ids import UserId
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.canonical import Columns
from pinnersage.interests.record import RecordBatch, UserRecord, offsets_of

_columns_of = attrgetter(*Columns._fields)


def extend_records(
    records: Sequence[UserRecord | None],
    actions: ActionBatch,
    embeddings: npt.NDArray[Any],
    config: InterestConfig,
    now_ms: int,
) -> RecordBatch:
    """Return the records that a batch over the old and the new actions together would build.

    Parameters
    ----------
    records
        The record of each user of ``actions``, ``None`` for a new one. Where it is ``untied``, its labels
        are of these embeddings and settings, and -1 for all actions of a cluster that lost one since.
    actions
        New actions; repeats of old ones change nothing.
    embeddings, config, now_ms
        As in :func:`build_records`; ``now_ms`` not before any record's ``as_of_ms``.
    """
    parts: list[tuple[npt.NDArray[Any], ...]] = []
    labels, n_actions = [], []
    new_columns, unknown = _columns_of(actions), _unknown(len(actions.item_rows))
    for record, (begin, end) in zip(records, pairwise(actions.offsets.tolist()), strict=True):
        n_actions.append(end - begin)
        if record is not None:
            parts.append(_columns_of(record))
            labels.append(record.labels if record.untied else _unknown(record.n_actions))
            n_actions[-1] += record.n_actions
        parts.append(tuple(column[begin:end] for column in new_columns))
        labels.append(unknown[begin:end])
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    together = ActionBatch(actions.user_ids, offsets_of(n_actions), *columns)
    seen = [record.seen_rows if record else np.empty(0, np.int32) for record in records]
    seen_offsets = offsets_of([len(rows) for rows in seen])
    return build_records(
        together, embeddings, config, now_ms,
        seen=(seen_offsets, np.concatenate(seen)), labels=np.concatenate(labels),
    )  # fmt: skip


def nothing_new(user_id: UserId) -> ActionBatch:
    """Return a batch of one user without an action: extending by it only moves "now"."""
    return ActionBatch(
        [user_id],  # type: ignore[arg-type]
        np.zeros(2, np.int64),
        np.empty(0, np.int32),
        np.empty(0, np.int64),
        np.empty(0, np.float32),
        np.empty(0, np.uint8),
        np.empty(0, np.uint64),
    )


def _unknown(n_actions: int) -> Int32s:
    return np.full(n_actions, -1, np.int32)

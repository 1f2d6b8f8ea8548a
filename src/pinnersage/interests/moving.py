"""A record at a later moment: the same clusters, decayed further, as long as no action leaves the window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.config import InterestConfig
from pinnersage.interests.canonical import Columns
from pinnersage.interests.extend import extend_records, nothing_new
from pinnersage.interests.record import UserRecord
from pinnersage.interests.user import decayed_sums, ranking


@kernel
def _moved(
    window: Columns, labels: Int32s, medoid_rows: Int32s, decay_per_day: float, now_ms: int
) -> tuple[Int32s, Int32s, Float64s]:
    """Return labels, medoid rows and importances at ``now_ms``."""
    n = medoid_rows.shape[0]
    importances = decayed_sums(window, labels, n, decay_per_day, now_ms)
    newest_ms = np.zeros(n, np.int64)
    for i in range(labels.shape[0]):
        if labels[i] >= 0:
            newest_ms[labels[i]] = max(newest_ms[labels[i]], window.times_ms[i])
    order: Int64s = ranking(importances, newest_ms, medoid_rows)
    rank = np.full(n + 1, -1, np.int32)
    rank[order] = np.arange(n)
    return rank[labels], medoid_rows[order], importances[order]


def record_at(
    record: UserRecord, now_ms: int, embeddings: npt.NDArray[Any], config: InterestConfig
) -> UserRecord:
    """Return the record that a batch over the same actions would build at ``now_ms``.

    Clusters and medoids do not depend on the moment, but on which actions are in the window: only
    when one leaves it is the user clustered again.

    Parameters
    ----------
    record
        As of any earlier moment.
    now_ms
        Not before ``record.as_of_ms``.
    embeddings, config
        As in :func:`~pinnersage.interests.build.build_records`.
    """
    if record.as_of_ms == now_ms:
        return record
    if record.n_actions and record.times_ms[0] <= now_ms - config.window_ms:
        return extend_records([record], nothing_new(0), embeddings, config, now_ms).record(0)
    if not record.n_interests:
        return replace(record, as_of_ms=now_ms)
    labels, medoid_rows, importances = _moved(
        Columns(record.item_rows, record.times_ms, record.weights, record.kinds, record.event_keys),
        record.labels, record.medoid_rows, config.decay_per_day, now_ms,
    )  # fmt: skip
    return replace(record, as_of_ms=now_ms, labels=labels, medoid_rows=medoid_rows, importances=importances)

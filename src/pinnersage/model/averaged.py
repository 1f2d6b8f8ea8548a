"""A user as one averaged vector, and how near items are to what it averages away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Int32s
from pinnersage.interests.history import history_of
from pinnersage.interests.record import UserRecord
from pinnersage.model.opened import OpenedGeneration
from pinnersage.retrieval.draw import seen_rows


def nearest_to_mean(opened: OpenedGeneration, record: UserRecord, k: int) -> tuple[Int32s, Float32s]:
    """Return rows and scores of the unseen items nearest to the mean of a user's items, decayed alike."""
    history = history_of(record, opened.config.interests.decay_per_day)
    if not len(history.rows):
        return np.empty(0, np.int32), np.empty(0, np.float32)
    mean = history.shares @ np.asarray(opened.items.embeddings[history.rows], np.float32)
    mean /= max(float(np.linalg.norm(mean)), 1e-30)
    allowed = opened.items.pool.copy()
    allowed[seen_rows(record)] = False
    scores, rows = opened.index.search(mean[None].astype(np.float32), k, allowed=allowed)
    return rows[0][rows[0] >= 0], scores[0][rows[0] >= 0]


def medoid_cosines(
    record: UserRecord, rows: Sequence[int], embeddings: npt.NDArray[Any]
) -> list[list[float]]:
    """Return the cosine of each item with each medoid of a record, ``(len(rows), n_interests)``.

    Parameters
    ----------
    embeddings
        ``(n_rows, dim)``, unit length.
    """
    items = np.asarray(embeddings[np.asarray(rows, np.int64)], np.float32)
    medoids = np.asarray(embeddings[record.medoid_rows], np.float32)
    cosines: list[list[float]] = (items @ medoids.T).astype(np.float64).tolist()
    return cosines

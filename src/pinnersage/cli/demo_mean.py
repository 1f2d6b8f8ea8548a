"""What one averaged vector per user would recommend: the comparison the demo draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.config import MS_PER_DAY
from pinnersage.interests.record import UserRecord


def decayed_mean(record: UserRecord, embeddings: npt.NDArray[Any], decay_per_day: float) -> Float32s:
    """Return the average of a user's actions, each weighed as it is in an importance.

    Parameters
    ----------
    record
        The user's actions in the window, at least one.
    embeddings
        float ``(n_items, dim)``.
    decay_per_day
        Rate of the weights.

    Returns
    -------
    float32 ``(dim,)``, unit length; all zeros when the actions cancel out.
    """
    ages_days = (record.as_of_ms - record.times_ms) / MS_PER_DAY
    weights = record.weights * np.exp(-decay_per_day * ages_days)
    total = weights @ embeddings[record.item_rows].astype(np.float64)
    length = float(np.linalg.norm(total))
    mean: Float32s = (total / length if length > 0 else total).astype(np.float32)
    return mean


def nearest_unseen(
    query: Float32s, embeddings: npt.NDArray[Any], allowed: Bools, k: int, near_duplicate_cosine: float
) -> Int32s:
    """Return the rows of the ``k`` allowed items nearest to ``query``, no two of them near-duplicates."""
    scores = np.where(allowed, embeddings @ query, -np.inf)
    taken: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if len(taken) == k or scores[row] == -np.inf:
            break
        if not taken or (embeddings[taken] @ embeddings[row]).max() < near_duplicate_cosine:
            taken.append(int(row))
    return np.array(taken, np.int32)


def unseen(record: UserRecord, n_items: int) -> Bools:
    """Return which of ``n_items`` items the user never acted on."""
    allowed = np.ones(n_items, np.bool_)
    allowed[record.item_rows] = False
    allowed[record.seen_rows] = False
    return allowed

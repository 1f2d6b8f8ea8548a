"""How near items are to a user's interests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage.interests.record import UserRecord


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

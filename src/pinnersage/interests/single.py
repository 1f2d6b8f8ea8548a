"""Interests of one user from plain arrays, for those who bring neither a catalogue nor a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Int64s
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import InterestConfig, validated
from pinnersage.errors import UsageError
from pinnersage.interests.build import build_records
from pinnersage.interests.record import UserRecord


@dataclass(frozen=True, slots=True)
class Interest:
    """One interest; numbers in ``medoid`` and ``members`` are rows of the arrays that were given.

    Attributes
    ----------
    medoid
        The action whose item stands for the interest.
    importance, share
        Decayed sum of the members' weights, and its part of all interests' sum.
    members
        int64 ``(n_actions,)``, oldest action first.
    newest_ms, oldest_ms
        Times of the newest and the oldest member, milliseconds since 1970 in UTC.
    """

    medoid: int
    importance: float
    share: float
    members: Int64s
    newest_ms: int
    oldest_ms: int

    @property
    def n_actions(self) -> int:
        """Number of members."""
        return len(self.members)


def build_interests(
    embeddings: npt.ArrayLike,
    times_ms: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    item_ids: npt.ArrayLike | None = None,
    now_ms: int | None = None,
    config: InterestConfig | None = None,
    **settings: Any,
) -> list[Interest]:
    """Turn one user's actions into interests, most important first.

    Parameters
    ----------
    embeddings
        ``(n_actions, d)`` embedding of the item of each action, used as it is.
    times_ms
        ``(n_actions,)`` integer milliseconds since 1970 in UTC.
    weights
        ``(n_actions,)``, finite and >= 0; 1 each by default.
    item_ids
        ``(n_actions,)`` strings or integers; they break the ties between equally good medoids. By
        default the position in the arrays does.
    now_ms
        The window ends here; later actions are left out. Default: the newest action.
    config, **settings
        An :class:`~pinnersage.config.InterestConfig`, or its fields by name.

    Returns
    -------
    interests
        Actions outside the window are in none.

    Raises
    ------
    UsageError
        When shapes do not match, a value is not finite, not an integer where one is needed, or negative, or
        a setting is unknown or out of range.

    Examples
    --------
    >>> day = 86_400_000
    >>> found = build_interests([[1, 0], [0, 1], [1, 0.1]], [0, day, 2 * day], max_merge_cost=0.5)
    >>> [(i.medoid, i.n_actions) for i in found]
    [(2, 2), (1, 1)]

    Source: KDD 2020 paper, Algorithm 2.
    """
    config = validated(InterestConfig, (config or InterestConfig()).model_dump() | settings)
    points, times, loads = _checked(embeddings, times_ms, weights)
    if len(points) == 0:
        return []
    ids = np.arange(len(points)) if item_ids is None else np.asarray(item_ids)
    if ids.shape != times.shape:
        raise UsageError(f"item_ids: expected shape {times.shape}, got {ids.shape}")
    _, first, rows = np.unique(ids, return_index=True, return_inverse=True)
    one_each = np.arange(1, len(points) + 1).astype(np.uint64)
    actions = ActionBatch(
        [0], np.array([0, len(points)]), rows.astype(np.int32), times, loads,
        np.zeros(len(points), np.uint8), one_each,
    )  # fmt: skip
    now = int(times.max()) if now_ms is None else now_ms
    return _interests_of(build_records(actions, points[first], config, now).record(0))


def _checked(
    embeddings: npt.ArrayLike, times_ms: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.float32], Int64s, npt.NDArray[np.float32]]:
    points = np.ascontiguousarray(embeddings, dtype=np.float32)
    times = _milliseconds(times_ms)
    loads = np.ones(len(times), np.float32) if weights is None else np.asarray(weights, np.float32)
    if points.ndim != 2:
        raise UsageError(f"embeddings: expected shape (n_actions, d), got {points.shape}")
    if times.shape != (len(points),) or loads.shape != times.shape:
        raise UsageError(
            f"times_ms and weights: expected one value for each of {len(points)} actions, "
            f"got shapes {times.shape} and {loads.shape}"
        )
    if not np.isfinite(points).all():
        raise UsageError("embeddings: expected finite numbers, found NaN or infinity; drop those rows")
    if not (np.isfinite(loads) & (loads >= 0)).all():
        raise UsageError("weights: expected finite numbers >= 0")
    return points, times, loads


def _milliseconds(times_ms: npt.ArrayLike) -> Int64s:
    given = np.asarray(times_ms)
    is_whole = given.dtype.kind in "iu" or (given.dtype.kind == "f" and bool((given % 1 == 0).all()))
    if not is_whole:
        raise UsageError(
            f"times_ms: expected integer milliseconds since 1970, got {given.dtype} {given!r:.80}"
        )
    return np.ascontiguousarray(given, dtype=np.int64)


def _interests_of(record: UserRecord) -> list[Interest]:
    positions = record.event_keys.astype(np.int64) - 1
    total = float(record.importances.sum()) or 1.0
    interests = []
    for k in range(record.n_interests):
        own = np.flatnonzero(record.labels == k)
        medoid = own[record.item_rows[own] == record.medoid_rows[k]][-1]
        importance = float(record.importances[k])
        newest, oldest = int(record.times_ms[own[-1]]), int(record.times_ms[own[0]])
        interests.append(
            Interest(int(positions[medoid]), importance, importance / total, positions[own], newest, oldest)
        )
    return interests

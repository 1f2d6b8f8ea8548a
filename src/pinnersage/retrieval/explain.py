"""What stands behind one item for one user: the interest, its actions, and how near others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s, Int64s
from pinnersage.config import MS_PER_DAY, Representative, RetrievalConfig
from pinnersage.errors import ItemNotFoundError
from pinnersage.interests.record import UserRecord
from pinnersage.retrieval import draw
from pinnersage.retrieval._merge import COSINE_SLACK
from pinnersage.retrieval._scores import as_float32, as_matrix, order_keys, score_rows
from pinnersage.retrieval.exact import BLOCK_ROWS

LIST_LENGTH = 100
"""Of the list that is explained; what `recommend` gives by default."""


@dataclass(frozen=True, slots=True)
class ActionBehind:
    """One of the user's actions behind an item.

    Attributes
    ----------
    item_row, time_ms, kind, weight
        The action as logged.
    similarity
        Cosine of its item to the item explained.
    decayed_weight
        What it counts at the record's ``as_of_ms``.
    contribution
        ``similarity * decayed_weight``.
    """

    item_row: int
    time_ms: int
    kind: int
    weight: float
    similarity: float
    decayed_weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What stands behind one item for one user.

    Attributes
    ----------
    row
        The item.
    interests, similarities
        All the user's interests by cosine to the item, nearest first: int32 positions, float32.
    interest
        The one that speaks for the item; -1 without any that may be asked.
    actions
        That interest's actions, largest contribution first.
    seen, available
        Whether the user acted on it, and whether it is in the pool.
    near_duplicate_of
        An item the user acted on that is a near-duplicate of it, or None. Reported only: a list holds
        no two near-duplicates, but may hold one of something seen.
    rank
        Its place, from 1, among the available unseen items nearest to ``interest``; 0 without one.
    n_offered
        How many of these the interest may offer.
    """

    row: int
    interests: Int32s
    similarities: Float32s
    interest: int
    actions: tuple[ActionBehind, ...]
    seen: bool
    available: bool
    near_duplicate_of: int | None
    rank: int
    n_offered: int


def explain(
    record: UserRecord,
    row: int,
    embeddings: npt.NDArray[Any],
    pool: Bools,
    config: RetrievalConfig,
    shares: Int64s,
    *,
    decay_per_day: float,
    representative: Representative = "medoid",
    interest: int | None = None,
) -> Explanation:
    """Explain one item for one user; exact, looks at the whole pool.

    Parameters
    ----------
    embeddings
        float32 or float16 ``(n_rows, dim)``, unit length.
    pool
        bool ``(n_rows,)``: items that may be recommended.
    shares
        int64 ``(n_asked,)``: how many items each interest may offer, the most important first.
    decay_per_day
        As the record was built with.
    interest
        Position of the interest that a list names for the item. Without one it is the nearest of those
        that may offer it, or, where none may, the nearest that may be asked.

    Raises
    ------
    ItemNotFoundError
        ``row`` is not a row of the matrix.
    """
    if not 0 <= row < len(embeddings):
        raise ItemNotFoundError(f"expected an item row from 0 to {len(embeddings) - 1}, got {row}")
    everyone = np.arange(record.n_interests)
    queries = draw.query_vectors(record, everyone, embeddings, representative)
    similarities = _cosines(queries, embeddings, np.array([row], np.int32))[:, 0]
    seen = np.unique(draw.seen_rows(record))
    others = pool.copy()
    if config.exclude_seen:
        others[seen] = False
    places = _Places(row, embeddings, np.flatnonzero(others).astype(np.int32))
    if interest is None:
        interest = _offering(queries, similarities, shares, places)
    order = np.argsort(-similarities, kind="stable").astype(np.int32)
    return Explanation(
        row=row,
        interests=order,
        similarities=similarities[order],
        interest=interest,
        actions=_actions_behind(record, row, embeddings, interest, decay_per_day),
        seen=bool(np.isin(row, seen)),
        available=bool(pool[row]),
        near_duplicate_of=near_duplicate(row, seen, embeddings, config.near_duplicate_cosine),
        rank=places.of(queries[interest]) if interest >= 0 else 0,
        n_offered=int(shares[interest]) if 0 <= interest < len(shares) else 0,
    )


def near_duplicate(row: int, rows: Int32s, embeddings: npt.NDArray[Any], cosine: float) -> int | None:
    """Return the nearest of other items if it is a near-duplicate of one; None if none is."""
    others = rows[rows != row]
    if not len(others):
        return None
    item = as_float32(embeddings, np.array([row], np.int32))
    vectors = as_float32(embeddings, others)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(item)
    cosines = (vectors @ item[0]) / np.where(lengths > 0, lengths, 1)
    best = int(cosines.argmax())
    return int(others[best]) if cosines[best] >= cosine - COSINE_SLACK else None


class _Places:
    """An item's place among others by score, of equal ones the smaller row first."""

    def __init__(self, row: int, embeddings: npt.NDArray[Any], others: Int32s) -> None:
        self._item, self._embeddings, self._others = np.array([row], np.int32), embeddings, others

    def of(self, query: Float32s) -> int:
        """Return the place, from 1."""
        return self._n_before(query, len(self._others)) + 1

    def is_within(self, query: Float32s, n: int) -> bool:
        """Tell whether the item is among the first ``n``; what is far behind is found out soon."""
        return self._n_before(query, n) < n

    def _n_before(self, query: Float32s, enough: int) -> int:
        """Return how many are before the item; when there are ``enough``, not all are counted."""
        queries, item = query[None], self._item
        own = order_keys(_cosines(queries, self._embeddings, item), item[None])[0, 0]
        n_before = 0
        for start in range(0, len(self._others), BLOCK_ROWS):
            block = self._others[start : start + BLOCK_ROWS]
            keys = order_keys(_cosines(queries, self._embeddings, block), block[None])
            n_before += int((keys > own).sum())
            if n_before >= enough:
                break
        return n_before


def _offering(queries: Float32s, similarities: Float32s, shares: Int64s, places: _Places) -> int:
    nearest_first = np.argsort(-similarities[: len(shares)], kind="stable").tolist()
    offer = (i for i in nearest_first if places.is_within(queries[i], int(shares[i])))
    return next(offer, nearest_first[0] if nearest_first else -1)


def _cosines(queries: Float32s, embeddings: npt.NDArray[Any], rows: Int32s) -> Float32s:
    """Return the published score of each query and row, float32 ``(n_queries, n_rows)``."""
    scores = np.empty((len(queries), len(rows)), np.float32)
    score_rows(queries, as_matrix(embeddings), np.tile(rows, (len(queries), 1)), scores)
    return scores


def _actions_behind(
    record: UserRecord, row: int, embeddings: npt.NDArray[Any], interest: int, decay_per_day: float
) -> tuple[ActionBehind, ...]:
    members = np.flatnonzero(record.labels == interest) if interest >= 0 else np.empty(0, np.int64)
    item = as_float32(embeddings, np.array([row], np.int32))
    similarities = _cosines(item, embeddings, record.item_rows[members].astype(np.int32))[0].astype(
        np.float64
    )
    ages_days = (record.as_of_ms - record.times_ms[members]) / MS_PER_DAY
    decayed: Float64s = record.weights[members].astype(np.float64) * np.exp(-decay_per_day * ages_days)
    contributions = similarities * decayed
    order = np.argsort(-contributions, kind="stable")
    return tuple(
        ActionBehind(
            item_row=int(record.item_rows[members[i]]),
            time_ms=int(record.times_ms[members[i]]),
            kind=int(record.kinds[members[i]]),
            weight=float(record.weights[members[i]]),
            similarity=float(similarities[i]),
            decayed_weight=float(decayed[i]),
            contribution=float(contributions[i]),
        )
        for i in order.tolist()
    )

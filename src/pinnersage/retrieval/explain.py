"""Why an item would be recommended to a user, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s
from pinnersage.config import MS_PER_DAY, Representative, RetrievalConfig
from pinnersage.errors import ItemNotFoundError
from pinnersage.interests.record import UserRecord
from pinnersage.retrieval import draw
from pinnersage.retrieval._merge import COSINE_SLACK
from pinnersage.retrieval._scores import as_float32, as_matrix, order_keys, score_rows
from pinnersage.retrieval.exact import BLOCK_ROWS


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
        The nearest of the interests that may be asked; -1 without any.
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
        How many of these the interest offers within the budget.
    reasons
        Why it would not be among the candidates: of ``no_interests``, ``seen``, ``unavailable``,
        ``too_far``.
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
    reasons: tuple[str, ...]


def explain(
    record: UserRecord,
    row: int,
    embeddings: npt.NDArray[Any],
    pool: Bools,
    config: RetrievalConfig,
    *,
    decay_per_day: float,
    representative: Representative = "medoid",
    k: int = 100,
) -> Explanation:
    """Explain one item for one user; exact, looks at the whole pool.

    Parameters
    ----------
    embeddings
        float32 or float16 ``(n_rows, dim)``, unit length.
    pool
        bool ``(n_rows,)``: items that may be recommended.
    decay_per_day
        As the record was built with.
    k
        Length of the list in question; a list longer than the budget raises it.

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
    shares = _shares(record, config, k)
    interest = int(similarities[: len(shares)].argmax()) if len(shares) else -1
    seen = np.unique(draw.seen_rows(record))
    is_seen, available = bool(np.isin(row, seen)), bool(pool[row])
    n_offered = int(shares[interest]) if interest >= 0 else 0
    rank = (
        _rank(queries[interest : interest + 1], row, embeddings, pool, seen, config) if interest >= 0 else 0
    )
    order = np.argsort(-similarities, kind="stable").astype(np.int32)
    return Explanation(
        row=row,
        interests=order,
        similarities=similarities[order],
        interest=interest,
        actions=_actions_behind(record, row, embeddings, interest, decay_per_day),
        seen=is_seen,
        available=available,
        near_duplicate_of=_near_duplicate(row, seen, embeddings, config.near_duplicate_cosine),
        rank=rank,
        n_offered=n_offered,
        reasons=_reasons(interest, is_seen and config.exclude_seen, available, rank > n_offered),
    )


def _reasons(interest: int, left_out_as_seen: bool, available: bool, too_far: bool) -> tuple[str, ...]:
    flags = {
        "no_interests": interest < 0,
        "seen": left_out_as_seen,
        "unavailable": not available,
        "too_far": too_far,
    }
    return tuple(name for name, holds in flags.items() if holds)


def _shares(record: UserRecord, config: RetrievalConfig, k: int) -> Any:
    """Return the share of each interest that may be asked (when it is, for the sampled path)."""
    budget = max(config.candidate_budget, k)
    if config.mode == "budgeted":
        return draw.proportional_shares(record.importances[: config.n_budgeted_interests], budget)
    n_asked = min(config.n_interests, record.n_interests)
    return np.repeat(draw.equal_shares(n_asked, budget)[:1], record.n_interests)


def _cosines(queries: Float32s, embeddings: npt.NDArray[Any], rows: Int32s) -> Float32s:
    """Return the published score of each query and row, float32 ``(n_queries, n_rows)``."""
    scores = np.empty((len(queries), len(rows)), np.float32)
    score_rows(queries, as_matrix(embeddings), np.tile(rows, (len(queries), 1)), scores)
    return scores


def _rank(
    query: Float32s,
    row: int,
    embeddings: npt.NDArray[Any],
    pool: Bools,
    seen: Int32s,
    config: RetrievalConfig,
) -> int:
    """Return the item's place among the available unseen items by score, smaller row first."""
    may = pool.copy()
    if config.exclude_seen:
        may[seen] = False
    others = np.flatnonzero(may).astype(np.int32)
    item = np.array([row], np.int32)
    own = order_keys(_cosines(query, embeddings, item), item[None])[0, 0]
    n_before = 0
    for start in range(0, len(others), BLOCK_ROWS):
        block = others[start : start + BLOCK_ROWS]
        n_before += int((order_keys(_cosines(query, embeddings, block), block[None]) > own).sum())
    return n_before + 1


def _near_duplicate(row: int, seen: Int32s, embeddings: npt.NDArray[Any], cosine: float) -> int | None:
    others = seen[seen != row]
    if not len(others):
        return None
    item = as_float32(embeddings, np.array([row], np.int32))
    vectors = as_float32(embeddings, others)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(item)
    cosines = (vectors @ item[0]) / np.where(lengths > 0, lengths, 1)
    best = int(cosines.argmax())
    return int(others[best]) if cosines[best] >= cosine - COSINE_SLACK else None


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

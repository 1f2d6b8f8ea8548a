"""What the ranker sees of a candidate: named columns, from what was known at one moment."""

from __future__ import annotations

from typing import Any

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage._kernel import kernel, vector_kernel
from pinnersage.config import MS_PER_DAY
from pinnersage.interests.history import History
from pinnersage.interests.record import UserRecord
from pinnersage.ranking.moment import ITEM_COLUMNS, UNKNOWN, Moment, UserView
from pinnersage.retrieval._merge import are_in, make_set
from pinnersage.retrieval._scores import as_float32, order_keys, products, rows_of_keys

FEATURES = (
    # similarity to the user's interests
    "best_cosine", "best_cosine_rank", "interest_share", "rank_in_interest", "weighted_cosine",
    "sharp_cosine", "mean_cosine", "mean_cosine_rank", "newest_cosine",
    # popularity and age of the item
    "in_7_days", "in_30_days", "in_90_days", "ever", "decayed", "popularity_rank",
    "popularity_in_interest", "trend_7_days", "trend_30_days", "actions_per_user", "age_days", "idle_days",
    # common users
    "regression", "regression_rank", "common_users", "common_users_rank",
    "shrunk_regression", "shrunk_regression_rank",
    # the user's own history
    "category_share", "own_count", "own_idle_days", "own_gap_days", "own_due",
    # the user
    "user_n_items", "user_n_interests", "user_recent_share", "user_popularity", "user_new_share",
    # similarity to all the user's actions
    "affinity_4", "affinity_4_rank", "affinity_12", "affinity_12_rank",
)  # fmt: skip
N_FEATURES = len(FEATURES)
OF_EMBEDDINGS = tuple(
    name for name in FEATURES
    if "cosine" in name or "affinity" in name or "interest" in name
)  # fmt: skip
"""Those that are read off embeddings."""
OF_ONE_VECTOR = ("mean_cosine", "mean_cosine_rank")
"""Of these, those that need no more of a user than the mean of their actions."""
_N_NEWEST = 10
_LONG_AGO_DAYS = 1_000.0
"""What stands for the idle days of an item that the user acted on before the window: no record tells."""
_OF_ITEM = [FEATURES.index(name) for name in ITEM_COLUMNS]
_RANKED = np.array([0, 6, 13, 21, 23, 25, 37, 39])
"""Columns whose ranks stand in the column behind."""


def features_of(user: UserView, rows: Int32s, moment: Moment) -> Float32s:
    """Return the features of a user's candidates, float32 ``(n_candidates, N_FEATURES)``.

    Parameters
    ----------
    user
        As ``moment`` sees them.
    rows
        Candidates from any source; the ranks among the features are ranks among these.
    moment
        What was known of items.
    """
    record, history = user.record, user.history
    out = np.zeros((len(rows), N_FEATURES), np.float32)
    if not len(rows):
        return out
    n, newest = len(history.rows), record.item_rows[-_N_NEWEST:]
    interests, more = _places_among(history.rows, record.medoid_rows)
    interests[interests >= n] += 2  # behind the two means
    own = as_float32(moment.embeddings, np.concatenate((history.rows, newest, more)))
    means = (_unit_sum(own[:n], history.weights), _unit_sum(own[n : n + len(newest)], None))
    cosines = products(np.concatenate((own[:n], means, own[n + len(newest) :])), moment.matrix, rows)
    out[:, 6], out[:, 8] = cosines[:, n], cosines[:, n + 1]
    shares = record.importances / max(float(record.importances.sum()), 1e-12)
    _fill_similarities(np.take(cosines, interests, axis=1), shares, moment.popularity[rows], out)
    out[:, _OF_ITEM] = moment.item_columns[rows]
    columns = moment.links.columns_of(rows)
    for place, scores in zip((21, 25, 23), user.links, strict=True):
        out[:, place] = scores[columns]
    out[:, 27:32] = _own_columns(record, history, rows, moment)
    out[:, 32:37] = _user_columns(record, history, moment)
    out[:, 37], out[:, 39] = _affinities(cosines[:, :n], history.weights)
    out[:, _RANKED + 1] = _log_ranks(out[:, _RANKED].T).T
    return out


def _places_among(known: Int32s, rows: Int32s) -> tuple[Int64s, Int32s]:
    """Return where each row stands among ``known``, ascending, with those that are not there behind it.

    Returns
    -------
    The places, and the rows behind: a medoid is one of the user's items, unless no window is kept.
    """
    places = np.searchsorted(known, rows)
    missing = np.append(known, -1)[places] != rows
    places[missing] = len(known) + np.arange(np.count_nonzero(missing))
    return places, rows[missing]


def _affinities(cosines: Float32s, weights: Float32s) -> tuple[Float32s, Float32s]:
    """Return logarithms of the density of actions around each candidate, at sharpness 4 and 12.

    See :mod:`pinnersage.retrieval.balance`.
    """
    shares = weights / np.float32(max(float(weights.sum()), 1e-12))
    gentle = np.exp(np.float32(4) * (cosines - np.float32(1)))
    densities = _densities(gentle, shares) + np.float32(1e-12)
    return np.log(densities[0]), np.log(densities[1])


@vector_kernel
def _densities(gentle: Float32s, shares: Float32s) -> Float32s:
    """Return the weighted sums of each row, and of its cubes."""
    out = np.empty((2, gentle.shape[0]), np.float32)
    for c in range(gentle.shape[0]):
        total = cubes = np.float32(0)
        for i in range(gentle.shape[1]):
            once = gentle[c, i]
            total += shares[i] * once
            cubes += shares[i] * (once * once * once)
        out[0, c], out[1, c] = total, cubes
    return out


@kernel
def _fill_similarities(cosines: Float32s, shares: Any, popularity: Float32s, out: Float32s) -> None:
    """Fill columns 0, 2-5 and 15 from the cosines of candidates to interests."""
    n, m = cosines.shape
    best = np.zeros(n, np.int64)
    sums, counts = np.zeros(m), np.zeros(m)
    for c in range(n):
        weighted, sharp = 0.0, 0.0
        for i in range(m):
            cosine = cosines[c, i]
            if cosine > cosines[c, best[c]]:
                best[c] = i
            weighted += shares[i] * cosine
            squared = max(cosine, 0.0) ** 2
            sharp += shares[i] * squared * squared * squared * squared
        if m > 0:
            out[c, 0], out[c, 2] = cosines[c, best[c]], shares[best[c]]
            sums[best[c]] += popularity[c]
            counts[best[c]] += 1
        out[c, 4], out[c, 5] = weighted, sharp
    if m > 0:
        order = np.argsort(-out[:, 0].astype(np.float64), kind="mergesort")
        placed = np.zeros(m)
        for c in order:
            out[c, 3] = np.log1p(placed[best[c]])
            placed[best[c]] += 1
            out[c, 15] = popularity[c] - sums[best[c]] / counts[best[c]]


def _unit_sum(vectors: Float32s, weights: Float32s | None) -> Float32s:
    total: Float32s = (vectors if weights is None else vectors * weights[:, None]).sum(axis=0)
    return total / np.float32(max(float(np.linalg.norm(total)), 1e-12))


def _own_columns(record: UserRecord, history: History, rows: Int32s, moment: Moment) -> Float32s:
    out = np.full((len(rows), 5), UNKNOWN, np.float32)
    out[:, 0] = _category_shares(history, rows, moment.categories)
    out[:, 1] = 0.0
    out[are_in(rows, make_set(record.seen_rows.astype(np.int32), 1)), 2] = _LONG_AGO_DAYS
    if not len(history.rows):
        return out
    at = np.minimum(np.searchsorted(history.rows, rows), len(history.rows) - 1)
    own = history.rows[at] == rows
    at = at[own]
    idle_days = (record.as_of_ms - history.last_ms[at]) / MS_PER_DAY
    gap_days = (history.last_ms - history.first_ms)[at] / MS_PER_DAY / np.maximum(history.counts[at] - 1, 1)
    often = history.counts[at] > 1
    out[own, 1], out[own, 2] = history.counts[at], idle_days
    out[own, 3] = np.where(often, gap_days, UNKNOWN)
    out[own, 4] = np.where(often, idle_days / np.maximum(gap_days, 0.5), UNKNOWN)
    return out


def _category_shares(history: History, rows: Int32s, categories: Int32s | None) -> Float32s:
    if categories is None or not len(history.rows):
        return np.full(len(rows), UNKNOWN, np.float32)
    weights = np.bincount(categories[history.rows] + 1, history.weights, int(categories.max()) + 2)
    weights[0] = 0.0
    return (weights[categories[rows] + 1] / max(float(history.weights.sum()), 1e-12)).astype(np.float32)


def _user_columns(record: UserRecord, history: History, moment: Moment) -> Float32s:
    n = max(1, record.n_actions)
    recent = np.count_nonzero(record.times_ms > record.as_of_ms - 7 * MS_PER_DAY)
    popularity = moment.popularity[history.rows].mean() if len(history.rows) else 0.0
    values = (np.log1p(len(history.rows)), record.n_interests, recent / n, popularity, len(history.rows) / n)
    return np.array(values, np.float32)


def _log_ranks(values: Float32s) -> Float32s:
    """Return ``log(1 + rank)`` within each row, the largest first; of equal ones the first."""
    places = np.arange(values.shape[1], dtype=np.int32)
    keys = np.sort(order_keys(values, np.broadcast_to(places, values.shape)), axis=1)[:, ::-1]
    ranks = np.empty(values.shape, np.float32)
    logarithms = np.broadcast_to(np.log1p(places.astype(np.float32)), values.shape)
    np.put_along_axis(ranks, rows_of_keys(keys), logarithms, axis=1)
    return ranks

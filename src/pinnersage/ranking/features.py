"""What the ranker sees of a candidate: named columns, from what was known at one moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Int32s
from pinnersage._kernel import kernel
from pinnersage.config import MS_PER_DAY
from pinnersage.interests.history import History, history_of
from pinnersage.interests.record import UserRecord
from pinnersage.ranking.moment import Moment

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
_N_NEWEST = 10
UNKNOWN = -1.0  # in columns that are never negative


def features_of(record: UserRecord, rows: Int32s, moment: Moment) -> Float32s:
    """Return the features of a user's candidates, float32 ``(n_candidates, N_FEATURES)``.

    Parameters
    ----------
    record
        The user as of ``moment``.
    rows
        Candidates from any source; the ranks among the features are ranks among these.
    moment
        What was known of items.
    """
    history = history_of(record, moment.decay_per_day)
    out = np.zeros((len(rows), N_FEATURES), np.float32)
    if not len(rows):
        return out
    vectors, medoids = _vectors(moment, rows), _vectors(moment, record.medoid_rows)
    shares = record.importances / max(float(record.importances.sum()), 1e-12)
    _fill_similarities(vectors @ medoids.T, shares, moment.popularity[rows], out)
    out[:, 6] = vectors @ _unit_sum(moment.embeddings, history.rows, history.weights)
    newest = record.item_rows[-_N_NEWEST:]
    out[:, 8] = vectors @ _unit_sum(moment.embeddings, newest, np.ones(len(newest), np.float32))
    out[:, 9:21] = _item_columns(rows, moment, out[:, 15])
    once, links = np.minimum(history.counts, 1), moment.links
    out[:, 21] = links.regression.scores(history.rows, once)[rows]
    out[:, 23] = links.cosine.scores(history.rows, history.weights)[rows]
    out[:, 25] = links.shrunk_regression.scores(history.rows, once)[rows]
    out[:, 27:32] = _own_columns(record, history, rows, moment)
    out[:, 32:37] = _user_columns(record, history, moment)
    out[:, 37], out[:, 39] = _affinities(vectors @ _vectors(moment, history.rows).T, history.weights)
    for rank, value in ((1, 0), (7, 6), (14, 13), (22, 21), (24, 23), (26, 25), (38, 37), (40, 39)):
        out[:, rank] = _log_ranks(out[:, value])
    return out


def _vectors(moment: Moment, rows: Int32s) -> Float32s:
    return np.asarray(moment.embeddings[rows], np.float32)


def _affinities(cosines: Float32s, weights: Float32s) -> tuple[Float32s, Float32s]:
    """Return logarithms of the density of actions around each candidate, at sharpness 4 and 12.

    See :mod:`pinnersage.retrieval.balance`.
    """
    shares = weights / np.float32(max(float(weights.sum()), 1e-12))
    gentle = np.exp(np.float32(4) * (cosines - np.float32(1)))
    least = np.float32(1e-12)
    return np.log(gentle @ shares + least), np.log((gentle * gentle * gentle) @ shares + least)


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


def _unit_sum(embeddings: npt.NDArray[Any], rows: Int32s, weights: Float32s) -> Float32s:
    total: Float32s = weights @ np.asarray(embeddings[rows], np.float32)
    return total / np.float32(max(float(np.linalg.norm(total)), 1e-12))


def _item_columns(rows: Int32s, moment: Moment, in_interest: Float32s) -> Float32s:
    items = moment.statistics
    week, month, quarter = (np.log1p(x[rows]) for x in (items.in_7_days, items.in_30_days, items.in_90_days))
    columns = (
        week,
        month,
        quarter,
        np.log1p(items.ever[rows]),
        moment.popularity[rows],
        np.zeros(len(rows), np.float32),
        in_interest,
        np.log1p(items.in_7_days[rows] * np.float32(30 / 7)) - month,
        np.log1p(items.in_30_days[rows] * np.float32(3)) - quarter,
        quarter - np.log1p(items.n_users_90_days[rows]),
        np.nan_to_num(items.age_days[rows], nan=UNKNOWN),
        np.nan_to_num(items.idle_days[rows], nan=UNKNOWN),
    )
    return np.stack(columns, axis=1)


def _own_columns(record: UserRecord, history: History, rows: Int32s, moment: Moment) -> Float32s:
    out = np.full((len(rows), 5), UNKNOWN, np.float32)
    out[:, 0] = _category_shares(history, rows, moment.categories)
    out[:, 1] = 0.0
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
    ranks = np.empty(len(values), np.float32)
    ranks[np.argsort(-values, kind="stable")] = np.log1p(np.arange(len(values), dtype=np.float32))
    return ranks

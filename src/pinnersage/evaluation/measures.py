"""The metrics of one day's lists, added to each user's sums.

Every metric is a sum over a user's days divided by another (numerator, denominator):

================  ==============================================  ===========================
metric            numerator of a user's day                       denominator
================  ==============================================  ===========================
relevance         targets at the set cosine to any item listed    targets
recall            targets listed                                  targets
ndcg              DCG / best DCG the budget allows                1
r_precision       targets among the k best of targets and         k = number of targets
                  impressions
reciprocal_rank   sum of 1 / rank among targets and impressions   targets
diversity         1 - mean cosine of the pairs of the list        1 (lists of two and more)
novelty           mean of -log2((n_users + 1) / (all users + 1))  1 (lists that are not empty)
calibration       divergence of the list's shares from the        1 (lists that are not empty)
                  user's importances; 0 is calibrated
================  ==============================================  ===========================

Calibration gives each listed item to the nearest of the user's medoids; the divergence is
``sum p log(p / (0.99 q + 0.01 p))`` (Steck, "Calibrated recommendations", RecSys 2018).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.retrieval._scores import Matrix, dot

METRICS = (
    "relevance",
    "recall",
    "ndcg",
    "r_precision",
    "reciprocal_rank",
    "diversity",
    "novelty",
    "calibration",
)
SLICES = ("first_time", "repeat", "all")
FIRST_TIME, REPEAT, ALL = 0, 1, 2
_SMOOTHING = 0.01


class Targets(NamedTuple):
    """Of user ``u`` of the day: place in the sums, targets, and which of them are first-time."""

    places: Int32s
    offsets: Int64s
    rows: Int32s
    first_time: Bools


class Taste(NamedTuple):
    """What lists are compared with.

    ``novelty`` float32 ``(n_items,)``; of user ``u`` medoids and shares ``offsets[u]:offsets[u + 1]``.
    """

    novelty: Float32s
    offsets: Int64s
    medoid_rows: Int32s
    shares: Float64s


class Cosines(NamedTuple):
    """Unit embeddings, and all their products (or ``(0, 0)`` when those take too much room)."""

    matrix: Matrix
    table: Float32s


@kernel
def cosine(cosines: Cosines, i: int, j: int) -> float:
    """Return the cosine of two items."""
    if cosines.table.shape[0] > 0:
        return float(cosines.table[i, j])
    return float(dot(cosines.matrix[i], cosines.matrix[j]))


@kernel
def wanted(first_time: bool, part: int) -> bool:
    """Tell whether a target belongs to a slice."""
    return part == ALL or first_time == (part == FIRST_TIME)


@kernel
def _met(cosines: Cosines, target: int, listed: Int32s, least: float) -> bool:
    """Tell whether any listed item is near enough; the slack is what float32 sums differ by."""
    for row in listed:  # noqa: SIM110 (a kernel)
        if row == target or cosine(cosines, target, row) >= least - 1e-6:
            return True
    return False


@kernel
def _best_gain(n: int) -> float:
    gain = 0.0
    for k in range(n):
        gain += 1.0 / np.log2(k + 2.0)
    return gain


@kernel
def _diversity(matrix: Matrix, listed: Int32s) -> float:
    total = np.zeros(matrix.shape[1], np.float64)
    own = 0.0
    for row in listed:
        for j in range(matrix.shape[1]):
            total[j] += matrix[row, j]
            own += float(matrix[row, j]) * float(matrix[row, j])
    n = listed.shape[0]
    return float(1.0 - ((total * total).sum() - own) / (n * (n - 1.0)))


@kernel
def _divergence(cosines: Cosines, listed: Int32s, medoids: Int32s, shares: Float64s) -> float:
    counts = np.zeros(medoids.shape[0], np.float64)
    best, nearest = np.full(listed.shape[0], -np.inf), np.zeros(listed.shape[0], np.int64)
    for m in range(medoids.shape[0]):
        for k in range(listed.shape[0]):
            near = cosine(cosines, medoids[m], listed[k])
            if near > best[k]:
                best[k], nearest[k] = near, m
    for k in range(listed.shape[0]):
        counts[nearest[k]] += 1.0 / listed.shape[0]
    total = 0.0
    for m in range(medoids.shape[0]):
        if shares[m] > 0:
            smoothed = (1 - _SMOOTHING) * counts[m] + _SMOOTHING * shares[m]
            total += shares[m] * np.log(shares[m] / smoothed)
    return total


@kernel
def _of_list(cosines: Cosines, listed: Int32s, taste: Taste, u: int) -> Float64s:
    """Return numerators and denominators of diversity, novelty and calibration, ``(3, 2)``."""
    out = np.zeros((3, 2), np.float64)
    if listed.shape[0] >= 2:
        out[0, 0], out[0, 1] = _diversity(cosines.matrix, listed), 1.0
    if listed.shape[0] >= 1:
        for row in listed:
            out[1, 0] += taste.novelty[row] / listed.shape[0]
        out[1, 1] = 1.0
        own = slice(taste.offsets[u], taste.offsets[u + 1])
        if taste.offsets[u + 1] > taste.offsets[u]:
            out[2, 0] = _divergence(cosines, listed, taste.medoid_rows[own], taste.shares[own])
            out[2, 1] = 1.0
    return out


@kernel
def _of_targets(
    cosines: Cosines, listed: Int32s, ranks: Int32s, targets: Targets, u: int, part: int, least: float
) -> tuple[int, float, float, float]:
    """Return the number of targets, and of them met and listed, and the discounted gain."""
    n, met, listed_too, gain = 0, 0.0, 0.0, 0.0
    for t in range(targets.offsets[u], targets.offsets[u + 1]):
        if wanted(targets.first_time[t], part):
            n += 1
            rank = ranks[targets.rows[t]]
            if rank > 0:
                listed_too += 1
                gain += 1.0 / np.log2(rank + 1.0)
            met += _met(cosines, targets.rows[t], listed, least)
    return n, met, listed_too, gain


@kernel
def measure_lists(
    start: int,
    stop: int,
    targets: Targets,
    lists: Int32s,
    taste: Taste,
    cosines: Cosines,
    least: float,
    parts: Int64s,
    sums: Float64s,
) -> None:
    """Add the metrics of the lists of users ``start:stop`` to ``sums[place, slice, metric]``.

    Parameters
    ----------
    start, stop
        Users of the day.
    targets, taste, cosines
        What the lists are held against.
    lists
        int32 ``(n_users, budget)``, best first, padded with -1.
    least
        Cosine from which a target is met.
    parts
        Slices that these lists are for.
    sums
        float64 ``(n_places, 3, n_metrics, 2)``.
    """
    ranks = np.zeros(cosines.matrix.shape[0], np.int32)
    for u in range(start, stop):
        listed = lists[u][lists[u] >= 0]
        for k in range(listed.shape[0]):
            ranks[listed[k]] = k + 1
        of_list = np.empty((0, 2), np.float64)
        for part in parts:
            n, met, found, gain = _of_targets(cosines, listed, ranks, targets, u, part, least)
            if n == 0:
                continue
            if of_list.shape[0] == 0:
                of_list = _of_list(cosines, listed, taste, u)
            own = sums[targets.places[u], part]
            own[0, 0] += met
            own[1, 0] += found
            own[0, 1] += n
            own[1, 1] += n
            own[2, 0] += gain / _best_gain(min(n, lists.shape[1]))
            own[2, 1] += 1
            own[5:] += of_list
        for row in listed:
            ranks[row] = 0


@kernel
def _tie(row: int) -> np.uint64:
    """Order among equal scores: as good as chance, and always the same."""
    mixed = (np.uint64(row) + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@kernel
def _rank(scores: Float32s, rows: Int32s, which: Int64s, i: int) -> int:
    """Return the rank (1 is best) of candidate ``i`` among those at ``which``."""
    rank = 1
    for k in which:
        if scores[k] > scores[i] or (scores[k] == scores[i] and _tie(rows[k]) < _tie(rows[i])):
            rank += 1
    return rank


@kernel
def measure_ranks(
    targets: Targets,
    offsets: Int64s,
    rows: Int32s,
    scores: Float32s,
    n_per_target: int,
    parts: Int64s,
    sums: Float64s,
) -> None:
    """Add R-precision and reciprocal rank.

    Parameters
    ----------
    targets
        Of the day.
    offsets, rows, scores
        Of user ``u``: first all targets, then impressions; those of a slice are ranked against the
        first ``n_per_target`` impressions per target.
    n_per_target
        Impressions per target.
    parts, sums
        As in :func:`measure_lists`.
    """
    for u in range(targets.places.shape[0]):
        first_target, n_targets = targets.offsets[u], targets.offsets[u + 1] - targets.offsets[u]
        shown = offsets[u] + n_targets
        if shown == offsets[u + 1]:
            continue
        for part in parts:
            which, n = np.empty(offsets[u + 1] - offsets[u], np.int64), 0
            for t in range(n_targets):
                if wanted(targets.first_time[first_target + t], part):
                    which[n] = offsets[u] + t
                    n += 1
            m = n
            for k in range(shown, min(offsets[u + 1], shown + n * n_per_target)):
                which[m] = k
                m += 1
            for i in which[:n]:
                rank = _rank(scores, rows, which[:m], i)
                own = sums[targets.places[u], part]
                own[3, 0] += rank <= n
                own[4, 0] += 1.0 / rank
                own[3, 1] += 1
                own[4, 1] += 1

"""Choose, once per build, the cheapest search settings that reach the target recall."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage.retrieval._scores import Matrix, best_rows
from pinnersage.retrieval.codes import scan
from pinnersage.retrieval.exact import ExactIndex
from pinnersage.retrieval.manifest import SearchSetting

TUNED_KS = (32, 100, 400)
N_TUNING_QUERIES = 200
K_FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
RERANK_COST = 50
"""Re-ranking one candidate costs about as much as scanning the codes of this many items."""
LARGEST_SHARE = 4
"""When more than one item in this many would be re-ranked, the exact scan is the better search."""


class TuningSet(NamedTuple):
    """Queries that are items of the pool, and what finding their neighbors is measured against."""

    rows: Int32s
    queries: Float32s
    pool_rows: Int32s
    matrix: Matrix


def tuning_set(matrix: Matrix, queries_of: Any, pool_rows: Int32s, seed: int) -> TuningSet:
    """Sample up to 200 items of the pool; ``queries_of(rows)`` returns their float32 embeddings."""
    n = min(N_TUNING_QUERIES, len(pool_rows))
    rows = np.sort(np.random.default_rng(seed).choice(pool_rows, n, replace=False))
    return TuningSet(rows, queries_of(rows), pool_rows, matrix)


def tune(codes: Any, sample: TuningSet, exact: ExactIndex, target_recall: float) -> tuple[SearchSetting, ...]:
    """Return a setting for each tuned ``k``; one that falls short of the target is the widest tried.

    The costs compared are counts, not times, so that the same pool always gets the same settings.
    """
    return tuple(_tune_one(codes, sample, exact, k, target_recall) for k in TUNED_KS)


def _tune_one(codes: Any, sample: TuningSet, exact: ExactIndex, k: int, target: float) -> SearchSetting:
    k = min(k, len(sample.pool_rows) - 1)
    worst = _worst_true_score(sample, exact, k)
    options = sorted(_options(codes, k, len(sample.pool_rows)))
    widest = SearchSetting(k=k, k_factor=1.0, nprobe=codes.nlist, recall=0.0)
    for nprobe in sorted({nprobe for _, _, nprobe in options}):
        factors = sorted(factor for _, factor, n in options if n == nprobe)
        widest = SearchSetting(k=k, k_factor=factors[-1], nprobe=nprobe, recall=0)
        widest = measure(codes, sample, worst, widest)
        if widest.recall < target:  # no setting with as few probes can reach it
            options = [option for option in options if option[2] != nprobe]
    for _, factor, nprobe in options:
        tried = measure(codes, sample, worst, SearchSetting(k=k, k_factor=factor, nprobe=nprobe, recall=0))
        if tried.recall >= target:
            return tried
    return widest


def _options(codes: Any, k: int, n_items: int) -> list[tuple[float, float, int]]:
    """Return ``(cost, k_factor, nprobe)`` of every setting worth trying."""
    probes = [2**i for i in range(codes.nlist.bit_length()) if codes.nlist == 1 or 4 <= 2**i <= codes.nlist]
    factors = [f for f in K_FACTORS if k * f * LARGEST_SHARE <= n_items] or [1.0]
    return [(n_items * p / codes.nlist + RERANK_COST * k * f, f, p) for p in probes for f in factors]


def measure(codes: Any, sample: TuningSet, worst: Float32s, setting: SearchSetting) -> SearchSetting:
    """Return ``setting`` with the recall it reaches; items tied with the last true neighbor count."""
    positions = scan(codes, sample.queries, n_candidates(setting, setting.k + 1), setting.nprobe)
    candidates = rows_at(sample.pool_rows, positions)
    scores, rows = best_rows(sample.queries, sample.matrix, candidates, setting.k + 1)
    hits = (scores >= worst[:, None]) & (rows != sample.rows[:, None])
    n_found = int(np.minimum(hits.sum(axis=1), setting.k).sum())
    return setting.model_copy(update={"recall": n_found / (setting.k * len(sample.rows))})


def choose(settings: tuple[SearchSetting, ...], k: int) -> tuple[int, int]:
    """Return ``(n_candidates, nprobe)`` for ``k`` neighbors.

    The setting of the next larger tuned ``k``, but never fewer candidates than a smaller tuned ``k``
    (or, below all, the smallest) would get; beyond all, probes grow with ``k``.
    """
    larger = next((s for s in settings if s.k >= k), settings[-1])
    floor = max(
        [n_candidates(s, s.k) for s in settings if s.k < k], default=n_candidates(settings[0], settings[0].k)
    )
    return max(floor, n_candidates(larger, k)), larger.nprobe * -(-k // larger.k)


def n_candidates(setting: SearchSetting, k: int) -> int:
    """Candidates to re-rank for ``k`` neighbors."""
    return math.ceil(setting.k_factor * k)


def rows_at(pool_rows: Int32s, positions: Int64s) -> Int32s:
    """Turn positions in the index (-1 for none) into item rows (-1 for none)."""
    rows = pool_rows[positions]
    rows[positions < 0] = -1
    return rows


def _worst_true_score(sample: TuningSet, exact: ExactIndex, k: int) -> Float32s:
    """Score of each query's ``k``-th neighbor, itself left out."""
    scores, rows = exact.search(sample.queries, k + 1)
    others = np.where(rows == sample.rows[:, None], -np.inf, scores)
    return np.asarray(-np.sort(-others, axis=1)[:, k - 1], dtype=np.float32)

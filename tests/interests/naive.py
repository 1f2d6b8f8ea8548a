"""Slow twins, written from the paper's formulas with no thought of speed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage.config import MS_PER_DAY, InterestConfig

Array = npt.NDArray[Any]


def same_partition(a: Array, b: Array) -> bool:
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


def ward(points: Array, limit: float) -> list[list[int]]:
    """Merge the cheapest pair, computed from centroids in float64, until all exceed ``limit``."""
    x = points.astype(np.float64)
    clusters = [[i] for i in range(len(x))]
    while len(clusters) > 1:
        cost, a, b = min(
            (merge_cost(x, clusters[a], clusters[b]), a, b)
            for a, b in itertools.combinations(range(len(clusters)), 2)
        )
        if cost > limit:
            break
        clusters[a] = clusters[a] + clusters.pop(b)
    return clusters


def merge_cost(x: Array, a: list[int], b: list[int]) -> float:
    gap = x[a].mean(axis=0) - x[b].mean(axis=0)
    return float(2 * len(a) * len(b) / (len(a) + len(b)) * (gap @ gap))


def heights(points: Array) -> list[float]:
    """All merge costs of the full tree, ascending."""
    x = points.astype(np.float64)
    clusters, costs = [[i] for i in range(len(x))], []
    while len(clusters) > 1:
        cost, a, b = min(
            (merge_cost(x, clusters[a], clusters[b]), a, b)
            for a, b in itertools.combinations(range(len(clusters)), 2)
        )
        costs.append(cost)
        clusters[a] = clusters[a] + clusters.pop(b)
    return costs


def labels_of(clusters: list[list[int]], n: int) -> Array:
    labels = np.empty(n, np.int64)
    for number, members in enumerate(clusters):
        labels[members] = number
    return labels


Action = tuple[int, int, int, float, int]  # time_ms, item_row, kind, weight, event_key


def canonical(actions: list[Action], now_ms: int) -> list[Action]:
    kept: dict[Any, Action] = {}
    for action in sorted(a for a in actions if a[0] <= now_ms):
        kept[action[4] or action] = action
    return sorted(kept.values())


def record(actions: list[Action], embeddings: Array, config: InterestConfig, now_ms: int) -> dict[str, Any]:
    """One user's record as plain Python values."""
    known = canonical(actions, now_ms)
    window = [a for a in known if a[0] > now_ms - config.window_days * MS_PER_DAY][-config.max_actions :]
    x = embeddings[[a[1] for a in window]].astype(np.float64)
    clusters = ward(x, config.max_merge_cost) if window else []
    if config.drop_singletons:
        clusters = [c for c in clusters if len(c) > 1]
    interests = []
    for members in clusters:
        spread = {m: float(((x[members] - x[m]) ** 2).sum()) for m in members}
        least = min(spread.values())
        best = max(
            (m for m in members if spread[m] <= least + 1e-9),
            key=lambda m: (newest_of(window, members, window[m][1]), -window[m][1]),
        )
        importance = sum(
            window[m][3] * np.exp(-config.decay_per_day * (now_ms - window[m][0]) / MS_PER_DAY)
            for m in members
        )
        interests.append((importance, window[best][1], sorted(members)))
    seen = {a[1] for a in known} - {a[1] for a in window}
    return {"window": window, "interests": interests, "seen": sorted(seen)}


def newest_of(window: list[Action], members: list[int], row: int) -> int:
    return max(window[m][0] for m in members if window[m][1] == row)

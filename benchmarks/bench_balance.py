"""Sharpness and saturation of the balanced list, compared on a span that is not reported anywhere.

    python benchmarks/bench_balance.py --items F --actions F --cut 2017-08-01 --days 14

Of users with actions before the cut: which share of the items they first act on in the days after it,
all predicted at once, is recommended (recall), or near a recommended one (relevance), at 1 % of the pool.
With embeddings as given and as learnt from the log before the cut. Without tables it measures a small
synthetic world.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from earlier_spans import study
from pinnersage._arrays import Float32s, Int32s
from pinnersage.config import RetrievalConfig
from pinnersage.evaluation.arms.trained_choice import span
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.vectors import VectorSource, vectors_of

GRID = ((4.0, 0.0), (4.0, 1.0), (6.0, 3.0), (8.0, 10.0), (12.0, 3.0), (12.0, 30.0))
OTHERS = ("mean-0.01", "popular-30d", "sampled-3", "top-20", "top-40", "all-interests")
LEAST_COSINE, SHARE = 0.8, 0.01


def some_users(day: Day, n_users: int) -> Day:
    """Keep a draw of the day's users."""
    chosen = np.sort(np.random.default_rng(0).permutation(day.n_users)[:n_users])
    lengths = np.diff(day.target_offsets)[chosen]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    at = np.repeat(day.target_offsets[chosen] - offsets[:-1], lengths) + np.arange(offsets[-1])
    return replace(
        day, users=day.users[chosen], target_offsets=offsets, target_rows=day.target_rows[at],
        first_time=day.first_time[at],
    )  # fmt: skip


def measured(day: Day, lists: Int32s, embeddings: Float32s) -> dict[str, float]:
    """Return means over the users that have a first-time target."""
    found = []
    for u in range(day.n_users):
        own = slice(day.target_offsets[u], day.target_offsets[u + 1])
        targets, listed = day.target_rows[own][day.first_time[own]], lists[u][lists[u] >= 0]
        if len(targets) and len(listed):
            nearest = (embeddings[targets] @ embeddings[listed].T).max(axis=1)
            found.append((np.isin(targets, listed).mean(), (nearest >= LEAST_COSINE).mean()))
    recall, relevance = np.mean(found, axis=0).tolist() if found else (0.0, 0.0)
    return {"recall": round(recall, 4), "relevance": round(relevance, 4)}


def compared(log: ReplayLog, day: Day, embeddings: Float32s, budget: int, n_threads: int) -> dict[str, Any]:
    known = replace(log.before(day.start_ms), embeddings=embeddings)
    neighbors = NeighborLists(embeddings, 4 * budget + 512, n_threads=n_threads)
    result = {}
    for name in OTHERS:
        (arm,) = untrained_arms(known, Parts(neighbors), [name])
        result[name] = measured(
            day, arm.recommend(day.without_targets(), known, budget, "first_time"), embeddings
        )
    for sharpness, saturation in GRID:
        retrieval = RetrievalConfig(sharpness=sharpness, saturation=saturation)
        (arm,) = untrained_arms(known, Parts(neighbors, retrieval=retrieval), ["balanced-40"])
        lists = arm.recommend(day.without_targets(), known, budget, "first_time")
        result[f"balanced-40 {sharpness:g} {saturation:g}"] = measured(day, lists, embeddings)
    return result


def table(kept: dict[str, Any]) -> str:
    """Return recall (relevance) of every arm on every span, in Markdown."""
    columns = [(span, source) for span in kept for source in ("given", "fused")]
    lines = ["| | " + " | ".join(f"{span}, {source}" for span, source in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for arm in next(iter(kept.values()))["given"]:
        cells = [kept[span][source][arm] for span, source in columns]
        figures = " | ".join(f"{cell['recall']:.3f} ({cell['relevance']:.3f})" for cell in cells)
        lines.append(f"| {arm} | {figures} |")
    return "\n".join(lines)


def on_span(log: ReplayLog, cut_ms: int, given: argparse.Namespace) -> dict[str, Any]:
    day = some_users(span(log, cut_ms, given.days, window_days=90), given.users)
    budget = max(1, int(SHARE * day.pool.sum()))
    result: dict[str, Any] = {"days": given.days, "n_users": day.n_users, "budget": budget}
    sources: tuple[VectorSource, ...] = ("given", "fused")
    for source in sources:
        vectors_at = vectors_of(log, source)
        embeddings = vectors_at(cut_ms) if vectors_at else log.embeddings
        result[source] = compared(log, day, embeddings, budget, given.threads)
    return result


if __name__ == "__main__":
    study(__doc__, on_span, table, users=200, threads=1)

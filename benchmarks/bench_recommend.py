"""Latency of ``recommend`` in process: 100 k items x 256-d, 2000 users with 5 to 30 interests.

    python benchmarks/bench_recommend.py            writes benchmarks/results/recommend.json
    python benchmarks/bench_recommend.py --quick    a smaller pool, prints only

``warm``: every user was asked for before, so their medoids' neighbors are cached; ``cold``: no cache.
``some``: lists of a tenth and of a hundredth of the items only, drawn at random (``where``), no cache.
``scan``: the medoids' scores by one numpy matrix product and their best by argpartition, nothing
else; what a user without an index would write, in the same run on the same requests.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common import measure_and_keep
from pinnersage.config import IndexConfig, RecommendMode, RetrievalConfig
from pinnersage.interests.record import UserRecord
from pinnersage.retrieval.draw import sample_interests
from pinnersage.retrieval.faiss_index import build_index, open_index
from pinnersage.retrieval.narrowed import Choice
from pinnersage.retrieval.retriever import Retriever

K = 100
SEED = 7
NOW_MS = 1_700_000_000_000
Vectors = npt.NDArray[np.float32]


def make_items(n_items: int, dim: int, rng: np.random.Generator) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """Make unit vectors around one centre per 50 items, cosine about 0.55 inside a cluster."""
    centres = rng.standard_normal((n_items // 50, dim), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    cluster = rng.integers(0, len(centres), n_items)
    items = centres[cluster] + 0.9 * rng.standard_normal((n_items, dim), dtype=np.float32) / np.sqrt(dim)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    return items.astype(np.float32), cluster


def make_record(
    cluster: npt.NDArray[np.int64], order: npt.NDArray[np.int64], rng: np.random.Generator
) -> UserRecord:
    """Make a user with 5 to 30 interests, each 1 to 12 actions on items of one cluster."""
    starts = np.searchsorted(cluster[order], np.arange(cluster.max() + 2))
    rows, labels = [], []
    for label, c in enumerate(rng.choice(len(starts) - 1, rng.integers(5, 31), replace=False)):
        members = order[starts[c] : starts[c + 1]]
        some = rng.choice(members, min(len(members), int(rng.integers(1, 13))), replace=False)
        rows.append(some)
        labels.append(np.full(len(some), label))
    sizes = np.array([len(r) for r in rows])
    keep = [i for i in np.argsort(-sizes, kind="stable").tolist() if sizes[i]]
    n = int(sizes.sum())
    return UserRecord(
        as_of_ms=NOW_MS,
        item_rows=np.concatenate([rows[i] for i in keep]).astype(np.int32),
        times_ms=np.full(n, NOW_MS, np.int64),
        weights=np.ones(n, np.float32),
        kinds=np.zeros(n, np.uint8),
        event_keys=np.zeros(n, np.uint64),
        labels=np.repeat(np.arange(len(keep)), sizes[keep]).astype(np.int32),
        medoid_rows=np.array([rows[i][0] for i in keep], np.int32),
        importances=sizes[keep].astype(np.float64),
        seen_rows=np.empty(0, np.int32),
    )


def timed_us(call: Callable[[int], Any], n: int) -> dict[str, float]:
    """Median and 99th percentile of ``call(0) ... call(n - 1)``, in microseconds."""
    times_us = np.empty(n)
    for i in range(n):
        start = time.perf_counter()
        call(i)
        times_us[i] = (time.perf_counter() - start) * 1e6
    return {
        "median_us": round(float(np.median(times_us)), 1),
        "p99_us": round(float(np.quantile(times_us, 0.99)), 1),
    }


def scan(items: Vectors, record: UserRecord, mode: str, seed: int) -> None:
    """Go the plain numpy way to the same neighbors."""
    n = record.n_interests
    most = {"budgeted": 20, "balanced": 40}.get(mode, 3)
    asked = sample_interests(record.importances, 3, seed) if mode == "sampled" else np.arange(min(most, n))
    scores = items[record.medoid_rows[asked]] @ items.T
    np.argpartition(scores, -(400 // len(asked)), axis=1)


def of_some(retriever: Retriever, records: list[UserRecord], share: float, n_items: int) -> dict[str, float]:
    """Time lists of a share of the items, drawn at random; taking them out is a part of each list."""
    order, nothing = np.random.default_rng(SEED).permutation(n_items), np.empty(0, np.int32)
    choice = Choice(order < share * n_items, nothing)
    return timed_us(lambda i: retriever.narrowed(choice).recommend(records[i], K, seed=i), len(records))


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and return all figures."""
    n_items, n_users = (25_000, 200) if quick else (100_000, 2_000)
    rng = np.random.default_rng(SEED)
    items, cluster = make_items(n_items, 256, rng)
    order = np.argsort(cluster, kind="stable")
    records = [make_record(cluster, order, rng) for _ in range(n_users)]
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "items.npy", items)
        mapped = np.load(Path(folder) / "items.npy", mmap_mode="r")
        pool = np.ones(n_items, np.bool_)
        start = time.perf_counter()
        manifest = build_index(mapped, pool, Path(folder) / "index", IndexConfig(seed=SEED), n_threads=1)
        build_s = time.perf_counter() - start
        index = open_index(Path(folder) / "index", mapped)
        figures = measure(index, mapped, items, pool, records)
        index.close()
    about = {
        "n_items": n_items, "dim": 256, "n_users": n_users, "k": K, "index_build_s": round(build_s, 2),
        "settings": [s.model_dump() for s in manifest.settings], "machine": platform.machine(),
        "command": "python benchmarks/bench_recommend.py",
    }  # fmt: skip
    return {**about, **figures}


def measure(
    index: Any, mapped: Vectors, items: Vectors, pool: npt.NDArray[np.bool_], records: list[UserRecord]
) -> dict[str, Any]:
    """Return the latencies of every path, warm, cold and by scan."""
    figures: dict[str, Any] = {}
    n_cold = min(300, len(records))
    modes: tuple[RecommendMode, ...] = ("sampled", "budgeted", "balanced")
    for mode in modes:
        config = RetrievalConfig(mode=mode)
        warm = Retriever(index, mapped, pool, config, cache_bytes=2**30)
        cold = Retriever(index, mapped, pool, config, cache_bytes=0)

        def ask(retriever: Retriever) -> Callable[[int], Any]:
            return lambda n: retriever.recommend(records[n], K, seed=n)

        for i in range(len(records)):
            ask(warm)(i)
        figures[mode] = {
            "warm": timed_us(ask(warm), len(records)),
            "cold": timed_us(ask(cold), n_cold),
            "scan": timed_us(lambda i, mode=mode: scan(items, records[i], mode, i), min(60, n_cold)),  # type: ignore[misc]
        }
        figures[mode]["some"] = {
            str(share): of_some(warm, records[:n_cold], share, len(pool)) for share in (0.1, 0.01)
        }
        figures[mode]["scan_over_warm"] = round(
            figures[mode]["scan"]["median_us"] / figures[mode]["warm"]["median_us"], 1
        )
    return figures


if __name__ == "__main__":
    measure_and_keep("recommend", __doc__, run)

"""``build`` from Parquet to store, against its kernels alone and against the obvious script.

    python benchmarks/bench_build.py            writes benchmarks/results/build.json
    python benchmarks/bench_build.py --quick    a small log, prints only

``kernel``: the same users' actions already grouped in memory, turned into records by as many threads.
``script``: pandas groupby, SciPy linkage and fcluster, medoid and importance in numpy, a pickle.
The index of items is taken off the build's time and shown apart: the script has none either.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from common import (
    NOW_MS,
    measure_and_keep,
    median_ratio,
    side_by_side,
    unit_vectors,
    write_actions,
    write_items,
)
from pinnersage.actions.staging import stage_actions
from pinnersage.config import BuildConfig
from pinnersage.interests.build import build_records
from pinnersage.items.table import ItemTable
from pinnersage.model.building import write_generation

DIM, N_CENTERS, N_ITEMS, PER_USER = 256, 2_000, 100_000, 100


def from_parquet(folder: Path, config: BuildConfig) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        manifest = write_generation(
            Path(out), folder / "items.parquet", folder / "actions.parquet", config, now_ms=NOW_MS
        )
    timings: dict[str, float] = manifest["timings"]
    return timings


def grouped(folder: Path, config: BuildConfig) -> tuple[list[Any], Any]:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        write_generation(
            Path(out), folder / "items.parquet", folder / "actions.parquet", config, now_ms=NOW_MS
        )
        items = ItemTable.open(Path(out) / "items")
        embeddings = np.array(items.embeddings)
        with stage_actions(
            folder / "actions.parquet", items.vocabulary, config.imports, now_ms=NOW_MS,
            wall_clock_ms=NOW_MS, work_dir=out,
        ) as log:  # fmt: skip
            return list(log.batches(NOW_MS)), embeddings


def kernels_only(batches: list[Any], embeddings: Any, config: BuildConfig) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda b: build_records(b, embeddings, config.interests, NOW_MS).n_users, batches):
            pass


def obvious_script(folder: Path, config: BuildConfig) -> None:
    items = pd.read_parquet(folder / "items.parquet")
    x = np.stack(items["embedding"].to_numpy())
    row_of = pd.Series(np.arange(len(items)), index=items["item_id"])
    log = pd.read_parquet(folder / "actions.parquet")
    log["row"] = row_of.loc[log["item_id"]].to_numpy()
    now = pd.Timestamp(NOW_MS, unit="ms")
    log = log[log["timestamp"] > now - pd.Timedelta(days=config.interests.window_days)]
    age_days = (now - log["timestamp"]).dt.total_seconds() / 86_400
    log["weight"] = np.exp(-config.interests.decay_per_day * age_days)
    height, records = np.sqrt(config.interests.max_merge_cost), {}
    for user, own in log.groupby("user_id"):
        points, weights = x[own["row"].to_numpy()], own["weight"].to_numpy()
        labels = fcluster(linkage(points, "ward"), height, "distance") if len(own) > 1 else np.ones(1, int)
        interests = []
        for label in np.unique(labels):
            members = points[labels == label]
            nearest = ((members - members.mean(axis=0)) ** 2).sum(axis=1).argmin()
            medoid = own["item_id"].to_numpy()[labels == label][nearest]
            interests.append((medoid, weights[labels == label].sum()))
        records[user] = interests
    (folder / "records.pickle").write_bytes(pickle.dumps(records))


def world(folder: Path, n_users: int) -> int:
    write_items(folder / "items.parquet", unit_vectors(N_ITEMS, DIM, N_CENTERS, 1.0, seed=1))
    return write_actions(folder / "actions.parquet", n_users, PER_USER, N_ITEMS, N_CENTERS, seed=2)


def against_kernel(n_users: int, rounds: int) -> dict[str, Any]:
    config = BuildConfig()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        n_actions = world(folder, n_users)
        batches, embeddings = grouped(folder, config)
        index_s: list[float] = []
        tasks = {
            "build": lambda: index_s.append(from_parquet(folder, config)["index_s"]),
            "kernel": lambda: kernels_only(batches, embeddings, config),
        }
        times = side_by_side(tasks, rounds)
    to_store = without_index(times["build"], index_s)
    return {
        "n_users": n_users,
        "n_actions": n_actions,
        "build_over_kernel": median_ratio(to_store, times["kernel"]),
        "kernel_users_per_s": round(n_users / float(np.median(times["kernel"]))),
        "build_users_per_s": round(n_users / float(np.median(to_store))),
        "index_s": round(float(np.median(index_s)), 2),
    }


def against_script(n_users: int, rounds: int) -> dict[str, Any]:
    config = BuildConfig()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        world(folder, n_users)
        index_s: list[float] = []
        tasks = {
            "build": lambda: index_s.append(from_parquet(folder, config)["index_s"]),
            "script": lambda: obvious_script(folder, config),
        }
        times = side_by_side(tasks, rounds)
    to_store = without_index(times["build"], index_s)
    return {"n_users": n_users, "script_over_build": median_ratio(times["script"], to_store)}


def without_index(whole_s: list[float], index_s: list[float]) -> list[float]:
    """Subtract the time of the index; its list also holds the round that does not count."""
    return [whole - index for whole, index in zip(whole_s, index_s[1:], strict=True)]


def run(quick: bool) -> dict[str, Any]:
    return {
        "dim": DIM,
        "n_items": N_ITEMS,
        "actions_per_user": PER_USER,
        "n_threads": os.cpu_count(),
        "against_kernel": against_kernel(5_000 if quick else 100_000, 1 if quick else 3),
        "against_script": against_script(1_000 if quick else 20_000, 1 if quick else 3),
    }


if __name__ == "__main__":
    measure_and_keep("build", __doc__, run)

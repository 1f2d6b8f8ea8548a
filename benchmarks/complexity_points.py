"""What ``bench_complexity.py`` measures at one size; every function runs in a process of its own.

Each returns a mapping: name of a quantity -> its repeats. ``warm_up`` runs before, in the parent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import linkage
from threadpoolctl import threadpool_limits

from common import DAY_MS, NOW_MS, unit_vectors, write_actions, write_items
from complexity_ranker import fit, full_forest, ranked_over
from measuring import cpu_seconds, peak_mb
from pinnersage import PinnerSage, ward_clusters
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import (
    BuildConfig,
    ImportConfig,
    IndexConfig,
    InterestConfig,
    RecommendMode,
    RetrievalConfig,
)
from pinnersage.interests.build import build_records
from pinnersage.interests.record import UserRecord
from pinnersage.items.importing import import_items
from pinnersage.model.building import write_generation
from pinnersage.retrieval.faiss_index import build_index, open_index
from pinnersage.retrieval.retriever import Retriever
from pinnersage.store.codec import encode_record

Found = dict[str, list[float]]
LIMIT = 1.5
PER_INTEREST = 12
PER_CENTER = 50
FEW_ALIKE, MANY_ALIKE, N_CENTERS = 50, 1_000, 20
PER_USER = 90
N_ASKING = 20
K = 100
CONFIG = InterestConfig(max_merge_cost=LIMIT)
MODES: tuple[RecommendMode, ...] = ("sampled", "budgeted", "balanced", "ranked")
BY_MODEL = MODES[:3]
"""Of a model that was built without a second stage."""
CACHE_BYTES = {"cold": 0, "warm": 2**26}


def points_of(n: int, dim: int) -> npt.NDArray[np.float32]:
    """Return the items of one user: a dozen for each interest."""
    return unit_vectors(n, dim, max(2, n // PER_INTEREST), 1.0, seed=n)


def batch_of(rows: npt.NDArray[Any], seed: int) -> ActionBatch:
    """Return actions of users on ``rows`` ``(n_users, n_actions)``, at times drawn over the window."""
    n_users, n = rows.shape
    times = NOW_MS - np.random.default_rng(seed).integers(0, 90 * DAY_MS, rows.size)
    return ActionBatch(
        list(range(n_users)), np.arange(n_users + 1, dtype=np.int64) * n, rows.ravel().astype(np.int32),
        times, np.ones(rows.size, np.float32), np.zeros(rows.size, np.uint8), np.zeros(rows.size, np.uint64),
    )  # fmt: skip


def rows_of_users(
    n_users: int, n: int, n_items: int, seed: int, per_center: int = PER_CENTER
) -> npt.NDArray[Any]:
    """Return items of users with an interest for every dozen actions, ``(n_users, n)``, none twice."""
    rng = np.random.default_rng(seed)
    n_centers = n_items // per_center
    own = [
        (c + n_centers * rng.choice(per_center, (PER_INTEREST,), replace=False))
        for _ in range(n_users)
        for c in rng.choice(n_centers, max(1, -(-n // PER_INTEREST)), replace=False)
    ]
    return np.concatenate(own).reshape(n_users, -1)[:, :n]


def warm_up() -> None:
    """Load every kernel, so that no point pays for it."""
    with threadpool_limits(1):
        full_forest()
        ward_clusters(points_of(8, 16), max_merge_cost=LIMIT)
        one_user(24, 16, 600, 1)
        users(10, 16, 300, 1)
        many_users(2, 16, 600, 1)
        items(300, 16, 1)
        ranker(100, 300, 16)


def ward(n: int, dim: int, rounds: int) -> Found:
    """Time the clustering of one user's actions, ours and SciPy's, on the same points."""
    x = points_of(n, dim)
    return cpu_seconds(
        {
            "ward_clusters": lambda: ward_clusters(x, max_merge_cost=LIMIT),
            "ward_clusters, all merged": lambda: ward_clusters(x, max_merge_cost=np.inf),
            "scipy linkage": lambda: linkage(x, "ward"),
        },
        rounds,
    )


def ward_memory(n: int, dim: int, which: str) -> float:
    """Return the peak of one call in MB."""
    x = points_of(n, dim)
    if which == "ward_clusters":
        return peak_mb(lambda: ward_clusters(x, max_merge_cost=LIMIT))
    return peak_mb(lambda: linkage(x, "ward"))


def one_user(n: int, dim: int, n_items: int, rounds: int) -> Found:
    """Time one user with ``n`` actions: building, asking; and the size of the record."""
    embeddings = unit_vectors(n_items, dim, n_items // PER_CENTER, 1.0, seed=1)
    batch = batch_of(rows_of_users(1, n, n_items, seed=n), seed=n)
    record = build_records(batch, embeddings, CONFIG, NOW_MS).record(0)
    found = cpu_seconds({"build_records": lambda: build_records(batch, embeddings, CONFIG, NOW_MS)}, rounds)
    found["record"] = [float(len(encode_record(record)))]
    found["interests"] = [float(record.n_interests)]
    with tempfile.TemporaryDirectory() as scratch:
        index = indexed(Path(scratch), embeddings)
        for mode, times in asked(index, embeddings, [record], CACHE_BYTES["warm"], rounds).items():
            found[f"recommend, {mode}"] = times
    return found


def interests_asked(n_asked: int, n_actions: int, dim: int, n_items: int, rounds: int) -> Found:
    """Time requests that ask so many interests of one user."""
    embeddings = unit_vectors(n_items, dim, n_items // PER_CENTER, 1.0, seed=1)
    batch = batch_of(rows_of_users(1, n_actions, n_items, seed=n_actions), seed=n_actions)
    people = [build_records(batch, embeddings, CONFIG, NOW_MS).record(0)]
    with tempfile.TemporaryDirectory() as scratch:
        return cold_and_warm(indexed(Path(scratch), embeddings), embeddings, people, rounds, n_asked)


def ranker(n_users: int, n_items: int, dim: int) -> Found:
    """Time the fit of a second stage, and its peak memory."""
    return fit(n_users, PER_USER, n_items, dim, PER_CENTER)


def many_users(n_users: int, dim: int, n_items: int, rounds: int) -> Found:
    """Time the records of users in memory."""
    embeddings = unit_vectors(n_items, dim, n_items // PER_CENTER, 1.0, seed=1)
    batch = batch_of(rows_of_users(n_users, PER_USER, n_items, seed=n_users), seed=n_users)
    return cpu_seconds({"build_records": lambda: build_records(batch, embeddings, CONFIG, NOW_MS)}, rounds)


def users(n_users: int, dim: int, n_items: int, rounds: int) -> Found:
    """Time a whole local build from Parquet, then requests to the model; peak memory, size of the store."""
    found: Found = {"whole build": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tables = (folder / "items.parquet", folder / "actions.parquet")
        write_items(tables[0], unit_vectors(n_items, dim, n_items // PER_CENTER, 1.0, seed=1))
        write_actions(tables[1], n_users, PER_USER, n_items, n_items // PER_CENTER, seed=2)
        config = BuildConfig(n_threads=1, interests=CONFIG)

        def build() -> None:
            with tempfile.TemporaryDirectory(dir=folder) as out:
                started = time.process_time()
                write_generation(Path(out), *tables, config, now_ms=NOW_MS)
                found["whole build"].append(time.process_time() - started)

        found["whole build, peak"] = [peak_mb(build)]
        for _ in range(rounds - 1):
            build()
        with PinnerSage.build(*tables, config=config, now=NOW_MS, path=folder / "model") as model:
            found["store"] = [float(model.summary()["sizes"]["store_bytes"])]
            ids = list(model.users())
            some = [ids[i] for i in np.random.default_rng(3).integers(0, len(ids), 50).tolist()]
            for mode in BY_MODEL:
                ask: Callable[[], object] = partial(_ask_model, model, some, mode)
                times = cpu_seconds({"recommend": ask}, 5)["recommend"]
                found[f"recommend, {mode}, warm"] = [t / len(some) for t in times]
    return found


def _ask_model(model: PinnerSage, some: list[Any], mode: Any) -> None:
    for user_id in some:
        model.recommend_dict(user_id, K, mode=mode)


def items(n_items: int, dim: int, rounds: int, most_alike: int = MANY_ALIKE) -> Found:
    """Time import, index and requests over a catalogue; peak memory of the index, its size on disk.

    Up to ``most_alike`` items are alike; with fewer than a request looks up, the rest of its neighbors
    are near it by chance alone, and the index has to look far for them.
    """
    found: Found = {"import of items": [], "index": []}
    alike = min(most_alike, n_items // N_CENTERS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_items(folder / "items.parquet", unit_vectors(n_items, dim, n_items // alike, 1.0, seed=1))
        for i in range(rounds):
            started = time.process_time()
            table, _ = import_items(folder / "items.parquet", folder / f"items{i}", ImportConfig())
            found["import of items"].append(time.process_time() - started)
        x, pool = table.embeddings, np.ones(n_items, np.bool_)
        batch = batch_of(rows_of_users(N_ASKING, PER_INTEREST * 4, n_items, seed=1, per_center=alike), seed=1)
        own = np.array([table.vocabulary.row_of(f"i{i}") for i in batch.item_rows.tolist()], np.int32)
        batch = batch_of(own.reshape(N_ASKING, -1), seed=1)

        def index(i: int) -> None:
            started = time.process_time()
            build_index(x, pool, folder / f"index{i}", IndexConfig(), 1)
            found["index"].append(time.process_time() - started)

        found["index, peak"] = [peak_mb(lambda: index(0))]
        for i in range(1, rounds):
            index(i)
        found["index, on disk"] = [float(sum(f.stat().st_size for f in (folder / "index0").iterdir()))]
        records = build_records(batch, x, CONFIG, NOW_MS)
        people = [records.record(u) for u in range(records.n_users)]
        found |= cold_and_warm(folder / "index0", x, people, 5)
    return found


def indexed(folder: Path, embeddings: Any) -> Path:
    """Build an index and return where."""
    build_index(embeddings, np.ones(len(embeddings), np.bool_), folder / "index", IndexConfig(), 1)
    return folder / "index"


def cold_and_warm(
    index: Path, embeddings: Any, people: list[UserRecord], rounds: int, n_interests: int | None = None
) -> Found:
    """Return processor seconds of one request in every mode, without and with a cache of neighbors."""
    return {
        f"recommend, {mode}, {word}": times
        for word, cache_bytes in CACHE_BYTES.items()
        for mode, times in asked(index, embeddings, people, cache_bytes, rounds, n_interests).items()
    }


def asked(
    folder: Path,
    embeddings: Any,
    people: list[UserRecord],
    cache_bytes: int,
    rounds: int,
    n_interests: int | None = None,
) -> Found:
    """Return processor seconds of one request in every mode, everybody asked in turn, each with one seed."""
    index = open_index(folder, embeddings)
    pool = np.ones(len(embeddings), np.bool_)
    own = np.unique(np.concatenate([record.item_rows for record in people]))
    found: Found = {}
    for mode in MODES:
        retriever = Retriever(index, embeddings, pool, RetrievalConfig(), cache_bytes=cache_bytes)
        calls = [
            partial(retriever.recommend, record, K, seed=seed, mode=mode, n_interests=n_interests)
            for seed, record in enumerate(people)
        ]
        if mode == "ranked":
            stage = ranked_over(retriever, embeddings, own, folder.with_name("ranker"))
            calls = [partial(stage.recommend, record, K, n_interests=n_interests) for record in people]
        times = cpu_seconds({mode: partial(_call_all, calls)}, rounds)[mode]
        found[mode] = [t / len(people) for t in times]
    index.close()
    return found


def _call_all(calls: list[partial[Any]]) -> None:
    for call in calls:
        call()

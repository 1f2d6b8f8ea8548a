"""What every benchmark shares: seeded worlds, fair timing, results as small JSON."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

RESULTS = Path(__file__).parent / "results"
NOW_MS = 1_700_000_000_000
DAY_MS = 86_400_000


def seconds(task: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def side_by_side(tasks: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time tasks in turn, A B A B, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for round_ in range(rounds + 1):
        for name, task in tasks.items():
            spent = seconds(task)
            if round_:
                times[name].append(spent)
    return times


def median_ratio(a: list[float], b: list[float]) -> float:
    """Return the median of the pair-by-pair ratios ``a / b``."""
    return round(statistics.median(x / y for x, y in zip(a, b, strict=True)), 3)


def unit_vectors(n: int, d: int, n_centers: int, noise: float, seed: int) -> npt.NDArray[np.float32]:
    """Return float32 unit vectors in bundles around random centres."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((n_centers, d), dtype=np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    x = centers[np.arange(n) % n_centers]
    x = x + noise / np.sqrt(d) * rng.standard_normal((n, d), dtype=np.float32)
    unit: npt.NDArray[np.float32] = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return unit


def write_items(path: Path, embeddings: npt.NDArray[np.float32]) -> None:
    """Write items ``i0, i1, ...`` as the contract's Parquet table."""
    n, d = embeddings.shape
    values = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), d)
    pq.write_table(pa.table({"item_id": [f"i{i}" for i in range(n)], "embedding": values}), path)


def write_actions(path: Path, n_users: int, per_user: int, n_items: int, n_centers: int, seed: int) -> int:
    """Write a log in order of time; every user has about eight interests. Return its length."""
    rng = np.random.default_rng(seed)
    n, per_center = n_users * per_user, n_items // n_centers
    interests = rng.integers(0, n_centers, (n_users, 8), dtype=np.int32)
    schema = pa.schema(
        [("user_id", pa.string()), ("item_id", pa.string()), ("timestamp", pa.timestamp("ms"))]
    )
    chunk = 2_000_000
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, n, chunk):
            size = min(chunk, n - start)
            users = rng.integers(0, n_users, size)
            centers = interests[users, rng.integers(0, 8, size)]
            rows = centers + n_centers * rng.integers(0, per_center, size)
            age_days = 100 * (1 - (start + np.sort(rng.random(size)) * size) / n)
            times = (NOW_MS - age_days * DAY_MS).astype(np.int64)
            columns = [named("u", users), named("i", rows), pa.array(times).cast(pa.timestamp("ms"))]
            writer.write_table(pa.table(columns, schema=schema))
    return n


def named(prefix: str, numbers: npt.NDArray[Any]) -> pa.Array:
    """Return string ids such as ``u17``."""
    return pa.compute.binary_join_element_wise(pa.scalar(prefix), pa.array(numbers).cast(pa.string()), "")


def save(name: str, result: dict[str, Any]) -> None:
    """Write ``results/<name>.json``, with what the figures depend on."""
    about = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "libraries": {lib: version(lib) for lib in ("numpy", "numba", "duckdb", "faiss-cpu", "pyarrow")},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result | {"about": about}, indent=2) + "\n")


def measure_and_keep(name: str, doc: str | None, run: Callable[[bool], dict[str, Any]]) -> None:
    """Run a benchmark from the command line: print its result and, unless it was ``--quick``, keep it.

    Parameters
    ----------
    name
        Of the kept result; fields in braces are taken from it.
    doc
        Says what is measured.
    run
        Called with whether to be quick.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    result = run(quick)
    print(json.dumps(result, indent=2))
    if not quick:
        save(name.format_map(result), result)

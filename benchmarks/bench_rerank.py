"""Re-rank from the embedding matrix itself, or from an fp16 store in faiss beside the codes: both, timed.

    python benchmarks/bench_rerank.py            writes benchmarks/results/rerank.json
    python benchmarks/bench_rerank.py --quick    a smaller pool, prints only

Both take the same candidates from the same memory-mapped 4-bit codes, on one thread, in the same run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from bench_recommend import SEED, make_items
from common import measure_and_keep
from pinnersage.retrieval._scores import as_matrix, best_rows
from pinnersage.retrieval.codes import encode, faiss_threads, open_codes, scan, write_codes
from pinnersage.retrieval.exact import ExactIndex

K_FACTOR = 8
CASES = ((1, 100), (3, 100), (3, 192), (3, 400), (20, 32))
_faiss: Any = faiss


def run(quick: bool = False) -> dict[str, Any]:
    """Return median microseconds per call and recall, for each number of queries and k."""
    n_items = 25_000 if quick else 100_000
    items, _ = make_items(n_items, 256, np.random.default_rng(SEED))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "items.npy", items)
        codes_made = encode(items, np.arange(n_items, dtype=np.int32), seed=SEED, n_threads=1)
        write_codes(codes_made, folder / "codes")
        store = _faiss.IndexScalarQuantizer(256, _faiss.ScalarQuantizer.QT_fp16, _faiss.METRIC_INNER_PRODUCT)
        store.train(items[:10])
        store.add(items)
        _faiss.write_index(store, str(folder / "store"))
        codes = open_codes(folder / "codes", n_items=n_items, dim=256)
        mapped_store = _faiss.read_index(str(folder / "store"), _faiss.IO_FLAG_MMAP_IFC)
        joined = _faiss.IndexRefine(codes, mapped_store)
        matrix = as_matrix(np.load(folder / "items.npy", mmap_mode="r"))
        cases = [compare(codes, joined, matrix, items, n, k, 60 if quick else 300) for n, k in CASES]
    return {
        "n_items": n_items, "dim": 256, "k_factor": K_FACTOR, "cases": cases,
        "store_bytes": n_items * 256 * 2, "command": "python benchmarks/bench_rerank.py",
    }  # fmt: skip


def compare(
    codes: Any, joined: Any, matrix: Any, items: Any, n_queries: int, k: int, n_calls: int
) -> dict[str, Any]:
    """Time both on the same queries, taking turns."""
    rng = np.random.default_rng(k)
    parameters = _faiss.IndexRefineSearchParameters(k_factor=K_FACTOR)

    def ours(q: Any) -> Any:
        return best_rows(q, matrix, scan(codes, q, K_FACTOR * k, 1).astype(np.int32), k)[1]

    def theirs(q: Any) -> Any:
        with faiss_threads(1):
            return joined.search(q, k, params=parameters)[1]

    ways: dict[str, Callable[[Any], Any]] = {"matrix": ours, "fp16_store": theirs}
    times_us: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(n_calls):
        queries = items[rng.integers(0, len(items), n_queries)]
        for name, way in ways.items():
            start = time.perf_counter()
            way(queries)
            times_us[name].append((time.perf_counter() - start) * 1e6)
    queries = items[rng.integers(0, len(items), 100)]
    truth = ExactIndex(items).search(queries, k)[1]
    result: dict[str, Any] = {"n_queries": n_queries, "k": k}
    for name, way in ways.items():
        found = way(queries)
        hits = sum(len(np.intersect1d(f, t)) for f, t in zip(found, truth, strict=True))
        result[name] = {"median_us": round(float(np.median(times_us[name])), 1), "recall": hits / truth.size}
    return result


if __name__ == "__main__":
    measure_and_keep("rerank", __doc__, run)

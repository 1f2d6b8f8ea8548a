"""Inner products of many items with few queries: ours, and a library's, alone and beside busy processes.

    python benchmarks/bench_products.py            writes benchmarks/results/products.json
    python benchmarks/bench_products.py --quick    fewer repeats, prints only

256-d float32. The library multiplies the rows that are asked for, gathered before, with one thread and with
as many as it takes by itself. ``busy``: meanwhile each core has a process that computes all the time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from common import measure_and_keep, seconds, unit_vectors
from pinnersage.retrieval._scores import as_matrix, products

DIM = 256
CASES = ((1_000, 16), (1_000, 64), (16_000, 1), (16_000, 12), (16_000, 64))
_FOREVER = "while True: pass"


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy with a process of its own."""
    processes = [subprocess.Popen([sys.executable, "-c", _FOREVER]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def median_ms(work: Callable[[], Any], n_times: int) -> float:
    work()
    return round(statistics.median(seconds(work) for _ in range(n_times)) * 1e3, 3)


def case(n_rows: int, n_queries: int, n_times: int) -> dict[str, float]:
    """Return the median of each way."""
    embeddings = unit_vectors(n_rows, DIM, 50, 1.0, seed=0).astype(np.float32)
    queries = embeddings[:n_queries].copy()
    matrix, rows = as_matrix(embeddings), np.arange(n_rows, dtype=np.int32)
    with threadpool_limits(1):
        one_thread_ms = median_ms(lambda: queries @ embeddings.T, n_times)
    return {
        "own_ms": median_ms(lambda: products(queries, matrix, rows), n_times),
        "library_one_thread_ms": one_thread_ms,
        "library_ms": median_ms(lambda: queries @ embeddings.T, n_times),
    }


def run(quick: bool = False) -> dict[str, Any]:
    n_times = 5 if quick else 101
    found: dict[str, Any] = {"dim": DIM, "load_average": round(os.getloadavg()[0], 1)}
    found["alone"] = {f"{n} x {q}": case(n, q, n_times) for n, q in CASES}
    with busy_cores():
        found["busy"] = {f"{n} x {q}": case(n, q, n_times) for n, q in CASES}
    return found | {"command": "python benchmarks/bench_products.py"}


if __name__ == "__main__":
    measure_and_keep("products", __doc__, run)

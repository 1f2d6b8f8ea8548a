"""``ward_clusters``, one thread, against ``X @ X.T`` alone and against SciPy.

    python benchmarks/bench_ward.py            writes benchmarks/results/ward-*.json
    python benchmarks/bench_ward.py --quick    fewer rounds, prints only

``OPENBLAS_CORETYPE=Haswell`` in the environment holds BLAS to AVX2; unset, BLAS chooses its kernel. The
result is saved under the one or the other name.

The limit is half-way between two merge costs at three places of the tree, so that 30 %, 60 % and
90 % of all merges are made; partitions must be equal to SciPy's or the benchmark fails.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from threadpoolctl import threadpool_limits

from common import measure_and_keep, median_ratio, side_by_side, unit_vectors
from pinnersage import ward_clusters

DIM = 256
SIZES = {20: 400, 60: 300, 200: 200, 1_000: 15}
QUANTILES = (0.3, 0.6, 0.9)


def partition_is_scipys(x: np.ndarray, limit: float) -> bool:
    ours = ward_clusters(x, max_merge_cost=limit)
    theirs = fcluster(linkage(x, "ward"), np.sqrt(limit), "distance")
    return len(set(zip(ours.tolist(), theirs.tolist(), strict=True))) == len(set(ours)) == len(set(theirs))


def compare(n: int, quantile: float, rounds: int) -> dict[str, Any]:
    x = unit_vectors(n, DIM, max(2, n // 12), 1.0, seed=n)
    heights = linkage(x, "ward")[:, 2]
    i = min(int(quantile * (n - 1)), n - 3)
    height = float(heights[i] + heights[i + 1]) / 2
    times = side_by_side(
        {
            "ours": lambda: ward_clusters(x, max_merge_cost=height**2),
            "gram": lambda: x @ x.T,
            "scipy": lambda: fcluster(linkage(x, "ward"), height, "distance"),
        },
        rounds,
    )
    return {
        "n_actions": n,
        "merged_share": quantile,
        "same_partition": partition_is_scipys(x, height**2),
        "ours_over_gram": median_ratio(times["ours"], times["gram"]),
        "scipy_over_ours": median_ratio(times["scipy"], times["ours"]),
        "ours_us": round(float(np.median(times["ours"])) * 1e6, 1),
    }


def run(quick: bool) -> dict[str, Any]:
    with threadpool_limits(1):
        rows = [
            compare(n, quantile, rounds // 10 + 3 if quick else rounds)
            for n, rounds in SIZES.items()
            for quantile in QUANTILES
        ]
    assert all(row["same_partition"] for row in rows), rows
    return {"dim": DIM, "blas_kernel": os.environ.get("OPENBLAS_CORETYPE", "native").lower(), "rows": rows}


if __name__ == "__main__":
    measure_and_keep("ward-{blas_kernel}", __doc__, run)

"""Peak memory of ``build`` on 100 million synthetic actions of 1 million users.

    python benchmarks/bench_memory.py            writes benchmarks/results/memory.json (minutes)
    python benchmarks/bench_memory.py --quick    1 million actions, prints only

The build runs as its own process, as users run it. Peak resident memory counts the memory-mapped
embeddings' pages too, so the matrix's size is taken off: the bar is on what is needed besides it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import save, unit_vectors, write_actions, write_items

DIM, N_CENTERS, N_ITEMS, PER_USER = 256, 2_000, 100_000, 100
BUILD = "import sys; from pinnersage.cli.app import main; sys.exit(main())"


def run(quick: bool, scratch: str | None = None) -> dict[str, Any]:
    n_users = 10_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        write_items(folder / "items.parquet", unit_vectors(N_ITEMS, DIM, N_CENTERS, 1.0, seed=1))
        n_actions = write_actions(folder / "actions.parquet", n_users, PER_USER, N_ITEMS, N_CENTERS, seed=2)
        command = [
            sys.executable, "-c", BUILD, "build", "--items", str(folder / "items.parquet"),
            "--actions", str(folder / "actions.parquet"), "--out", str(folder / "model"), "--json",
        ]  # fmt: skip
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        summary = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        wall_s = time.perf_counter() - started
    matrix_mb = N_ITEMS * DIM * 4 / 2**20
    peak_mb = usage.ru_maxrss / 1024
    return {
        "n_users": n_users,
        "n_actions": n_actions,
        "peak_rss_mb": round(peak_mb),
        "embeddings_mb": round(matrix_mb),
        "peak_besides_embeddings_gb": round((peak_mb - matrix_mb) / 1024, 2),
        "wall_s": round(wall_s, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "timings": summary["timings"],
        "store_bytes_per_user": summary["sizes"]["store_bytes_per_user"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scratch", help="directory with 20 GB to spare")
    arguments = parser.parse_args()
    result = run(arguments.quick, arguments.scratch)
    print(json.dumps(result, indent=2))
    if not arguments.quick:
        save("memory", result)


if __name__ == "__main__":
    main()

"""How long the whole study takes: all untrained arms on one log, from tables to the finished report.

    python benchmarks/bench_study.py --items F --actions F --from 2017-09-01    writes results/study.json
    python benchmarks/bench_study.py --quick                                   a small world, prints only

``pinnersage evaluate`` as a process of its own, with all budgets, on 14 days; ``wall_s`` by the clock,
``cpu_s`` of all its threads, and the most memory it held. ``arms`` tells what each arm took. Without tables
it measures a small world and keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import save, unit_vectors, write_actions, write_items
from http_load import COMMAND

N_DAYS, ARMS = 14, "untrained"
_LOAD_BEFORE = round(os.getloadavg()[0], 1)


def small_world(folder: Path) -> tuple[Path, Path]:
    """Write tables of a few items and users; return both paths."""
    items, actions = folder / "items.parquet", folder / "actions.parquet"
    write_items(items, unit_vectors(2_000, 32, 50, 1.0, seed=1))
    write_actions(actions, 200, 60, 2_000, 50, seed=2)
    return items, actions


def run(items: Path, actions: Path, first_day: str | None, n_threads: int) -> dict[str, Any]:
    """Measure one run of the command."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report"
        given = ["--items", str(items), "--actions", str(actions), "--out", str(out)]
        given += ["--days", str(N_DAYS), "--arms", ARMS, "--threads", str(n_threads)]
        given += [] if first_day is None else ["--from", first_day]
        began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", COMMAND, "evaluate", *given, "--json"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        wall_s, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads((out / "metrics.json").read_text())
    cpu_s = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return {
        "data": {name: report["about"]["data"][name] for name in ("n_items", "n_users", "n_actions")},
        "n_user_days": report["about"]["measured"]["n_user_days"], "budgets": report["about"]["budgets"],
        "n_threads": n_threads, "n_cpus": os.cpu_count(), "n_arms": len(report["costs"]),
        "wall_s": round(wall_s, 1), "cpu_s": round(cpu_s, 1), "peak_mb": round(now.ru_maxrss / 1024),
        "arms": {arm: round(cost["recommend_seconds"], 1) for arm, cost in report["costs"].items()},
        "load_average_before": _LOAD_BEFORE,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=Path)
    parser.add_argument("--actions", type=Path)
    parser.add_argument("--from", dest="first_day")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if (arguments.items is None) != (arguments.actions is None):
        parser.error("expected both --items and --actions, or neither")
    if arguments.quick or arguments.items is None:
        with tempfile.TemporaryDirectory() as folder:
            result = run(*small_world(Path(folder)), None, arguments.threads)
    else:
        result = run(arguments.items, arguments.actions, arguments.first_day, arguments.threads)
        save("study", {"command": _command(arguments), **result})
    print(json.dumps(result, indent=2))


def _command(arguments: argparse.Namespace) -> str:
    """Return the command, with the names of the tables' directory alone."""
    folder = arguments.items.parent.name
    given = f"--items {folder}/{arguments.items.name} --actions {folder}/{arguments.actions.name}"
    first_day = "" if arguments.first_day is None else f" --from {arguments.first_day}"
    return f"python benchmarks/bench_study.py {given}{first_day}"


if __name__ == "__main__":
    main()

"""What one more action costs a user of many: clusters it cannot have changed are kept.

    python benchmarks/bench_changed.py                 writes benchmarks/results/changed.json
    python benchmarks/bench_changed.py --quick         fewer sizes and rounds, prints only
    python benchmarks/bench_changed.py --data FOLDER   also the most active users of the logs in FOLDER

``known``: :func:`extend_records` with a record whose clusters are known. ``anew``: the same, everything
clustered again. Processor time, in turn, on the same users; the records must be equal or the benchmark
fails. Drawn users have 256 dimensions and a dozen actions to an interest; those of the logs are the most,
the 6th and the 21st most active with their newest 5,000 actions and the embeddings that the log came with.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from common import DAY_MS, NOW_MS, save, unit_vectors
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.extend import extend_records
from pinnersage.interests.record import UserRecord

SIZES = {100: 60, 200: 60, 500: 40, 1_000: 30, 2_000: 20, 5_000: 10}
CONFIG = InterestConfig(window_days=3_650)
RANKS = (0, 5, 20)


def batch_of(rows: np.ndarray, times_ms: np.ndarray) -> ActionBatch:
    n = len(rows)
    return ActionBatch(
        [0], np.array([0, n], np.int64), rows.astype(np.int32), times_ms.astype(np.int64),
        np.ones(n, np.float32), np.zeros(n, np.uint8), np.zeros(n, np.uint64),
    )  # fmt: skip


def must_be_equal(a: UserRecord, b: UserRecord) -> None:
    for field in fields(UserRecord):
        same = np.asarray(getattr(a, field.name)).tobytes() == np.asarray(getattr(b, field.name)).tobytes()
        if field.name != "untied" and not same:
            sys.exit(f"{field.name} differ: what was kept is not what a batch builds")


def cpu_ms(rows: np.ndarray, x: np.ndarray, rounds: int) -> dict[str, Any]:
    """Add each of ``rounds`` actions to a user who had all others."""
    x.flags.writeable = False
    order = np.random.default_rng(5).permutation(len(rows))
    times_ms = NOW_MS - np.sort(np.random.default_rng(6).integers(0, 80 * DAY_MS, len(rows)))[::-1]
    spent: dict[str, list[float]] = {"known": [], "anew": []}
    n_interests = []
    for left_out in [order[0], *order[:rounds]]:  # The first round is not counted.
        others = np.delete(np.arange(len(rows)), left_out)
        record = build_records(batch_of(rows[others], times_ms[others]), x, CONFIG, NOW_MS).record(0)
        action = batch_of(rows[[left_out]], times_ms[[left_out]])
        found = {}
        for way, known in (("known", record), ("anew", replace(record, untied=False))):
            started = time.process_time()
            found[way] = extend_records([known], action, x, CONFIG, NOW_MS).record(0)
            spent[way].append((time.process_time() - started) * 1e3)
        must_be_equal(found["known"], found["anew"])
        n_interests.append(found["known"].n_interests)
    median = {way: statistics.median(times[1:]) for way, times in spent.items()}
    return {
        "n_actions": len(rows),
        "n_items": len(np.unique(rows)),
        "n_dimensions": x.shape[1],
        "n_interests": n_interests[-1],
        "known_cpu_ms": round(median["known"], 3),
        "anew_cpu_ms": round(median["anew"], 3),
        "worst_known_cpu_ms": round(max(spent["known"][1:]), 3),
        "times_as_fast": round(median["anew"] / median["known"], 1),
    }


def drawn(n: int, rounds: int) -> dict[str, Any]:
    return cpu_ms(np.arange(n), unit_vectors(n, 256, max(2, n // 12), 1.0, seed=n), rounds)


def of_log(path: Path, rounds: int) -> list[dict[str, Any]]:
    items = pq.read_table(path / "items.parquet")
    actions = pq.read_table(path / "actions.parquet", columns=["user_id", "item_id", "timestamp"])
    x = np.stack(items["embedding"].to_numpy(zero_copy_only=False)).astype(np.float32)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    row_of = {item: row for row, item in enumerate(items["item_id"].to_pylist())}
    log = actions.sort_by("timestamp").to_pandas()
    rows = log["item_id"].map(row_of)
    log, rows = log[rows.notna()], rows[rows.notna()].astype(int)
    users = log["user_id"].value_counts(sort=True).index
    found = []
    for rank in (rank for rank in RANKS if rank < len(users)):
        own = rows[log["user_id"] == users[rank]].to_numpy()[-5_000:]
        found.append({"log": path.name, "rank": rank + 1, **cpu_ms(own, x.copy(), rounds)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--data", type=Path, help="a folder of folders with items.parquet and actions.parquet"
    )
    given = parser.parse_args()
    sizes = dict.fromkeys((200, 1000), 5) if given.quick else SIZES
    logs = sorted(path.parent for path in given.data.glob("*/actions.parquet")) if given.data else []
    result = {
        "drawn": [drawn(n, rounds) for n, rounds in sizes.items()],
        "logs": [row for path in logs for row in of_log(path, 5 if given.quick else 20)],
    }
    print(json.dumps(result, indent=2))
    if not given.quick:
        save("changed", result)


if __name__ == "__main__":
    main()

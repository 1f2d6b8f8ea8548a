"""A million events online, with duplicates, disorder and restarts, against one batch over the same.

    python benchmarks/bench_stream.py            writes benchmarks/results/stream.json (minutes)
    python benchmarks/bench_stream.py --quick    20 thousand events, prints only

Half of the log is built, the rest arrives through :meth:`LiveModel.add_actions` in groups: shuffled over
the whole span, one in ten a second time, and one in ten of what the build had once more. The model is
closed and opened after every few groups; in between, a writer dies after its journal has a group and before
a record has it, and a second batch lands. In the end every record is compared, in ids and names, with a
build over all events. Once more the same with known clusters kept: users of a hundred actions are clustered
anew, larger ones keep the clusters that an action cannot have changed, and here all do.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from common import DAY_MS, NOW_MS, measure_and_keep, unit_vectors, write_items
from pinnersage import PinnerSage
from pinnersage.interests.clustering import known_clusters_kept
from pinnersage.model.incoming import incoming
from pinnersage.model.live import LiveModel
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.events import NewAction
from served_world import N_CENTERS, action_table, draw

DIM, GROUP = 64, 20_000


def die_after_the_journal(live: LiveModel, group: list[NewAction]) -> None:
    """Do what a writer does until the journal has the events, and no more."""
    opened = live.opened()
    checked = incoming(opened, group, opened.kinds, time.time_ns() // 1_000_000, 0)
    entries = [entry for entry in checked if isinstance(entry, ActionEntry)]
    live.journal().append(entries)


def told(live: LiveModel, user: str) -> tuple[Any, ...]:
    """Return a record in ids and names."""
    opened = live.opened()
    record, ids_of, kinds = opened.record(user), opened.items.vocabulary.ids_of, opened.kinds
    return (
        record.as_of_ms, ids_of(record.item_rows), record.times_ms.tobytes(), record.weights.tobytes(),
        [kinds[code] for code in record.kinds.tolist()], record.event_keys.tobytes(), record.labels.tobytes(),
        ids_of(record.medoid_rows), record.importances.tobytes(), sorted(ids_of(record.seen_rows)),
    )  # fmt: skip


def run(quick: bool = False) -> dict[str, Any]:
    """Stream and compare, then once more with all known clusters kept; return the figures of both."""
    found = stream(quick)
    with known_clusters_kept():
        kept = stream(quick)
    told = ("n_records_compared", "n_differing", "n_missing", "cpu_ms_per_event")
    return found | {"known_clusters_kept": {name: kept[name] for name in told}}


def stream(quick: bool) -> dict[str, Any]:
    """Stream, compare and return the figures."""
    n, n_users, n_items = (20_000, 200, 4_000) if quick else (2_000_000, 20_000, 20_000)
    rng = np.random.default_rng(8)
    log = draw(n, n_users, n_items, NOW_MS - rng.integers(0, 120 * DAY_MS, n), seed=7)
    first, rest = log[: n // 2], log[n // 2 :]
    arriving = [*rest, *(rest[i] for i in rng.integers(0, len(rest), len(rest) // 10))]
    arriving += [first[i] for i in rng.integers(0, len(first), len(first) // 10)]
    arriving = [arriving[i] for i in rng.permutation(len(arriving))]
    size = min(GROUP, len(arriving) // 8)
    groups = [arriving[i : i + size] for i in range(0, len(arriving), size)]
    counts: dict[str, int] = {}
    n_reopened = n_died = n_landed = 0
    cpu_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "model"
        write_items(Path(folder) / "items.parquet", unit_vectors(n_items, DIM, N_CENTERS, 1.0, seed=1))
        items = Path(folder) / "items.parquet"
        PinnerSage.build(items, action_table(first), path=home).close()
        live = LiveModel(home)
        for number, group in enumerate(groups):
            started = time.process_time()
            if number % 5 == 4:
                die_after_the_journal(live, group)
                live.close()
                live, n_died, n_reopened = LiveModel(home), n_died + 1, n_reopened + 1
            else:
                for outcome in live.add_actions(group):
                    counts[outcome.status] = counts.get(outcome.status, 0) + 1
            cpu_s += time.process_time() - started
            if number == len(groups) // 2:
                PinnerSage.build(items, action_table(first), path=home).close()
                n_landed += 1
        batch_home = Path(folder) / "batch"
        PinnerSage.build(items, action_table(log), path=batch_home).close()
        with LiveModel(batch_home) as batch:
            users = list(batch.opened().store.user_ids())
            n_differing = sum(told(live, str(user)) != told(batch, str(user)) for user in users)
            n_missing = len(users) - len(live.opened().store)
        live.close()
    return {
        "n_events_online": len(arriving), "n_events_built": len(first), "n_users": n_users,
        "n_items": n_items, "dim": DIM, "group": size, "outcomes": counts, "n_reopened": n_reopened,
        "n_writers_that_died": n_died, "n_batches_landed": n_landed, "n_records_compared": len(users),
        "n_differing": n_differing, "n_missing": n_missing,
        "cpu_ms_per_event": round(cpu_s * 1e3 / len(arriving), 4),
        "command": "python benchmarks/bench_stream.py",
    }  # fmt: skip


if __name__ == "__main__":
    measure_and_keep("stream", __doc__, run)

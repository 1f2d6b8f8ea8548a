"""Processor time of the exact online update: users of 200 actions, items of 256 dimensions.

    python benchmarks/bench_update.py            writes benchmarks/results/update.json
    python benchmarks/bench_update.py --quick    fewer users and events, prints only

``fold``: the pure function alone, from records in memory to new records, one event or a group of 500 to a
call. ``live``: :meth:`LiveModel.add_actions` on files: checked, in the journal and in the store when it
returns; with the journal on the disk (``disk``) and in the operating system (``process``). Processor time
counts all threads, the kernel's part included; waiting for the disk is no processor time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from common import NOW_MS, measure_and_keep
from pinnersage import PinnerSage
from pinnersage.config import BuildConfig, IndexConfig
from pinnersage.model.home import Durability
from pinnersage.model.live import LiveModel
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.writing import state_of
from pinnersage.streaming.entries import action_entry
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.folding import Known, fold
from served_world import DIM, draw, write_tables

N_ACTIONS, GROUP = 200, 500


def build(home: Path, n_users: int, n_items: int) -> None:
    """Build a model in which every user has 200 actions in the window."""
    items, actions = write_tables(home.parent, n_users, N_ACTIONS, n_items)
    PinnerSage.build(items, actions, path=home, config=BuildConfig(index=IndexConfig(seed=1))).close()


def cpu_ms_per_event(
    call: Callable[[Sequence[NewAction]], object], groups: list[list[NewAction]]
) -> list[float]:
    """Return the processor time of each group, in milliseconds per event."""
    found = []
    for group in groups:
        started = time.process_time()
        call(group)
        found.append((time.process_time() - started) * 1e3 / len(group))
    return found


def in_groups(events: list[NewAction], size: int) -> list[list[NewAction]]:
    return [events[i : i + size] for i in range(0, len(events), size)]


def folding(opened: OpenedGeneration) -> Callable[[Sequence[NewAction]], object]:
    """Return a call that folds events into records it has got already."""
    state = state_of(opened)
    users = list(opened.store.user_ids())
    records = dict(zip(users, opened.store.get_many(users), strict=True))

    def call(events: Sequence[NewAction]) -> object:
        nonlocal state
        entries = [action_entry(event, NOW_MS) for event in events]
        known = Known({e.user_id: record for e in entries if (record := records[e.user_id]) is not None})
        state, writes = fold(state, entries, known, opened.items, opened.config.interests)
        records.update(writes.records)
        return writes

    return call


def told(times: list[float]) -> dict[str, float]:
    p99 = float(np.quantile(times, 0.99))
    return {"median_cpu_ms": round(statistics.median(times), 4), "p99_cpu_ms": round(p99, 4)}


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and return all figures."""
    n_users, n_items = (100, 4_000) if quick else (1_000, 100_000)
    n_single, n_grouped = (600, 2_000) if quick else (2_000, 30_000)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "model"
        build(home, n_users, n_items)
        figures: dict[str, Any] = {}
        at = NOW_MS + np.arange(n_single + n_grouped)
        with LiveModel(home) as live:
            for size, n in ((1, n_single), (GROUP, n_grouped)):
                events = draw(n, n_users, n_items, at[:n], seed=4 + size)
                call = folding(live.opened())
                call(events[:GROUP])
                figures[f"fold_group_of_{size}"] = told(
                    cpu_ms_per_event(call, in_groups(events[GROUP:], size))
                )
        levels: tuple[Durability, ...] = ("process", "disk")
        for level in levels:
            with LiveModel(home, durability=level) as live:
                for size, n in ((1, n_single), (GROUP, n_grouped)):
                    events = draw(n, n_users, n_items, at[:n], seed=100 + len(figures))
                    live.add_actions([replace(event, event_id=f"warm{level}{size}") for event in events[:1]])
                    started = time.perf_counter()
                    found = told(cpu_ms_per_event(live.add_actions, in_groups(events, size)))
                    rate = n / (time.perf_counter() - started)
                    figures[f"live_{level}_group_of_{size}"] = found | {"events_per_s_wall": round(rate)}
    for found in figures.values():
        found["events_per_cpu_s"] = round(1e3 / found["median_cpu_ms"])
    about = {"n_users": n_users, "n_items": n_items, "dim": DIM, "n_actions_per_user": N_ACTIONS}
    return {**about, "group": GROUP, "figures": figures, "command": "python benchmarks/bench_update.py"}


if __name__ == "__main__":
    measure_and_keep("update", __doc__, run)

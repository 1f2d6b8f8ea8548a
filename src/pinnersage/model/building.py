"""From tables to the files of one generation, in the order the data flows."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pinnersage._arrays import Bools
from pinnersage._report import RowsRefusedError, refuse_together
from pinnersage._tables.engine import Progress
from pinnersage._times import rfc3339
from pinnersage.actions.staging import stage_actions
from pinnersage.batch.local import BatchCounts, build_users
from pinnersage.batch.popularity import Popularity
from pinnersage.config import BuildConfig
from pinnersage.errors import BadRowsWarning, DataError
from pinnersage.items.importing import import_items
from pinnersage.items.origin import LeakWarning
from pinnersage.items.table import ItemTable
from pinnersage.model.clock import wall_clock_ms
from pinnersage.model.ranking import RANKER, WholeLog, leak_of, whole_log, write_ranker
from pinnersage.model.taken_back import N_LOG_RETRACTIONS, write_taken_back
from pinnersage.ranking.required import check_ranker_wanted
from pinnersage.retrieval.faiss_index import build_index, open_index
from pinnersage.store.lmdb import LmdbStore

ITEMS, STORE, INDEX, POPULARITY = "items", "store", "index", "popularity.npy"


class Stopwatch:
    """Seconds spent in each stage of a build."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner_s = 0.0

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time inside the block to a stage, but for that of stages measured within."""
        started, outer_s, self._inner_s = time.perf_counter(), self._inner_s, 0.0
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + spent - self._inner_s, 3)
            self._inner_s = outer_s + spent


def pool_of(items: ItemTable, config: BuildConfig) -> Bools:
    """Return which items may be candidates: available, and good enough where a quality is known."""
    return items.candidates(config.index.min_quality)


def write_generation(
    directory: Path,
    items: Any,
    actions: Any,
    config: BuildConfig,
    *,
    now_ms: int | None,
    embeddings_npy: Any = None,
    progress: Progress | None = None,
    users_as_text: bool = False,
) -> dict[str, Any]:
    """Write items, store, index and perhaps a ranker below ``directory``; return what the manifest says.

    ``users_as_text`` keeps the ids of users as text also where this log has integers alone.
    """
    check_ranker_wanted(config)
    watch = Stopwatch()
    with watch.measure("items_s"):
        table, items_report = import_items(
            items, directory / ITEMS, config.imports, embeddings_npy=embeddings_npy, progress=progress
        )
    with watch.measure("actions_s"):
        people = _build_people(directory, table, actions, config, now_ms, watch, progress, users_as_text)
    with watch.measure("index_s"):
        pool = pool_of(table, config)
        index = build_index(
            table.embeddings, pool, directory / INDEX, config.index,
            config.n_threads or os.cpu_count() or 1, _staged("building index", progress),
        )  # fmt: skip
    return {
        "as_of": rfc3339(people["now_ms"]),
        **{name: people[name] for name in ("now_ms", "user_kind", "kinds", N_LOG_RETRACTIONS)},
        "item_kind": table.vocabulary.kind,
        "config": config.model_dump(mode="json"),
        "counts": _item_counts(table, pool) | people["counts"],
        "index": {"kind": index.kind, "reason": index.reason},
        **_of_embeddings(table, people["now_ms"], config),
        "ranker": _write_ranker(directory, people["whole_log"], table, pool, config, people["now_ms"], watch),
        "reports": {"items": items_report.to_dict(), "actions": people["report"]},
        "timings": watch.seconds,
    }


def warnings_of(manifest: dict[str, Any]) -> Iterator[UserWarning]:
    """Yield what a caller should hear of a build that succeeded: rows left out, leaks."""
    for report in manifest["reports"].values():
        if report["n_bad"]:
            table, n_bad, n_rows = report["table"], report["n_bad"], report["n_rows"]
            reasons = ", ".join(f"{name} {count:,}" for name, count in report["reasons"].items())
            yield BadRowsWarning(
                f"{table}: {n_bad:,} of {n_rows:,} rows are left out ({reasons}); "
                f"summary()['reports']['{table}'] has the first of them"
            )
    for told in manifest["warnings"]:
        yield LeakWarning(told)


def _item_counts(table: ItemTable, pool: Bools) -> dict[str, int]:
    n_dimensions = table.embeddings.shape[1]
    return {"n_items": len(table), "n_pool_items": int(pool.sum()), "n_dimensions": n_dimensions}


def _of_embeddings(table: ItemTable, now_ms: int, config: BuildConfig) -> dict[str, Any]:
    leak = leak_of(table, now_ms, config)
    origin = None if table.origin is None else table.origin.to_dict()
    return {"embeddings": origin, "warnings": [leak] if leak else []}


def _write_ranker(
    directory: Path,
    actions: WholeLog | None,
    table: ItemTable,
    pool: Bools,
    config: BuildConfig,
    now_ms: int,
    watch: Stopwatch,
) -> dict[str, Any] | None:
    """Fit and write the second stage, where one is wanted."""
    if actions is None:
        return None
    with watch.measure("ranker_s"):
        index = open_index(directory / INDEX, table.embeddings)
        return write_ranker(directory / RANKER, actions, table, index, pool, config, now_ms)


def _build_people(
    directory: Path,
    table: ItemTable,
    actions: Any,
    config: BuildConfig,
    now_ms: int | None,
    watch: Stopwatch,
    progress: Progress | None,
    users_as_text: bool,
) -> dict[str, Any]:
    """Write everybody's record; return what the manifest says of the log and of them."""
    with stage_actions(
        actions, table.vocabulary, config.imports, now_ms=now_ms, wall_clock_ms=wall_clock_ms(),
        work_dir=directory, n_threads=config.n_threads, progress=progress, users_as_text=users_as_text,
    ) as log:  # fmt: skip
        now_ms = log.newest_ms if now_ms is None else now_ms
        _check_now(now_ms, log.oldest_ms)
        with watch.measure("interests_s"), LmdbStore(directory / STORE, bulk=True) as store:
            popularity = Popularity(len(table))
            counts = build_users(
                log, table.embeddings, config.interests, now_ms, store,
                n_threads=config.n_threads, progress=progress, on_batch=popularity.add,
            )  # fmt: skip
            popularity.save(directory / POPULARITY)
        return {
            "now_ms": now_ms,
            "user_kind": log.user_kind,
            "kinds": log.kinds,
            N_LOG_RETRACTIONS: write_taken_back(directory, log),
            "whole_log": whole_log(log, table, now_ms) if config.ranking.fit_ranker else None,
            "report": log.report.to_dict(),
            "counts": _counted(counts, log.n_actions),
        }


def _counted(counts: BatchCounts, n_actions: int) -> dict[str, int]:
    n_until_now = counts.n_actions + counts.n_actions_outside + counts.n_repeats
    return {
        "n_users": counts.n_users,
        "n_actions_in_windows": counts.n_actions,
        "n_actions_outside_windows": counts.n_actions_outside,
        "n_repeated_actions": counts.n_repeats,
        "n_actions_after_now": n_actions - n_until_now,
        "n_interests": counts.n_interests,
    }


def _check_now(now_ms: int, oldest_ms: int) -> None:
    if oldest_ms > now_ms:
        raise DataError(
            f"actions: expected some at or before now ({rfc3339(now_ms)}), the oldest is of "
            f"{rfc3339(oldest_ms)}; pass a later --now (now=), or leave it out to take the newest action"
        )


def _staged(stage: str, progress: Progress | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(stage, done, total)


def validate(
    items: Any,
    actions: Any,
    config: BuildConfig | None = None,
    *,
    now: int | None = None,
    embeddings_npy: Any = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Check both tables as a build would, and keep nothing.

    Parameters
    ----------
    items, actions
        Paths, lists of paths, or tables in memory.
    config
        Only ``imports`` counts.
    now
        Milliseconds since 1970: actions up to here are not "in the future".
    embeddings_npy
        Matrix of embeddings in row order of the items.
    progress
        Called with stage, done, total.

    Returns
    -------
    report
        Rows read, kept and left out of each table, by reason, with examples.

    Raises
    ------
    BadRowsError
        When a build would refuse; of both tables, unless nothing at all is left of the items.
    """
    imports = (config or BuildConfig()).imports
    bearing = imports.model_copy(update={"strict": False, "max_bad_share": 1.0})
    with tempfile.TemporaryDirectory(prefix="pinnersage-validate-") as scratch:
        table, items_report = import_items(
            items, Path(scratch) / ITEMS, bearing, embeddings_npy=embeddings_npy, progress=progress
        )
        try:
            with stage_actions(
                actions, table.vocabulary, bearing, now_ms=now, wall_clock_ms=wall_clock_ms(),
                work_dir=scratch, progress=progress,
            ) as log:  # fmt: skip
                actions_report, times = log.report, (log.oldest_ms, log.newest_ms)
        except RowsRefusedError as error:  # Nothing is left of them.
            actions_report = error.report
    refuse_together([items_report, actions_report], imports)
    return {
        "items": items_report.to_dict(),
        "actions": actions_report.to_dict(),
        "oldest_action": rfc3339(times[0]),
        "newest_action": rfc3339(times[1]),
    }

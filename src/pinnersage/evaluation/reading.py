"""From tables to a log that can be replayed, read as a build would read them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnersage._tables.engine import Progress
from pinnersage.actions.staging import stage_actions
from pinnersage.config import ImportConfig
from pinnersage.errors import DataError
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.items.importing import import_items


def read_log(
    items: Any,
    actions: Any,
    config: ImportConfig | None = None,
    *,
    wall_clock_ms: int,
    impressions: Any = None,
    embeddings_npy: Any = None,
    min_quality: float | None = None,
    progress: Progress | None = None,
) -> tuple[ReplayLog, ReplayLog | None, dict[str, Any]]:
    """Read items and actions into memory.

    Interactions as RecTools has them (``user_id, item_id, datetime, weight``) are read as they are; items and
    their embeddings come from the table of items as always.

    Parameters
    ----------
    items, actions
        Paths, lists of paths, or tables in memory.
    config
        Mapping of columns, unit of times, how many bad rows are too many.
    wall_clock_ms
        The time of the call: what is more than a day later is in the future.
    impressions
        What users were shown; columns as of actions. None: not known.
    embeddings_npy
        Matrix of embeddings in row order of the items.
    min_quality
        As in :class:`~pinnersage.config.IndexConfig`: items below it are never in the pool.
    progress
        Told stage, done, total.

    Returns
    -------
    log
        To be replayed.
    shown
        The impressions, None without.
    reports
        Rows read, kept and left out of each table.

    Raises
    ------
    SchemaError, BadRowsError, DataError, UsageError
        As a build would.
    """
    imports = config or ImportConfig()
    with tempfile.TemporaryDirectory(prefix="pinnersage-evaluate-") as scratch:
        table, report = import_items(
            items, Path(scratch) / "items", imports, embeddings_npy=embeddings_npy, progress=progress
        )
        reports = {"items": report.to_dict()}
        logs = []
        for name, source in (("actions", actions), ("impressions", impressions)):
            if source is None:
                continue
            with stage_actions(
                source, table.vocabulary, imports, now_ms=None, wall_clock_ms=wall_clock_ms,
                work_dir=scratch, progress=progress,
            ) as log:  # fmt: skip
                log.report.raise_if_too_many(imports)
                reports[name] = log.report.to_dict()
                replayed = ReplayLog.from_action_log(log, table)
                logs.append(replace(replayed, available=table.candidates(min_quality)))
    shown = logs[1] if len(logs) > 1 else None
    if shown is not None and not {*shown.user_ids} & {*logs[0].user_ids}:
        raise DataError(
            f"impressions: expected users of the actions ({_ids_told(logs[0])}), found none of them among "
            f"those of the impressions ({_ids_told(shown)}); give both tables the same ids, of the same type"
        )
    return logs[0], shown, reports


def _ids_told(log: ReplayLog) -> str:
    kind = "integers" if isinstance(log.user_ids[0], int) else "texts"
    return f"{log.n_users:,} user{'' if log.n_users == 1 else 's'}, ids are {kind}"

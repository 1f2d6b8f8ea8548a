"""Evaluation in one call: tables in, a report out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pinnersage._times import to_ms
from pinnersage.config import BuildConfig
from pinnersage.evaluation.reading import read_log
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.running import MakeArms, Progress, evaluate_log
from pinnersage.evaluation.saved import check_report_directory
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.user_groups import check_group_by
from pinnersage.evaluation.user_table import opened_users
from pinnersage.evaluation.vectors import VectorSource


class Options(TypedDict, total=False):
    """What :func:`~pinnersage.evaluation.running.evaluate_log` takes besides."""

    n_days: int
    evaluation: EvaluationConfig | None
    arms: Sequence[str] | None
    more_arms: MakeArms | None
    vectors: VectorSource
    resume: bool
    page: bool
    allow_leak: bool


def evaluate(
    items: Any,
    actions: Any,
    *,
    out_dir: str | Path,
    config: BuildConfig | None = None,
    first_day: int | str | datetime | None = None,
    impressions: Any = None,
    users: Any = None,
    group_by: str | Sequence[str] = (),
    embeddings_npy: Any = None,
    about: dict[str, Any] | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Report:
    """Replay a log of actions and measure arms beside each other.

    Parameters
    ----------
    items, actions, impressions, embeddings_npy
        As in :func:`~pinnersage.evaluation.reading.read_log`.
    out_dir
        Directory of the report.
    config
        How tables are read and interests are made.
    first_day
        Start of the span, rounded down to midnight UTC; None: the last ``n_days`` days are measured.
    users, group_by
        A path, a list of paths, or a table in memory with ``user_id`` and what else is known of users;
        and its columns that they are grouped by, besides what the log says. Texts, booleans and numbers
        with up to 12 different values give named groups, more numbers give thirds. None: no table.
    about, progress, **options
        As in :func:`~pinnersage.evaluation.running.evaluate_log`.

    Returns
    -------
    Report
        Also written to ``out_dir/metrics.json`` and, to be read, ``out_dir/report.html``.

    Raises
    ------
    UsageError, SchemaError, BadRowsError, DataError
        The call or a table is wrong, or the span holds nothing to measure.
    """
    config = config or BuildConfig()
    check_group_by(group_by, has_users=users is not None)
    check_report_directory(Path(out_dir))
    with ExitStack() as stack:
        table = None
        if users is not None:
            table = stack.enter_context(opened_users(users, group_by, config.imports, progress=progress))
        log, shown, reports = read_log(
            items, actions, config.imports, wall_clock_ms=time.time_ns() // 1_000_000,
            impressions=impressions, embeddings_npy=embeddings_npy, min_quality=config.index.min_quality,
            progress=progress,
        )  # fmt: skip
        user_columns = table.columns_of(log.user_ids) if table else None
        reports |= {"users": table.report.to_dict()} if table else {}
    return evaluate_log(
        log, out_dir=out_dir, config=config, first_day_ms=to_ms(first_day), impressions=shown,
        user_columns=user_columns, about={"tables": reports} | (about or {}), progress=progress, **options,
    )  # fmt: skip

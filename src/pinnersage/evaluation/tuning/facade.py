"""Tuning in one call: tables in, settings and what they are worth out."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pinnersage._times import to_ms
from pinnersage.config import BuildConfig
from pinnersage.evaluation.reading import read_log
from pinnersage.evaluation.tuning.result import TuningResult, check_out
from pinnersage.evaluation.tuning.running import tune_log
from pinnersage.evaluation.tuning.search import Progress
from pinnersage.evaluation.tuning.settings import TuningSettings
from pinnersage.evaluation.vectors import VectorSource


def tune(
    items: Any,
    actions: Any,
    *,
    out: str | Path | None = None,
    config: BuildConfig | None = None,
    tuning: TuningSettings | None = None,
    until: int | str | datetime | None = None,
    embeddings_npy: Any = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    allow_leak: bool = False,
    vectors: VectorSource = "given",
) -> TuningResult:
    """Choose alpha, lambda, number of interests and budget rule by replay of a log of actions.

    Embeddings that were learnt from the actions of the days replayed make every figure too good, and may
    mislead the choice: learn them from what came before, or let ``vectors`` do it. Those of ``pinnersage
    embed`` tell up to when they know the log, and are refused; of others nothing is known, so nothing is
    checked.

    Parameters
    ----------
    items, actions, embeddings_npy
        As in :func:`~pinnersage.evaluation.reading.read_log`.
    out
        A TOML file for ``--config``, written at the end, whole or not at all.
    config
        How tables are read, and what is called the default. With ``ranking.fit_ranker`` a second
        stage is tried, too.
    tuning
        Spans, metric, bounds, seed.
    until
        Nothing from midnight UTC before this on is read. None: the whole log.
    progress
        Told what is tried, users asked, users to ask at most.
    clock
        Seconds, for ``max_seconds``.
    allow_leak
        Go on with embeddings that have seen the days replayed; the result says so.
    vectors
        The items' own embeddings, or such as are learnt from the log (``log``), or the two fused: settings
        are compared on what was learnt before the training days, and judged on what was learnt before the
        held-out days; each moment that a second stage learns at has those from before that moment.

    Returns
    -------
    TuningResult
        ``result.config`` is what to build with.

    Raises
    ------
    UsageError, SchemaError, BadRowsError, DataError, UnavailableError
        The call or a table is wrong, there is nothing before ``until`` or to learn embeddings from, or an
        extra is missing.
    """
    if out is not None:
        check_out(out)
    config, until_ms = config or BuildConfig(), to_ms(until)
    log, _, reports = read_log(
        items, actions, config.imports,
        wall_clock_ms=time.time_ns() // 1_000_000, embeddings_npy=embeddings_npy,
        min_quality=config.index.min_quality, progress=progress,
    )  # fmt: skip
    result = tune_log(
        log, config=config, tuning=tuning, until_ms=until_ms, about={"tables": reports}, progress=progress,
        clock=clock, allow_leak=allow_leak, vectors=vectors,
    )  # fmt: skip
    if out is not None:
        result.write(out)
    return result

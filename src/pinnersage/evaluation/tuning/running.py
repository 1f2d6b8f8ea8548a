"""Chooses settings on the training days of a log, then measures them on the held-out days."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from pinnersage._arrays import Float64s
from pinnersage._times import rfc3339
from pinnersage.config import MS_PER_DAY, BuildConfig, RankingConfig
from pinnersage.errors import DataError, UsageError
from pinnersage.evaluation.arms.served import served_arm
from pinnersage.evaluation.bootstrap import means, resamples
from pinnersage.evaluation.cosines import Cosines
from pinnersage.evaluation.leaks import embeddings_said
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.settings import n_items_of
from pinnersage.evaluation.tuning import words
from pinnersage.evaluation.tuning.comparing import Pairs
from pinnersage.evaluation.tuning.moments import (
    drawn_users,
    held_out_days,
    n_targets_of,
    narrowed,
    training_moments,
    users_of,
    walked,
)
from pinnersage.evaluation.tuning.result import Choice, HeldOut, TuningResult, choices_of
from pinnersage.evaluation.tuning.scoring import Measure, Scores, fit_before
from pinnersage.evaluation.tuning.search import Progress, Search
from pinnersage.evaluation.tuning.settings import TuningSettings
from pinnersage.evaluation.tuning.shared import shared_parts
from pinnersage.evaluation.tuning.space import SECOND_STAGE, SPACE, keys_of, values_of, with_values
from pinnersage.ranking.leaks import ranker_leak
from pinnersage.ranking.required import check_ranker_wanted
from pinnersage.retrieval._scores import as_matrix
from pinnersage.retrieval.balance import unit_rows

HELD_OUT = "held-out days"
_NO_RANKER = "tune without --ranker (fit_ranker=False)"


def tune_log(
    log: ReplayLog,
    *,
    config: BuildConfig | None = None,
    tuning: TuningSettings | None = None,
    until_ms: int | None = None,
    about: dict[str, Any] | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    allow_leak: bool = False,
) -> TuningResult:
    """Choose settings on a log.

    Parameters
    ----------
    log
        All actions.
    config, tuning, progress, clock, allow_leak
        As in :func:`~pinnersage.evaluation.tuning.facade.tune`.
    until_ms
        The cut, rounded down to midnight UTC. None: the end of the day of the newest action.
    about
        Said in the result as it is.

    Raises
    ------
    UsageError
        The embeddings have seen the days replayed, or the mode is ``ranked`` without a second stage.
    DataError
        There is no action before the cut.
    UnavailableError
        A second stage is to be tried, and scikit-learn is not installed.
    """
    started, tuning = clock(), tuning or TuningSettings()
    with_ranker, default = _default(config or BuildConfig(), tuning)
    until_ms = _cut(log, until_ms)
    known, judged_ms = log.before(until_ms), until_ms - tuning.held_out_days * MS_PER_DAY
    moments = training_moments(known, judged_ms, tuning, default.interests.window_ms)
    days = [moment.day for moment in moments]
    users, n_targets = users_of(days), n_targets_of(days, tuning.targets)
    ranking = default.ranking if with_ranker else None
    said = embeddings_said(log.origin, days[0].start_ms, "tune", allowed=allow_leak, ranking=ranking)
    said = _about(known, until_ms, judged_ms, days, tuning) | said | (about or {})
    said["notes"] = _notes(log, days[0].start_ms, ranking)
    too_little = words.too_little(len(users), n_targets, tuning.min_users, tuning.min_targets)
    if too_little:
        return _nothing_chosen(said, default, with_ranker, too_little)
    measure = _measure(known, default, tuning, days[0], with_ranker=with_ranker)
    asked = drawn_users(users, tuning.max_users, tuning.seed)
    scores = Scores(known.before(judged_ms), moments, asked, measure)
    pairs = Pairs(tuning.n_resamples, tuning.seed)
    time_is_up = _clock_of(tuning, clock, started)
    search = Search(scores, pairs, default, tuning.min_users, tuning.max_trials, time_is_up, progress)
    chosen = search.run(with_ranker=with_ranker)
    gain = pairs.gain(scores.of(chosen, scores.n_users), scores.of(default, scores.n_users))
    said |= {"n_users_asked": scores.n_users, "n_settings_tried": scores.n_trials}
    held_out = _held_out(known, judged_ms, default, chosen, measure, pairs, progress)
    groups = {group.name: values_of(default, keys_of(group)) for group in (*SPACE, *SECOND_STAGE)}
    choices = choices_of(search.steps, groups)
    said |= {"n_items_per_list": measure.n_items, "seconds": round(clock() - started, 3)}
    told = words.summary(said, choices, held_out)
    return TuningResult(said, default, chosen, choices, tuple(search.steps), gain, held_out, told)


def _notes(log: ReplayLog, first_ms: int, ranking: RankingConfig | None) -> list[str]:
    leak = None if ranking is None else ranker_leak(log.origin, first_ms, ranking, _NO_RANKER)
    return [] if leak is None else [f"Of the second stage: {leak}."]


def _clock_of(tuning: TuningSettings, clock: Callable[[], float], started: float) -> Callable[[], bool]:
    return lambda: tuning.max_seconds is not None and clock() - started > tuning.max_seconds


def _default(config: BuildConfig, tuning: TuningSettings) -> tuple[bool, BuildConfig]:
    """Return whether a second stage is to be tried, and the configuration to compare with, without one."""
    repeats, mode = tuning.targets == "all", config.retrieval.mode
    if not repeats and not config.retrieval.exclude_seen:
        raise UsageError(
            "retrieval.exclude_seen is false, so lists may repeat what was seen; tune for such lists with "
            "--targets all (from Python: TuningSettings(targets='all'))"
        )
    check_ranker_wanted(config)
    return config.ranking.fit_ranker, with_values(
        config,
        {
            "ranking.fit_ranker": False,
            "ranking.repeats": repeats,
            "retrieval.exclude_seen": not repeats,
            "retrieval.mode": "sampled" if mode == "ranked" else mode,
        },
    )


def _cut(log: ReplayLog, until_ms: int | None) -> int:
    newest_ms, oldest_ms = int(log.times_ms.max()), int(log.times_ms.min())
    if until_ms is None:
        return (newest_ms // MS_PER_DAY + 1) * MS_PER_DAY
    cut_ms = min(until_ms, newest_ms + MS_PER_DAY) // MS_PER_DAY * MS_PER_DAY
    if cut_ms <= oldest_ms:
        raise DataError(
            f"nothing to tune on before {rfc3339(cut_ms)}: expected actions there, the log runs from "
            f"{rfc3339(oldest_ms)} to {rfc3339(newest_ms)}"
        )
    return cut_ms


def _measure(
    log: ReplayLog,
    config: BuildConfig,
    tuning: TuningSettings,
    first_day: Day,
    *,
    with_ranker: bool,
) -> Measure:
    n_items = n_items_of(tuning.budget, int(first_day.pool.sum()))
    shared = shared_parts(config, log, n_items, with_ranker=with_ranker, seed=tuning.seed)
    cosines = Cosines(as_matrix(unit_rows(log.embeddings)), np.empty((0, 0), np.float32))
    return Measure(tuning, n_items, shared, cosines, config.n_threads or os.cpu_count() or 1)


def _held_out(
    log: ReplayLog, judged_ms: int, default: BuildConfig, chosen: BuildConfig, measure: Measure, pairs: Pairs,
    progress: Progress | None,
) -> HeldOut:  # fmt: skip
    tuning = measure.settings
    days = held_out_days(log, judged_ms, tuning, default.interests.window_ms)
    users = drawn_users(users_of(days), tuning.max_users, tuning.seed)
    places = np.full(log.n_users, -1, np.int32)
    places[users] = np.arange(len(users))
    days = [narrowed(day, places >= 0) for day in days]
    figures: list[Float64s] = []
    for n_done, config in enumerate([default, chosen] if chosen != default else [default], 1):
        arm, sums = served_arm(config, measure.shared), measure.empty(len(users))
        fit_before(arm, log, judged_ms)
        measure.add(arm, walked(log, days), places, sums)
        figures.append(measure.figures(sums))
        if progress:
            progress(HELD_OUT, n_done, 2)
    old, new = figures[0], figures[-1]
    told = means(np.stack((old, new), axis=1), resamples(len(users), tuning.n_resamples, tuning.seed))
    lift = pairs.lift(new, old) if chosen != default else None
    return HeldOut(told[0], told[1], lift, len(users), n_targets_of(days, tuning.targets))


def _nothing_chosen(about: dict[str, Any], default: BuildConfig, with_ranker: bool, why: str) -> TuningResult:
    groups = (*SPACE, *SECOND_STAGE[: 1 if with_ranker else 0])
    choices = []
    for group in groups:
        values = values_of(default, keys_of(group))
        choices.append(Choice(group.name, values, values, None, why))
    told = words.nothing_chosen(about, choices, why)
    return TuningResult(about, default, default, tuple(choices), sentences=told)


def _about(
    log: ReplayLog, until_ms: int, judged_ms: int, days: list[Day], tuning: TuningSettings
) -> dict[str, Any]:
    return {
        "version": version("pinnersage"),
        "data": {
            "n_users": int((np.diff(log.offsets) > 0).sum()),
            "n_items": log.n_items,
            "n_actions": len(log.item_rows),
            "oldest_action": rfc3339(int(log.times_ms.min())),
            "newest_action": rfc3339(int(log.times_ms.max())),
        },
        "train": {
            "from": rfc3339(days[0].start_ms),
            "until": rfc3339(judged_ms),
            "asked_at": [rfc3339(day.start_ms) for day in days],
            "n_users": len(users_of(days)),
            "n_targets": n_targets_of(days, tuning.targets),
        },
        "held_out": {"from": rfc3339(judged_ms), "until": rfc3339(until_ms)},
        "tuning": tuning.model_dump(mode="json"),
    }

"""Chooses settings on the training days of a log, then measures them on the held-out days."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from pinnersage._arrays import Float64s
from pinnersage._times import rfc3339
from pinnersage.config import MS_PER_DAY, BuildConfig
from pinnersage.errors import DataError, UsageError
from pinnersage.evaluation.arms.served import served_arm
from pinnersage.evaluation.bootstrap import Estimate, means, resamples
from pinnersage.evaluation.cosines import without_table
from pinnersage.evaluation.leaks import said_of_tuned
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.settings import n_items_of
from pinnersage.evaluation.tuning import words
from pinnersage.evaluation.tuning.comparing import Pairs
from pinnersage.evaluation.tuning.moments import (
    PastMoment,
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
from pinnersage.evaluation.tuning.steps import Step
from pinnersage.evaluation.vectors import VectorsAt, VectorSource, embedded_at, vectors_of
from pinnersage.ranking.required import check_ranker_wanted

HELD_OUT = "held-out days"
_LATER = "fewer --train-days or a later --until (from Python: train_days, until=)"


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
    vectors: VectorSource = "given",
) -> TuningResult:
    """Choose settings on a log.

    Parameters
    ----------
    log
        All actions.
    config, tuning, progress, clock, allow_leak, vectors
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
        There is no action before the cut, or none before the training days to learn embeddings from.
    UnavailableError
        A second stage is to be tried, or embeddings are to be learnt, and a library is not installed.
    """
    started, tuning = clock(), tuning or TuningSettings()
    with_ranker, default = _default(config or BuildConfig(), tuning)
    until_ms = _cut(log, until_ms)
    known, judged_ms = log.before(until_ms), until_ms - tuning.held_out_days * MS_PER_DAY
    moments = training_moments(known, judged_ms, tuning, default.interests.window_ms)
    days = [moment.day for moment in moments]
    ranking = default.ranking if with_ranker else None
    first_ms = days[0].start_ms
    said = said_of_tuned(log, vectors, first_ms, ranking, allowed=allow_leak)
    said = _about(known, until_ms, judged_ms, days, tuning) | said | (about or {})
    fallback = _fallback(config, default)
    if too_little := _too_little(days, tuning):
        return _nothing_chosen(said, default, fallback, with_ranker, too_little)
    vectors_at = vectors_of(known, vectors, later=_LATER, n_kept=2 + default.ranking.n_moments)
    trained = embedded_at(known, vectors_at, first_ms)
    measure = _measure(trained, default, tuning, days[0], with_ranker=with_ranker, vectors_at=vectors_at)
    pairs = Pairs(tuning.n_resamples, tuning.seed)
    time_is_up = _clock_of(tuning, clock, started)
    scores = _scores(trained, judged_ms, moments, measure)
    search = Search(scores, pairs, default, tuning.min_users, tuning.max_trials, time_is_up, progress)
    search.guesses_mode = fallback != default
    found = _found(search, with_ranker=with_ranker)
    said |= {"n_users_asked": scores.n_users, "n_settings_tried": found.n_tried}
    del search, scores  # their neighbor lists make room for those over newer embeddings
    measure, judged = measure.as_of(judged_ms), embedded_at(known, vectors_at, judged_ms)
    held_out = _held_out(judged, judged_ms, default, found.config, measure, pairs, progress)
    said |= {"n_items_per_list": measure.n_items, "seconds": round(clock() - started, 3)}
    return _result(said, default, found, held_out, fallback)


def _too_little(days: list[Day], tuning: TuningSettings) -> str | None:
    n_users, n_targets = len(users_of(days)), n_targets_of(days, tuning.targets)
    return words.too_little(n_users, n_targets, tuning.min_users, tuning.min_targets)


def _scores(log: ReplayLog, judged_ms: int, moments: list[PastMoment], measure: Measure) -> Scores:
    """Return figures of users drawn from the training days, with the embeddings of ``log``."""
    tuning = measure.settings
    asked = drawn_users(users_of(moment.day for moment in moments), tuning.max_users, tuning.seed)
    moments = [moment.with_embeddings(log.embeddings) for moment in moments]
    return Scores(log.before(judged_ms), moments, asked, measure)


class _Found(NamedTuple):
    """What the training days chose, how, and its gain over the default there."""

    config: BuildConfig
    steps: list[Step]
    gain: Estimate
    guessed: bool
    n_tried: int


def _found(search: Search, *, with_ranker: bool) -> _Found:
    chosen, scores = search.run(with_ranker=with_ranker), search.scores
    n_tried = scores.n_trials  # a guess need not have been tried
    figures = [scores.of(config, scores.n_users) for config in (chosen, search.first_config)]
    return _Found(chosen, search.steps, search.pairs.gain(*figures), search.guessed, n_tried)


def _result(
    about: dict[str, Any], default: BuildConfig, found: _Found, held_out: HeldOut, fallback: BuildConfig
) -> TuningResult:
    groups = {group.name: values_of(default, keys_of(group)) for group in (*SPACE, *SECOND_STAGE)}
    choices = choices_of(found.steps, groups)
    told = words.summary(about, choices, held_out, guessed=found.guessed)
    unproved = fallback if found.guessed else None
    return TuningResult(
        about, default, found.config, choices, tuple(found.steps), found.gain, held_out, told, unproved
    )


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
    if not len(log.before(cut_ms).item_rows):
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
    vectors_at: VectorsAt | None = None,
) -> Measure:
    n_items = n_items_of(tuning.budget, int(first_day.pool.sum()))
    shared = shared_parts(
        config, log, n_items, with_ranker=with_ranker, seed=tuning.seed, vectors_at=vectors_at
    )
    n_threads = config.n_threads or os.cpu_count() or 1
    return Measure(tuning, n_items, shared, without_table(log.embeddings), n_threads)


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
    lift, gain = (pairs.lift(new, old), pairs.gain(new, old)) if chosen != default else (None, None)
    return HeldOut(told[0], told[1], lift, gain, len(users), n_targets_of(days, tuning.targets))


def _fallback(config: BuildConfig | None, default: BuildConfig) -> BuildConfig:
    """Return what to build with where nothing can be chosen: balanced lists, unless a mode was asked for."""
    retrieval = (config or BuildConfig()).retrieval
    is_asked_for = "mode" in retrieval.model_fields_set and retrieval.mode == default.retrieval.mode
    return default if is_asked_for else with_values(default, {"retrieval.mode": "balanced"})


def _nothing_chosen(
    about: dict[str, Any], default: BuildConfig, fallback: BuildConfig, with_ranker: bool, why: str
) -> TuningResult:
    groups = (*SPACE, *SECOND_STAGE[: 1 if with_ranker else 0])
    choices = []
    for group in groups:
        old, new = (values_of(config, keys_of(group)) for config in (default, fallback))
        choices.append(Choice(group.name, old, new, None, why if old == new else words.safer(why)))
    told = words.nothing_chosen(
        about, choices, why, fallback.retrieval.mode, changed=fallback != default, with_ranker=with_ranker
    )
    return TuningResult(about, default, fallback, tuple(choices), sentences=told)


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

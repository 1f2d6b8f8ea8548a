"""Runs arms over days, keeps each one's result when it is done, and puts them beside each other."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnersage._times import rfc3339
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY, BuildConfig
from pinnersage.errors import DataError, UsageError
from pinnersage.evaluation import saved
from pinnersage.evaluation.about import about_of, n_items_of_first_day, span_facts
from pinnersage.evaluation.arms.names import GROUPS, arm_names
from pinnersage.evaluation.arms.registry import make_arms
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.basis import FairnessBasis, fairness_basis
from pinnersage.evaluation.contexts import Evaluated, context_of, cosines_of, evaluated_users, pool_ever
from pinnersage.evaluation.counterfactual import shares_gone
from pinnersage.evaluation.leaks import notes_on_rankers, said_of_evaluated
from pinnersage.evaluation.measuring import Course, measure
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.quality import drawn_users, interest_quality
from pinnersage.evaluation.replay import Arm, Day, ReplayLog, walk
from pinnersage.evaluation.report import Report
from pinnersage.evaluation.settings import EvaluationConfig, label, main_budget, n_items_of
from pinnersage.evaluation.state import KnownBefore, RecordCache
from pinnersage.evaluation.user_groups import UserColumn, check_columns
from pinnersage.evaluation.vectors import VectorSource, embedded_at, vectors_of
from pinnersage.evaluation.verdict import baselines, pairs, sentences

Progress = Callable[[str, int, int | None], None]
MakeArms = Callable[[ReplayLog, Parts], Sequence[Arm]]
DEFAULT_DAYS = 14
MAX_DAYS = 3_660
_SPARE_DEPTH = 512


def evaluate_log(
    log: ReplayLog,
    *,
    out_dir: str | Path,
    config: BuildConfig | None = None,
    evaluation: EvaluationConfig | None = None,
    first_day_ms: int | None = None,
    n_days: int = DEFAULT_DAYS,
    arms: Sequence[str] | None = None,
    more_arms: MakeArms | None = None,
    vectors: VectorSource = "given",
    impressions: ReplayLog | None = None,
    user_columns: Mapping[str, UserColumn] | None = None,
    about: dict[str, Any] | None = None,
    progress: Progress | None = None,
    resume: bool = True,
    page: bool = True,
    allow_leak: bool = False,
) -> Report:
    """Measure arms on a log, day by day, and write ``metrics.json`` and ``report.html``.

    Parameters
    ----------
    log
        All actions.
    out_dir
        Directory of the report; made if missing. Results of finished arms stay in ``arms/`` below.
    config
        How interests are made.
    evaluation
        Budgets, metrics, seeds.
    first_day_ms, n_days
        The span; None: the last ``n_days`` days of the log. Rounded down to midnight, UTC.
    arms
        Names of arms and groups of arms (see :func:`~pinnersage.evaluation.arms.names.arm_names`);
        None: the untrained ones that the data allow, and what ``config`` would serve.
    more_arms
        Makes further arms, which may use what the others share.
    vectors
        The log's own embeddings, or such as are learnt from the actions before the first day.
    impressions
        What users were shown; None: drawn from the pool.
    user_columns
        What users are grouped by besides, as :class:`~pinnersage.evaluation.user_table.UserTable` has it.
    about
        Said in the report as it is, for example where the tables came from.
    progress
        Told the arm and its place among them ("3/23 top-20"), days done, days in all.
    resume
        Take results of the same inputs and settings from ``out_dir``; without, replace what is there.
    page
        Whether to write ``report.html``.
    allow_leak
        Go on with embeddings that were learnt from actions of the span, or of later; the report says so.

    Raises
    ------
    UsageError
        The embeddings have seen what is to be predicted, an arm is not known, a name comes twice, or
        ``out_dir`` holds something else: with ``resume`` also the finished report of another log, span,
        vectors or impressions.
    DataError
        The span holds nothing to measure.
    """
    config, evaluation = config or BuildConfig(), evaluation or EvaluationConfig()
    check_columns(user_columns or {}, log.n_users)
    days = _days(log, _first_day(log, first_day_ms, n_days), n_days, config, evaluation)
    start_ms, budgets = days[0].start_ms, _budgets(days, evaluation)
    names, left_out = _names(log, arms)
    of_embeddings = said_of_evaluated(log, vectors, start_ms, names, config.ranking, allowed=allow_leak)
    said = about_of(log, days, n_days, budgets, config, evaluation, impressions, vectors)
    vectors_at = vectors_of(log, vectors)
    log = embedded_at(log, vectors_at, start_ms)
    parts = replace(_parts(log, config, evaluation, max(budgets.values())), vectors_at=vectors_at)
    chosen = _with_more(make_arms(names, log, parts, [*budgets.values()], config), log, parts, more_arms)
    place = _place(Path(out_dir), said, log, resume=resume)
    course, who, basis = _course(log, days, budgets, parts, config, evaluation, impressions)
    grouped = {name: column.of(who.users) for name, column in (user_columns or {}).items()}
    results, unable = _results(chosen, lambda arm, step: _result(arm, course, place, step, progress))
    said |= of_embeddings | {"notes": notes_on_rankers(results, log, vectors, start_ms, config.ranking)}
    said |= span_facts(log, course.contexts, days) | {"arms_left_out": left_out | unable} | (about or {})
    quality = _quality(log, days[0], who, config, evaluation, parts, _n_listed(budgets, basis), progress)
    draws = evaluation.n_resamples, evaluation.seed
    report = Report(said, budgets, results, who.traits(), basis.pool, *draws, basis, quality, grouped)
    return _written(report, Path(out_dir), page=page)


def _written(report: Report, directory: Path, *, page: bool) -> Report:
    values = report.to_dict(sentences(report), baselines(report), pairs(report))
    report.write(directory, values, page=page)
    return report


def _place(directory: Path, about: dict[str, Any], log: ReplayLog, *, resume: bool) -> saved.Place:
    """Take a directory for results of a log with the embeddings that arms are given."""
    saved.open_report_directory(directory)
    if resume:
        saved.refuse_other_study(directory, about)
    else:
        saved.empty_report_directory(directory)
    inputs = about | {"given_to_arms": saved.log_digest(log)}
    if not likes(log.weights).all():  # results of an earlier version counted these as liked
        inputs["without_weight"] = "seen, not liked"
    return saved.Place(directory, saved.inputs_digest(inputs))


def _names(log: ReplayLog, asked: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    has_categories = log.categories is not None and log.categories.max(initial=-1) >= 0
    return arm_names(asked, has_categories=has_categories)


def _results(
    arms: Sequence[Arm], measured: Callable[[Arm, str], saved.ArmResult]
) -> tuple[dict[str, saved.ArmResult], dict[str, str]]:
    """Return results by name, and the arms of ours that could not learn here, with the reason.

    What the others found is not lost with them; an arm made by the caller fails with the error itself.
    """
    results, unable = {}, {}
    ours = {name for names in GROUPS.values() for name in names}
    for i, arm in enumerate(arms, 1):
        try:
            results[arm.name] = measured(arm, f"{i}/{len(arms)} {arm.name}")
        except DataError as error:
            if arm.name not in ours:
                raise
            unable[arm.name] = str(error)
    if not results:
        raise DataError(f"no arm could be measured: {'; '.join(unable.values())}")
    return results, unable


def _result(
    arm: Arm, course: Course, place: saved.Place, step: str, progress: Progress | None
) -> saved.ArmResult:
    digest, n_days = saved.arm_digest(place.inputs, arm), len(course.contexts)

    def tell(n_done: int) -> None:
        if progress:
            progress(step, n_done, n_days)

    kept = saved.load(place.directory, arm.name, digest)
    if kept is not None:
        tell(n_days)
        return kept
    result = measure(arm, course, tell)
    saved.save(place.directory, digest, result)
    return result


def _first_day(log: ReplayLog, first_day_ms: int | None, n_days: int) -> int:
    if not 1 <= n_days <= MAX_DAYS:
        raise UsageError(f"expected 1 to {MAX_DAYS:,} days to measure, got {n_days}")
    if first_day_ms is None:
        newest_day = int(log.times_ms.max()) // MS_PER_DAY
        return (newest_day - n_days + 1) * MS_PER_DAY
    return first_day_ms // MS_PER_DAY * MS_PER_DAY


def _days(
    log: ReplayLog, start_ms: int, n_days: int, config: BuildConfig, evaluation: EvaluationConfig
) -> list[Day]:
    window_ms = config.interests.window_ms
    days = list(walk(log, start_ms, n_days, window_ms=window_ms, min_actions=evaluation.min_actions))
    if not any(day.n_users for day in days):
        raise DataError(
            f"nothing to measure in the {n_days} days from {rfc3339(start_ms)}: expected users who then act "
            f"with a weight above 0 and have {evaluation.min_actions} or more actions in the "
            f"{config.interests.window_days:g} days before; the log runs from "
            f"{rfc3339(int(log.times_ms.min()))} to {rfc3339(int(log.times_ms.max()))}"
        )
    return days


def _budgets(days: list[Day], evaluation: EvaluationConfig) -> dict[str, int]:
    n_pool = n_items_of_first_day(days)
    return {label(budget): n_items_of(budget, n_pool) for budget in evaluation.budgets}


def _parts(log: ReplayLog, config: BuildConfig, evaluation: EvaluationConfig, largest: int) -> Parts:
    n_threads = config.n_threads or os.cpu_count() or 1
    retrieval = config.retrieval
    depth = max(3, math.ceil(retrieval.n_candidates_per_slot)) * largest + _SPARE_DEPTH
    return Parts(
        NeighborLists(log.embeddings, depth, n_threads=n_threads), config.interests, RecordCache(),
        evaluation.seed, retrieval, cosines_of(log.embeddings), n_threads,
    )  # fmt: skip


def _with_more(arms: list[Arm], log: ReplayLog, parts: Parts, make: MakeArms | None) -> list[Arm]:
    arms = [*arms, *(make(log, parts) if make else ())]
    names = [arm.name for arm in arms]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled or not names:
        wrong = f"got {', '.join(doubled)} twice" if doubled else "got none that these data allow"
        raise UsageError(f"expected arms, each name once; {wrong}")
    return arms


def _course(
    log: ReplayLog,
    days: list[Day],
    budgets: dict[str, int],
    parts: Parts,
    config: BuildConfig,
    evaluation: EvaluationConfig,
    impressions: ReplayLog | None,
) -> tuple[Course, Evaluated, FairnessBasis]:
    who = evaluated_users(log, days, config.interests)
    basis = fairness_basis(log, days, who, pool_ever(days))
    known_before = KnownBefore(log, len(days))
    contexts, cosines = [], parts.cosines or cosines_of(log.embeddings)
    for day in days:
        if day.n_users:
            known = known_before(day.start_ms)
            records = parts.records.of_day(day, known, config.interests)
            contexts.append(context_of(day, known, who, records, evaluation, impressions, cosines))
    course = Course(
        contexts,
        known_before,
        cosines,
        list(budgets.values()),
        len(who.users),
        evaluation.relevance_cosine,
        evaluation.n_impressions_per_action,
        config.n_threads or os.cpu_count() or 1,
        basis,
    )
    return course, who, basis


def _n_listed(budgets: dict[str, int], basis: FairnessBasis) -> int:
    """Return the items of a list at the main budget."""
    return budgets[main_budget(budgets, int(basis.pool.sum()))]


def _quality(
    log: ReplayLog,
    day: Day,
    who: Evaluated,
    config: BuildConfig,
    evaluation: EvaluationConfig,
    parts: Parts,
    budget: int,
    progress: Progress | None,
) -> dict[str, Any]:
    if progress:
        progress("interest quality", 0, 1)
    draws: dict[str, Any] = {"seed": evaluation.seed, "n_resamples": evaluation.n_resamples}
    n_threads = config.n_threads or os.cpu_count() or 1
    quality = interest_quality(log, who.users, day.start_ms, config.interests, n_threads=n_threads, **draws)
    users = drawn_users(log.before(day.start_ms), who.users, evaluation.seed)
    quality |= shares_gone(log, users, day.start_ms, day.pool, parts, budget, **draws)
    if progress:
        progress("interest quality", 1, 1)
    return quality

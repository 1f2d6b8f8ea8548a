"""Walks one arm through all days: it predicts from what was known, then the day is revealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage.errors import UsageError
from pinnersage.evaluation.basis import FairnessBasis
from pinnersage.evaluation.clock import Clock
from pinnersage.evaluation.contexts import MODES, DayContext
from pinnersage.evaluation.cosines import N_RANKS, Cosines
from pinnersage.evaluation.exposure_errors import N_BLOCKS, block_of, half_widths
from pinnersage.evaluation.measures import (
    ALL,
    FIRST_TIME,
    METRICS,
    REPEAT,
    SLICES,
    measure_lists,
    measure_ranks,
)
from pinnersage.evaluation.neighbors import in_parts
from pinnersage.evaluation.replay import Arm, Day, Mode, ReplayLog, Scorer
from pinnersage.evaluation.saved import ArmResult, settings_of
from pinnersage.evaluation.timing import time_lists

_PARTS: dict[Mode, Int64s] = {"first_time": np.array([FIRST_TIME]), "all": np.array([REPEAT, ALL])}


@dataclass(frozen=True, slots=True)
class Course:
    """What all arms are walked through.

    Attributes
    ----------
    contexts
        One per day that has users.
    known_before
        Start of a day -> what was known then.
    cosines
        Of all items.
    budgets
        Items per list.
    n_places
        Users that are measured.
    least_cosine, n_impressions_per_action
        As in :class:`~pinnersage.evaluation.settings.EvaluationConfig`.
    n_threads
        Of the metrics.
    basis
        What exposure is held against; None: its errors are not told.
    """

    contexts: list[DayContext]
    known_before: Callable[[int], ReplayLog]
    cosines: Cosines
    budgets: list[int]
    n_places: int
    least_cosine: float
    n_impressions_per_action: int
    n_threads: int
    basis: FairnessBasis | None = None


def measure(arm: Arm, course: Course, tell: Callable[[int], None]) -> ArmResult:
    """Walk an arm through all days.

    Parameters
    ----------
    arm
        Fresh; it is fitted here, on what was known before the first day.
    course
        The days.
    tell
        Called with the number of days done.
    """
    found = Found.nothing(course)
    before = settings_of(arm)
    clock = Clock(getattr(arm, "fitting", None))
    if course.contexts and hasattr(arm, "fit"):
        start_ms = course.contexts[0].day.start_ms
        with clock.fit():
            arm.fit(course.known_before(start_ms), start_ms)
    for n_done, context in enumerate(course.contexts, 1):
        _measure_day(arm, course, context, clock, found)
        tell(n_done)
    if course.contexts:
        _time_lists(arm, course, clock)
    fitted: dict[str, Any] = arm.fitted() if hasattr(arm, "fitted") else {}
    is_oracle = bool(getattr(arm, "is_oracle", False))
    added_up = (
        found.sums,
        found.exposed.sum(axis=0, dtype=np.int32),
        found.by_rank,
        _errors(found.exposed, course.basis),
    )
    return ArmResult(arm.name, is_oracle, *added_up, clock.cost(), before | {"fitted": fitted})


def _errors(exposed: Int32s, basis: FairnessBasis | None) -> Float64s:
    """Return half the intervals of every figure of exposure, ``(n_budgets, 2 modes, n_figures)``."""
    if basis is None:
        return np.empty((*exposed.shape[1:3], 0))
    rows = exposed.reshape(N_BLOCKS, -1, exposed.shape[-1])
    found = [half_widths(rows[:, at], basis) for at in range(rows.shape[1])]
    return np.array(found).reshape(*exposed.shape[1:3], -1)


class Found(NamedTuple):
    """What is added up over the days; as in :class:`~pinnersage.evaluation.saved.ArmResult`.

    ``exposed`` is apart for each group of users: ``(N_BLOCKS, n_budgets, 2 modes, n_items)``.
    """

    sums: Float64s
    exposed: Int32s
    by_rank: Float64s

    @classmethod
    def nothing(cls, course: Course) -> Found:
        """Return zeros."""
        n_budgets, n_items = len(course.budgets), len(course.cosines.matrix)
        return cls(
            np.zeros((course.n_places, n_budgets, len(SLICES), len(METRICS), 2)),
            np.zeros((N_BLOCKS, n_budgets, len(MODES), n_items), np.int32),
            np.zeros((n_budgets, len(MODES), N_RANKS, 3)),
        )


def _time_lists(arm: Arm, course: Course, clock: Clock) -> None:
    """Time longest lists of the last day, which is known best, without what other arms looked up."""
    day = course.contexts[-1].day
    n_user_days = sum(context.day.n_users for context in course.contexts)
    known = course.known_before(day.start_ms)
    time_lists(arm, _seen(arm, day, "first_time"), known, max(course.budgets), n_user_days, clock)


def _seen(arm: Arm, day: Day, mode: Mode) -> Day:
    return day.with_targets_of(mode) if getattr(arm, "is_oracle", False) else day.without_targets()


def _measure_day(arm: Arm, course: Course, context: DayContext, clock: Clock, found: Found) -> None:
    known = course.known_before(context.day.start_ms)
    for m, mode in enumerate(MODES):
        seen = _seen(arm, context.day, mode)
        lists = np.empty((0, 0), np.int32)
        with clock.recommend():
            answers = [arm.recommend(seen, known, budget, mode) for budget in course.budgets]
        for b, budget in enumerate(course.budgets):
            answer = _checked(arm, answers[b], context.day, budget)
            found.exposed[:, b, m] += _exposure(answer, context.targets.places, known.n_items)
            near = _add_lists(course, context, answer, mode, found.sums[:, b])
            found.by_rank[b, m] += _summed(near, context.by_rank[mode])
            lists = answer if answer.shape[1] > lists.shape[-1] else lists
        ranked = np.zeros(found.sums.shape[:1] + found.sums.shape[2:])
        scores = _scores(arm, seen, known, context.to_rank[mode], lists)
        measure_ranks(
            context.targets, *context.to_rank[mode], scores, course.n_impressions_per_action,
            _PARTS[mode], ranked,
        )  # fmt: skip
        found.sums[:] += ranked[:, None]


def _exposure(lists: Int32s, places: Int32s, n_items: int) -> Int32s:
    """Return how many lists of each group of users each item stood in, ``(N_BLOCKS, n_items)``."""
    keys = lists + block_of(places).astype(np.int64)[:, None] * n_items
    counts = np.bincount(keys[lists >= 0], minlength=N_BLOCKS * n_items)
    return counts.reshape(N_BLOCKS, n_items).astype(np.int32)


def _add_lists(course: Course, context: DayContext, lists: Int32s, mode: Mode, sums: Float64s) -> Float64s:
    """Add the metrics to ``sums``; return the shares of each list nearest to the interest of each rank."""
    near = np.zeros((len(lists), N_RANKS))

    def work(part: Int64s) -> None:
        measure_lists(
            int(part[0]), int(part[-1]) + 1, context.targets, lists, context.taste, course.cosines,
            course.least_cosine, _PARTS[mode], sums, near,
        )  # fmt: skip

    in_parts(work, len(lists), course.n_threads)
    return near


def _summed(near: Float64s, expected: Float64s) -> Float64s:
    """Sum shares of importance, list and targets over the lists that have all three, ``(N_RANKS, 3)``."""
    columns = np.stack((expected[:, :, 0], near, expected[:, :, 1]), axis=2)
    has_all = (columns.sum(axis=1) > 0).all(axis=1)
    total: Float64s = columns[has_all].sum(axis=0)
    return total


def _checked(arm: Arm, answer: Int32s, day: Day, budget: int) -> Int32s:
    expected = (day.n_users, budget)
    if answer.shape != expected:
        raise UsageError(f"arm {arm.name}: expected lists of shape {expected}, got {answer.shape}")
    there = answer[answer >= 0]
    if not day.pool[there].all():
        raise UsageError(f"arm {arm.name}: listed an item that is not in the pool of the day")
    ordered = np.sort(answer, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise UsageError(f"arm {arm.name}: listed an item twice for one user")
    return np.ascontiguousarray(answer, np.int32)


def _scores(arm: Arm, day: Day, known: ReplayLog, to_rank: tuple[Int64s, Int32s], lists: Int32s) -> Float32s:
    """Return the arm's own scores, else by place in its longest list."""
    offsets, rows = to_rank
    if isinstance(arm, Scorer):
        return np.asarray(arm.score(day, known, offsets, rows), np.float32)
    scores = np.full(len(rows), -np.inf, np.float32)
    for u in range(day.n_users):
        places = np.full(known.n_items, np.inf, np.float32)
        found = lists[u][lists[u] >= 0]
        places[found] = np.arange(len(found))
        scores[offsets[u] : offsets[u + 1]] = -places[rows[offsets[u] : offsets[u + 1]]]
    return scores

"""Chooses settings of trained arms on a span before the cut, never on the span that is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from pinnersage._arrays import Int32s
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.replay import Day, Mode, ReplayLog, walk

T = TypeVar("T", bound=TrainedArm)


@dataclass(frozen=True)
class Chosen(Generic[T]):
    """What was chosen.

    Attributes
    ----------
    arm
        The best settings, not fitted.
    recalls
        Of each candidate on the validation span, in the order given.
    n_users
        Users that the recalls are over.
    """

    arm: T
    recalls: tuple[float, ...]
    n_users: int


def span(log: ReplayLog, start_ms: int, n_days: int, *, window_days: float, min_actions: int = 1) -> Day:
    """Return several days as if they were one: predicted once, from what was known before the first.

    Raises
    ------
    UsageError
        ``n_days`` is below 1.
    """
    if n_days < 1:
        raise UsageError(f"n_days: expected at least 1, got {n_days}")
    end_ms = start_ms + n_days * MS_PER_DAY
    known = log.before(end_ms)
    # Births stay as they are: an item born in the span was not there to be recommended.
    overruled = known.overruled
    if overruled is not None:
        overruled = replace(overruled, until_ms=np.minimum(overruled.until_ms, start_ms))
    at_once = replace(known, times_ms=np.minimum(known.times_ms, start_ms), overruled=overruled)
    (day,) = walk(at_once, start_ms, 1, window_ms=round(window_days * MS_PER_DAY), min_actions=min_actions)
    return day


def recall(day: Day, recommended: Int32s, mode: Mode) -> tuple[float, int]:
    """Return the mean over users of the share of targets recommended, and how many users had some."""
    shares = []
    for u in range(day.n_users):
        own = slice(day.target_offsets[u], day.target_offsets[u + 1])
        targets = day.target_rows[own]
        if mode == "first_time":
            targets = targets[day.first_time[own]]
        if len(targets):
            shares.append(float(np.isin(targets, recommended[u]).mean()))
    return (float(np.mean(shares)) if shares else 0.0), len(shares)


def choose(
    candidates: Sequence[T],
    log: ReplayLog,
    until_ms: int,
    *,
    budget: int,
    n_days: int = 14,
    mode: Mode = "first_time",
    window_days: int = 90,
    min_actions: int = 1,
) -> Chosen[T]:
    """Fit each candidate before the last days that are known, and take the one with the best recall there.

    Parameters
    ----------
    candidates
        Arms that differ in their settings; they are copied, not fitted.
    log
        May reach beyond ``until_ms``; nothing from there on is read.
    until_ms
        The cut: start of the first day that will be reported.
    budget, mode
        What is recommended.
    n_days
        Length of the validation span, which ends at the cut.
    window_days, min_actions
        Users of the span: so many actions in the window before it.

    Returns
    -------
    Chosen
        On equal recalls the earlier candidate.

    Raises
    ------
    UsageError
        There is no candidate, or no user to choose by.
    """
    if not candidates:
        raise UsageError("candidates: expected at least one arm, got none")
    known = log.before(until_ms)
    start_ms = until_ms - n_days * MS_PER_DAY
    day = span(known, start_ms, n_days, window_days=window_days, min_actions=min_actions)
    measured = [_recall_of(replace(arm), known, day, budget, mode) for arm in candidates]
    recalls = tuple(value for value, _ in measured)
    if measured[0][1] == 0:
        raise UsageError(
            f"n_days: expected users with targets in the {n_days} days before the cut, found none; "
            "choose a longer span or a later cut"
        )
    return Chosen(replace(candidates[int(np.argmax(recalls))]), recalls, measured[0][1])


def _recall_of(arm: TrainedArm, log: ReplayLog, day: Day, budget: int, mode: Mode) -> tuple[float, int]:
    arm.fit(log, day.start_ms)
    return recall(day, arm.recommend(day.without_targets(), log, budget, mode), mode)

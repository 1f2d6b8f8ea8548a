"""What a list costs by itself: an arm is asked again, with nothing looked up or built for other arms.

In a walk arms share neighbors and records, so that the first arm to ask pays for all. Here a few users of
the last day are asked once more, in groups, each group with caches that are empty: records are built and
neighbors looked up by the arm that uses them, whatever other arms were measured before it.
"""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from pinnersage._arrays import Int64s
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.clock import Clock
from pinnersage.evaluation.neighbors import NeighborLists
from pinnersage.evaluation.replay import Arm, Day, ReplayLog
from pinnersage.evaluation.state import RecordCache

N_GROUPS, LEAST_USERS, MOST_USERS = 3, 30, 150
_SHARE = 20


def time_lists(arm: Arm, day: Day, known: ReplayLog, budget: int, n_user_days: int, clock: Clock) -> None:
    """Ask for the first-time lists of some users of a day, and tell the clock.

    Parameters
    ----------
    arm
        Has been walked through the day; is left as it is.
    day
        As the arm may see it.
    known
        What was known before the day.
    budget
        Items of a list.
    n_user_days
        Of the walk; no more than a twentieth as many lists are timed, or 30.
    clock
        Of the arm.
    """
    for chosen in groups_of(day.n_users, n_user_days):
        part, alone = some_users(day, chosen), with_empty_caches(arm)
        with clock.lists(part.n_users):
            alone.recommend(part, known, budget, "first_time")


def groups_of(n_users: int, n_user_days: int) -> list[Int64s]:
    """Return positions of users, evenly spread, in groups of equal size."""
    n = min(MOST_USERS, max(LEAST_USERS, n_user_days // _SHARE), n_users)
    chosen = np.arange(n) * n_users // n
    return [chosen[start::N_GROUPS] for start in range(min(N_GROUPS, n))]


def some_users(day: Day, chosen: Int64s) -> Day:
    """Return a day of some of its users only; what targets an arm may see stay theirs."""
    lengths = np.diff(day.target_offsets)
    of_them = np.isin(np.repeat(np.arange(day.n_users), lengths), chosen)[: len(day.target_rows)]
    return replace(
        day,
        users=day.users[chosen],
        target_offsets=np.concatenate(([0], np.cumsum(lengths[chosen]))).astype(np.int64),
        target_rows=day.target_rows[of_them],
        first_time=day.first_time[of_them],
    )


def with_empty_caches(arm: Arm) -> Arm:
    """Return an arm like this one, as it was fitted, that has looked up and built nothing yet."""
    alone: Any = copy.copy(arm)
    if is_dataclass(alone):
        for field in fields(alone):
            value = getattr(alone, field.name, None)
            if isinstance(value, (NeighborLists, RecordCache, Parts)):
                setattr(alone, field.name, _emptied(value))
    if hasattr(alone, "forget_lists"):
        alone.forget_lists()
    found: Arm = alone
    return found


def _emptied(shared: NeighborLists | RecordCache | Parts) -> NeighborLists | RecordCache | Parts:
    if isinstance(shared, Parts):
        return replace(shared, neighbors=shared.neighbors.fresh(), records=shared.records.fresh())
    return shared.fresh()

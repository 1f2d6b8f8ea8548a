"""What every arm is held against on a day, worked out once and shared by all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s, Int64s
from pinnersage.config import InterestConfig
from pinnersage.evaluation.cosines import N_RANKS, Cosines, shares_by_rank
from pinnersage.evaluation.impressions import candidates_to_rank
from pinnersage.evaluation.measures import Targets, Taste
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.settings import EvaluationConfig
from pinnersage.evaluation.state import RecordCache, n_users_per_item
from pinnersage.interests.record import RecordBatch
from pinnersage.retrieval._scores import as_matrix
from pinnersage.retrieval.balance import unit_rows

MODES: tuple[Mode, ...] = ("first_time", "all")
_MOST_IN_TABLE = 18_000
_ROWS_AT_ONCE = 2_048


@dataclass(frozen=True, slots=True)
class DayContext:
    """A day, and what its lists are held against.

    Attributes
    ----------
    day
        With targets.
    targets, taste
        As the kernels take them.
    to_rank
        Mode -> offsets and rows of targets and impressions.
    by_rank
        Mode -> float64 ``(n_users, N_RANKS, 2)``: shares of importance, and of targets nearest to the
        interest of each rank; 0 for users without targets of the mode, or without interests.
    """

    day: Day
    targets: Targets
    taste: Taste
    to_rank: dict[Mode, tuple[Int64s, Int32s]]
    by_rank: dict[Mode, Float64s]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The users that are measured, and what they were before the first day.

    Attributes
    ----------
    users
        int32 positions in the log, ascending.
    n_actions, history_days, n_interests
        float64 each: actions in the window, days since the first action, interests, all before the
        first day; 0 for users that came later.
    """

    users: Int32s
    n_actions: Int64s
    history_days: Int64s
    n_interests: Int64s

    def places(self, users: Int32s) -> Int32s:
        """Return the places of log positions among the users measured."""
        return np.searchsorted(self.users, users).astype(np.int32)

    def traits(self) -> dict[str, Float64s]:
        """Return what users are grouped by -> float64 ``(n_users,)``."""
        return {
            "activity": self.n_actions.astype(np.float64),
            "history_days": self.history_days.astype(np.float64),
            "n_interests": self.n_interests.astype(np.float64),
        }


def evaluated_users(log: ReplayLog, days: list[Day], config: InterestConfig) -> Evaluated:
    """Collect the users of all days and describe them as of the first."""
    users = np.unique(np.concatenate([np.empty(0, np.int32), *(day.users for day in days)]))
    start_ms = days[0].start_ms
    known = log.before(start_ms)
    lengths = np.diff(known.offsets)[users]
    had_any = lengths > 0
    first_ms = np.where(had_any, np.append(known.times_ms, start_ms)[known.offsets[users]], start_ms)
    batch = RecordCache().of_day(replace(days[0].without_targets(), users=users), known, config)
    return Evaluated(
        users,
        np.diff(batch.action_offsets),
        (start_ms - first_ms) // 86_400_000,
        np.diff(batch.interest_offsets),
    )


def context_of(
    day: Day,
    known: ReplayLog,
    who: Evaluated,
    records: RecordBatch,
    config: EvaluationConfig,
    shown: ReplayLog | None,
    cosines: Cosines,
) -> DayContext:
    """Work out what the lists of a day are held against."""
    n_users = int((np.diff(known.offsets) > 0).sum())
    novelty = -np.log2((n_users_per_item(known) + 1) / (n_users + 1))
    totals = np.add.reduceat(np.append(records.importances, 0.0), records.interest_offsets[:-1])
    lengths = np.diff(records.interest_offsets)
    totals = np.where((lengths > 0) & (totals > 0), totals, 1.0)
    taste = Taste(
        novelty.astype(np.float32),
        records.interest_offsets,
        records.medoid_rows,
        records.importances / np.repeat(totals, lengths),
    )
    targets = Targets(who.places(day.users), day.target_offsets, day.target_rows, day.first_time)
    to_rank = {
        mode: candidates_to_rank(day, known, mode, config.n_impressions_per_action, config.seed, shown)
        for mode in MODES
    }
    by_rank = {mode: _by_rank(day, taste, cosines, mode) for mode in MODES}
    return DayContext(day, targets, taste, to_rank, by_rank)


def _by_rank(day: Day, taste: Taste, cosines: Cosines, mode: Mode) -> Float64s:
    wanted = day.first_time if mode == "first_time" else np.ones(len(day.target_rows), np.bool_)
    offsets = np.concatenate(([0], np.cumsum(wanted)))[day.target_offsets].astype(np.int64)
    out = np.zeros((day.n_users, N_RANKS, 2))
    shares_by_rank(
        cosines, offsets, day.target_rows[wanted], taste.offsets, taste.medoid_rows, taste.shares, out
    )
    return out


def cosines_of(embeddings: Float32s) -> Cosines:
    """Scale embeddings to unit length, and multiply all with all where that takes 1.3 GB at most."""
    unit = unit_rows(embeddings)
    n = len(unit) if len(unit) <= _MOST_IN_TABLE else 0
    table = np.empty((n, n), np.float32)
    for start in range(0, n, _ROWS_AT_ONCE):
        np.matmul(unit[start : start + _ROWS_AT_ONCE], unit.T, out=table[start : start + _ROWS_AT_ONCE])
    return Cosines(as_matrix(unit), table)


def impressions_found(contexts: Sequence[DayContext]) -> dict[str, float | None]:
    """Return on which share of the users' days there were impressions, and how many for each target there.

    Days of users without any do not count for the metrics that need them.
    """
    n_shown, n_targets = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for context in contexts:
        own = np.diff(context.day.target_offsets)
        n_targets = np.append(n_targets, own)
        n_shown = np.append(n_shown, np.diff(context.to_rank["all"][0]) - own)
    covered = n_shown > 0
    if not covered.any():
        return {"share_of_user_days": 0.0, "mean_per_target": None}
    per_target = n_shown[covered].sum() / n_targets[covered].sum()
    return {"share_of_user_days": round(float(covered.mean()), 6), "mean_per_target": round(per_target, 3)}


def pool_ever(days: list[Day]) -> Bools:
    """Return which items were in the pool on any day."""
    return np.asarray(np.any([day.pool for day in days], axis=0), np.bool_)

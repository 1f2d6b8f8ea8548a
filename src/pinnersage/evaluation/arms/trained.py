"""What all trained arms share: fitted once on what was known, asked with each day's newest histories.

A model here learns from other users only what happened before the cut; a user's own actions up to the
day are its input. Items it never saw, and users without a history, get popular items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage._times import rfc3339
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.trained_matrices import best_rows, since_ms
from pinnersage.evaluation.clock import Stopwatch
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.state import n_users_per_item

_USERS_AT_ONCE = 512


@dataclass
class TrainedArm:
    """An arm that is fitted. One of a kind says how in ``_train`` and ``_scores``.

    Attributes
    ----------
    name
        Of the arm.
    window_days
        Actions of the last so many days count, of all users when fitting and of the user when asked;
        None: all.
    refit_days
        Fit again, on what is then known, when the last fit is so many days old; None: never.
    n_threads
        Threads of libraries that can be told.
    fitting
        Runs while it is fitted again, which is no time of recommending.
    """

    name: str
    window_days: int | None = 90
    refit_days: int | None = None
    n_threads: int = field(default=1, repr=False)
    fitting: Stopwatch = field(default_factory=Stopwatch, init=False, repr=False, compare=False)
    _fitted_ms: int | None = field(default=None, init=False, repr=False, compare=False)

    def fit(self, log: ReplayLog, until_ms: int) -> None:
        """Learn from the actions before a time.

        Raises
        ------
        UsageError
            Nobody acted in the window.
        UnavailableError
            A library is missing; the message names the extra.
        """
        known = log.before(until_ms)
        first_ms = since_ms(until_ms, self.window_days)
        if not ((known.times_ms >= first_ms) & likes(known.weights)).any():
            raise UsageError(
                f"{self.name}: expected actions to learn from {_window_told(self.window_days)}before "
                f"{rfc3339(until_ms)}, found none; choose a later first day"
            )
        self._train(known, first_ms)
        self._fitted_ms = until_ms

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return the items with the best scores; see :class:`~pinnersage.evaluation.replay.Arm`.

        Raises
        ------
        UsageError
            The arm was not fitted, or on more than was known before the day.
        """
        log = self._ready(day, log)
        popular = self._popular(day, log)
        out = np.full((day.n_users, budget), -1, np.int32)
        for part, scores in self._in_parts(day, log):
            actions = log.actions_of(day.users[part])
            for at, u in enumerate(part.tolist()):
                allowed = day.pool.copy()
                if mode == "first_time":
                    allowed[actions.item_rows[actions.offsets[at] : actions.offsets[at + 1]]] = False
                out[u] = best_rows(scores[at], allowed, popular, budget)
        return out

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return the model's score of each item; what it does not know comes last, by popularity."""
        log = self._ready(day, log)
        counts = n_users_per_item(log, since_ms(day.start_ms, self.window_days))
        unknown = counts / (counts.max(initial=0) + 1.0) - 2.0
        out = np.empty(len(item_rows), np.float32)
        for part, scores in self._in_parts(day, log):
            for at, u in enumerate(part.tolist()):
                own = item_rows[offsets[u] : offsets[u + 1]]
                known = np.isfinite(scores[at])
                least = min(0.0, float(scores[at][known].min(initial=0.0)))
                out[offsets[u] : offsets[u + 1]] = np.where(known[own], scores[at][own], least + unknown[own])
        return out

    def _train(self, known: ReplayLog, first_ms: int) -> None:
        """Learn from the actions of ``known`` since a time."""
        raise NotImplementedError

    def _scores(self, log: ReplayLog, users: Int32s, first_ms: int) -> Float32s:
        """Return float32 ``(n, n_items)`` from histories since a time, ``-inf`` where nothing is known."""
        raise NotImplementedError

    def _ready(self, day: Day, log: ReplayLog) -> ReplayLog:
        """Return what was known before the day, with the model fitted on no more than that."""
        if self._fitted_ms is None or self._fitted_ms > day.start_ms:
            state = "not fitted" if self._fitted_ms is None else "fitted later"
            raise UsageError(
                f"{self.name}: expected to be fitted on what was known before the day, it was {state}; "
                "call fit(log, first day) first"
            )
        known = log.before(day.start_ms)
        if self.refit_days is not None and day.start_ms - self._fitted_ms >= self.refit_days * MS_PER_DAY:
            with self.fitting:
                self.fit(known, day.start_ms)
        return known

    def _in_parts(self, day: Day, log: ReplayLog) -> Iterator[tuple[Int64s, Float32s]]:
        first_ms = since_ms(day.start_ms, self.window_days)
        for start in range(0, day.n_users, _USERS_AT_ONCE):
            part = np.arange(start, min(start + _USERS_AT_ONCE, day.n_users))
            yield part, self._scores(log, day.users[part], first_ms)

    def _popular(self, day: Day, log: ReplayLog) -> Int32s:
        counts = n_users_per_item(log, since_ms(day.start_ms, self.window_days))
        return np.argsort(-counts, kind="stable").astype(np.int32)


def _window_told(window_days: int | None) -> str:
    return "" if window_days is None else f"in the {window_days} days "

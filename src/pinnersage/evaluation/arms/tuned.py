"""A trained arm whose settings are chosen, on days before the cut, when it is fitted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage.errors import DataError, UsageError
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_choice import Chosen, choose
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.clock import Stopwatch
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.saved import settings_of

REFIT_DAYS = {"ease": 1, "item-item": 1, "als": 7}
"""How often an arm learns anew in a replay, in days; the others are fitted once."""


@dataclass
class TunedArm:
    """One of :data:`~pinnersage.evaluation.arms.trained_registry.TRAINED`.

    Attributes
    ----------
    name
        Of the arm.
    budget
        Items of the lists that settings are compared by.
    n_days
        Days before the cut that they are compared on.
    refit_days
        Learn anew when the last fit is so many days old; None: never.
    n_threads
        Threads of libraries that can be told.
    fitting
        Runs while what was chosen is fitted again, which is no time of recommending.
    """

    name: str
    budget: int
    n_days: int = 14
    refit_days: int | None = None
    n_threads: int = field(default=1, repr=False)
    fitting: Stopwatch = field(default_factory=Stopwatch, init=False, repr=False)
    _chosen: Chosen[TrainedArm] | None = field(default=None, init=False, repr=False)

    def depends_on(self) -> list[dict[str, Any]]:
        """Return the settings that are chosen among."""
        return [settings_of(arm) for arm in TRAINED[self.name]()]

    def fit(self, log: ReplayLog, until_ms: int) -> None:
        """Choose settings on the last days before a time, then learn from all of them.

        Raises
        ------
        DataError
            Too little happened before the cut to choose by or to learn from.
        UnavailableError
            A library is missing; the message names the extra.
        """
        candidates = [replace(arm, n_threads=self.n_threads) for arm in TRAINED[self.name]()]
        try:
            found = choose(candidates, log, until_ms, budget=self.budget, n_days=self.n_days)
            self._chosen = replace(found, arm=replace(found.arm, refit_days=self.refit_days))
            self._arm.fitting = self.fitting
            self._arm.fit(log, until_ms)
        except UsageError as error:
            told = str(error)
            raise DataError(told if told.startswith(f"{self.name}:") else f"{self.name}: {told}") from error

    def fitted(self) -> dict[str, Any]:
        """Return the settings chosen, and the recall of every candidate on the days before the cut."""
        chosen = self._chosen
        if chosen is None:
            return {}
        recalls = [round(value, 6) for value in chosen.recalls]
        return {"chosen": settings_of(chosen.arm), "recalls": recalls, "n_users": chosen.n_users}

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return the items with the best scores; see :class:`~pinnersage.evaluation.replay.Arm`."""
        return self._arm.recommend(day, log, budget, mode)

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return the model's score of each item."""
        return self._arm.score(day, log, offsets, item_rows)

    @property
    def _arm(self) -> TrainedArm:
        if self._chosen is None:
            raise UsageError(f"{self.name}: expected to be fitted first; call fit(log, first day)")
        return self._chosen.arm

"""Every user's figure under a configuration; users are added block by block, and none is asked twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from pinnersage._arrays import Float64s, Int32s, Int64s
from pinnersage.config import BuildConfig
from pinnersage.evaluation.arms.ranked import Ranked
from pinnersage.evaluation.arms.served import served_arm
from pinnersage.evaluation.arms.untrained import Parts
from pinnersage.evaluation.cosines import N_RANKS, Cosines, without_table
from pinnersage.evaluation.measures import (
    ALL,
    FIRST_TIME,
    METRICS,
    SLICES,
    Targets,
    Taste,
    measure_lists,
)
from pinnersage.evaluation.neighbors import in_parts
from pinnersage.evaluation.replay import Arm, ReplayLog
from pinnersage.evaluation.tuning.kept import KeptExamples
from pinnersage.evaluation.tuning.moments import PastMoment, narrowed
from pinnersage.evaluation.tuning.settings import TuningSettings
from pinnersage.ranking.growing import OF_TREES


@dataclass(frozen=True)
class Measure:
    """How lists become figures.

    Attributes
    ----------
    settings
        Metric, targets, seed.
    n_items
        Of a list.
    shared
        By all that is tried.
    cosines
        Of all items.
    n_threads
        Of the figures.
    """

    settings: TuningSettings
    n_items: int
    shared: Parts
    cosines: Cosines
    n_threads: int = 1

    def as_of(self, ms: int) -> Measure:
        """Return the same with the embeddings of a moment; this one, where embeddings are given."""
        if self.shared.vectors_at is None:
            return self
        return replace(self, shared=self.shared.as_of(ms), cosines=without_table(self.shared.vectors_at(ms)))

    def add(self, arm: Arm, moments: Iterable[PastMoment], places: Int32s, sums: Float64s) -> None:
        """Ask an arm at every moment and add up the figures of the users who have a place.

        Parameters
        ----------
        arm
            Fitted, where it is one to be fitted.
        moments
            Told one after the other.
        places
            int32, one for each user of the log; -1 where the user is not asked.
        sums
            float64 ``(n_places, 3, n_metrics, 2)``, added to.
        """
        mode = self.settings.targets
        parts = np.array([FIRST_TIME if mode == "first_time" else ALL])
        for moment in moments:
            day = narrowed(moment.day, places >= 0)
            if day.n_users:
                lists = arm.recommend(day.without_targets(), moment.known, self.n_items, mode)
                targets = Targets(places[day.users], day.target_offsets, day.target_rows, day.first_time)
                self._add_lists(lists, targets, parts, sums)

    def _add_lists(self, lists: Int32s, targets: Targets, parts: Int64s, sums: Float64s) -> None:
        taste = Taste(
            np.zeros(len(self.cosines.matrix), np.float32), np.zeros(len(lists) + 1, np.int64),
            np.empty(0, np.int32), np.empty(0, np.float64),
        )  # fmt: skip

        by_rank = np.zeros((len(lists), N_RANKS))

        def work(part: Int64s) -> None:
            measure_lists(
                int(part[0]), int(part[-1]) + 1, targets, lists, taste, self.cosines,
                self.settings.relevance_cosine, parts, sums, by_rank,
            )  # fmt: skip

        in_parts(work, len(lists), self.n_threads)

    def empty(self, n_places: int) -> Float64s:
        """Return sums of nothing."""
        return np.zeros((n_places, len(SLICES), len(METRICS), 2))

    def figures(self, sums: Float64s) -> Float64s:
        """Return each place's figure, NaN without a target."""
        part = FIRST_TIME if self.settings.targets == "first_time" else ALL
        own = sums[:, part, METRICS.index(self.settings.metric)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(own[:, 0] / own[:, 1], np.float64)


@dataclass
class _Trial:
    sums: Float64s
    n_done: int = 0
    arm: Arm | None = None


@dataclass
class Scores:
    """Figures of the users of the training days, under any configuration.

    Attributes
    ----------
    log
        Reaches to the end of the training days; an arm is fitted on what came before the first moment.
    moments
        Of the training days.
    users
        int32 positions in the log, in the order in which they are asked.
    measure
        How lists become figures.
    examples
        Kept for options that are fitted on the same ones.
    """

    log: ReplayLog
    moments: list[PastMoment]
    users: Int32s
    measure: Measure
    examples: KeptExamples = field(default_factory=KeptExamples, repr=False)
    _trials: dict[str, _Trial] = field(default_factory=dict, repr=False)

    @property
    def n_users(self) -> int:
        """How many users there are to ask."""
        return len(self.users)

    @property
    def n_trials(self) -> int:
        """How many different configurations were asked so far."""
        return len(self._trials)

    def knows(self, config: BuildConfig) -> bool:
        """Tell whether a configuration was asked before."""
        return _key(config) in self._trials

    def of(self, config: BuildConfig, n_users: int) -> Float64s:
        """Return the figures of the first ``n_users`` users, float64; NaN for those without a target.

        Raises
        ------
        DataError
            The configuration needs a second stage, and too little happened before to fit one.
        UnavailableError
            It needs one, and scikit-learn is not installed.
        """
        trial = self._trials.setdefault(_key(config), _Trial(self.measure.empty(self.n_users)))
        if trial.n_done < n_users:
            trial.arm = trial.arm or self._fitted(config)
            places = np.full(self.log.n_users, -1, np.int32)
            places[self.users[trial.n_done : n_users]] = np.arange(trial.n_done, n_users)
            self.measure.add(trial.arm, self.moments, places, trial.sums)
            trial.n_done = n_users
        return self.measure.figures(trial.sums[:n_users])

    def rest(self, chosen: BuildConfig) -> None:
        """Give back the memory of fitted arms, and of all examples but the chosen's; figures stay."""
        for trial in self._trials.values():
            trial.arm = None
        self.examples.drop_but(_without_trees(chosen))

    def _fitted(self, config: BuildConfig) -> Arm:
        arm = served_arm(config, self.measure.shared)
        if isinstance(arm, Ranked):
            arm.examples_of = partial(self.examples.of, _without_trees(config))
        fit_before(arm, self.log, self.moments[0].day.start_ms)
        return arm


def _key(config: BuildConfig) -> str:
    return config.model_dump_json()


def _without_trees(config: BuildConfig) -> str:
    """Return all settings but those of the trees: what examples rest on, beside the log."""
    return config.model_dump_json(exclude={"ranking": set(OF_TREES)})


def fit_before(arm: Arm, log: ReplayLog, ms: int) -> None:
    """Fit an arm, where it is one to be fitted, on what was known before a time."""
    if hasattr(arm, "fit"):
        arm.fit(log, ms)

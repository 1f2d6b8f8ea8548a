"""Any arm followed by a ranker: the arm proposes many items, the ranker orders them.

Fitted once before the first day; popularity and common users are counted anew every day from what was
known then. Where embeddings are learnt from the log, those of each training moment know nothing later:
else the past would look easier than it was, and the ranker would trust them too much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage.config import InterestConfig, RankingConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.clock import Stopwatch
from pinnersage.evaluation.neighbors import in_parts
from pinnersage.evaluation.replay import Arm, Day, Mode, ReplayLog
from pinnersage.evaluation.vectors import embedded_at
from pinnersage.interests.record import RecordBatch
from pinnersage.ranking.actions import records_before
from pinnersage.ranking.candidates import WideSet, n_items_for, slots_for
from pinnersage.ranking.features import FEATURES, OF_EMBEDDINGS, OF_ONE_VECTOR, features_of
from pinnersage.ranking.fitting import TrainingExamples, fitted_on, training_examples
from pinnersage.ranking.moment import Moment, moment_before
from pinnersage.ranking.proposing import Propose, nothing
from pinnersage.ranking.ranker import Ranker

RANKED: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "top-40-ranked": ("top-40", ()),
    "all-interests-ranked": ("all-interests", ()),
    "mean-0.01-ranked": ("mean-0.01", tuple(name for name in OF_EMBEDDINGS if name not in OF_ONE_VECTOR)),
    "popular-ranked": (None, OF_EMBEDDINGS),
}
"""Name of an arm -> the untrained arm that proposes beside popular and linked items, and the features
its ranker does not see. So each part's share of what the first one gains is told apart."""

ExamplesOf = Callable[[Mode, Callable[[], TrainingExamples]], TrainingExamples]
_Asked = tuple[int, bytes, int]  # a day, its users, and the slots of their wide sets
_Scored = Callable[[int, Int32s | None], tuple[Int32s, Float32s]]
"""From a user's position, and items beside their candidates, to the rows of both, ascending, and scores."""


def _made_anew(mode: Mode, make: Callable[[], TrainingExamples]) -> TrainingExamples:  # noqa: ARG001
    return make()


@dataclass
class Ranked:
    """The items of another arm, united with popular and linked ones, ordered by a ranker.

    A user's candidates are scored once a day for all lists of as many slots.

    Attributes
    ----------
    name
        Of the arm.
    base
        Name of an untrained arm that proposes; None: no proposals.
    parts
        Of the evaluation.
    config
        Of the ranker; ``repeats`` is set by the mode, and each mode has a ranker of its own.
    hidden
        Features that the ranker does not see.
    fitting
        The time that fitting it took, which is no time of recommending.
    examples_of
        Returns what a mode's ranker is fitted on, from where it is kept or by the call it is given.
    """

    name: str
    base: str | None
    parts: Parts = field(repr=False)
    config: RankingConfig = field(default_factory=RankingConfig)
    hidden: tuple[str, ...] = ()
    interests: InterestConfig = field(init=False)
    fitting: Stopwatch = field(default_factory=Stopwatch, init=False, repr=False)
    examples_of: ExamplesOf = field(default_factory=lambda: _made_anew, init=False, repr=False)
    _fitted_on: tuple[ReplayLog, int] | None = field(default=None, init=False, repr=False)
    _rankers: dict[Mode, Ranker] = field(default_factory=dict, init=False, repr=False)
    _today: Moment | None = field(default=None, init=False, repr=False)
    _ordered: dict[Mode, tuple[_Asked, Int32s]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.interests = self.parts.config

    def depends_on(self) -> list[str]:
        """Return what results rest on besides: the features, a list's length, how few items are scored."""
        seen = [name for name in FEATURES if name not in self.hidden]
        return [*seen, f"{n_items_for(100, self.config)} items in 100 slots", "scored among candidates"]

    def fit(self, log: ReplayLog, until_ms: int) -> None:
        """Keep what was known before a time; each mode's ranker is fitted on it when first asked for."""
        self._fitted_on = (log.before(until_ms), until_ms)
        self._rankers, self._today, self._ordered = {}, None, {}

    def forget_lists(self) -> None:
        """Order anew when next asked; what was counted for all users of the day stays."""
        self._ordered = {}

    def fitted(self) -> dict[str, Any]:
        """Return each mode's number of trees and examples, and each feature's share of the gain."""
        return {
            mode: {name: value for name, value in ranker.about.items() if name != "config"}
            | {"gains": {name: round(share, 4) for name, share in ranker.gains().items()}}
            for mode, ranker in self._rankers.items()
        }

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return the best of a wide set; see :class:`~pinnersage.evaluation.replay.Arm`.

        Raises
        ------
        UsageError
            The arm was not fitted, or on more than was known before the day.
        """
        slots = slots_for(budget, self.config)
        asked = day.start_ms, day.users.tobytes(), slots
        if mode not in self._ordered or self._ordered[mode][0] != asked:
            self._ordered[mode] = asked, self._order(day, log, slots, mode)
        return self._ordered[mode][1][:, :budget].copy()

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return the ranker's score of each item, held among the user's candidates.

        Ranks are among its features: among the few items that are asked for they would not mean what
        they meant when it was fitted.
        """
        scored = self._scorer(day, log, self.config.budget, "all")
        out = np.empty(len(item_rows), np.float32)

        def work(part: Int64s) -> None:
            for u in part.tolist():
                own = slice(offsets[u], offsets[u + 1])
                rows, scores = scored(u, item_rows[own])
                out[own] = scores[np.searchsorted(rows, item_rows[own])]

        in_parts(work, day.n_users, self.parts.n_threads)
        return out

    def _order(self, day: Day, log: ReplayLog, slots: int, mode: Mode) -> Int32s:
        """Return each user's best candidates, as many as a list of so many slots may have; -1 fills up."""
        scored = self._scorer(day, log, slots, mode)
        n = n_items_for(slots, self.config)
        out = np.full((day.n_users, n), -1, np.int32)

        def work(part: Int64s) -> None:
            for u in part.tolist():
                rows, scores = scored(u, None)
                best = self._listed(rows[np.argsort(-scores, kind="stable")], n)
                out[u, : len(best)] = best

        in_parts(work, day.n_users, self.parts.n_threads)
        return out

    def _scorer(self, day: Day, log: ReplayLog, slots: int, mode: Mode) -> _Scored:
        ranker, known = self._ranker(day, mode), log.before(day.start_ms)
        moment, records = self._moment(day, known), self._records(day, known)
        n_proposed = round(self.config.n_proposed_per_slot * slots)
        proposed = self._proposed(self.parts, known, day, n_proposed, mode)
        wide = WideSet(moment, self.config)

        def scored(position: int, beside: Int32s | None) -> tuple[Int32s, Float32s]:
            user = moment.view(records.record(position))
            rows = wide.of_user(user, proposed[position], slots, repeats=mode == "all").rows
            if beside is not None:
                rows = np.union1d(rows, beside)
            return rows, ranker.score(features_of(user, rows, moment))

        return scored

    def _listed(self, ordered: Int32s, n: int) -> Int32s:
        """Return what of the ordered candidates is listed; near-duplicates may be."""
        return ordered[:n]

    def _proposer(self, known: ReplayLog, parts: Parts) -> Arm | None:
        """Return what proposes, with the embeddings of ``parts``."""
        return untrained_arms(known, parts, [self.base])[0] if self.base else None

    def _records(self, day: Day, known: ReplayLog) -> RecordBatch:
        users = day.users.astype(np.int64)
        return records_before(known, users, known.embeddings, self.interests, day.start_ms)

    def _ranker(self, day: Day, mode: Mode) -> Ranker:
        if self._fitted_on is None or self._fitted_on[1] > day.start_ms:
            raise UsageError(
                f"{self.name}: expected to be fitted on what was known before the day; "
                "call fit(log, first day) first"
            )
        if mode not in self._rankers:
            log, until_ms = self._fitted_on
            config = self.config.model_copy(update={"repeats": mode == "all"})
            with self.fitting:
                examples = self.examples_of(
                    mode,
                    partial(
                        training_examples, log, until_ms, partial(self._past_moment, log),
                        partial(self._propose_at, log, mode), self.interests, config, self.hidden,
                    ),
                )  # fmt: skip
                self._rankers[mode] = fitted_on(examples, until_ms, config)
        return self._rankers[mode]

    def _past_moment(self, log: ReplayLog, moment_ms: int) -> Moment:
        return self._moment_of(embedded_at(log, self.parts.vectors_at, moment_ms), moment_ms)

    def _moment(self, day: Day, known: ReplayLog) -> Moment:
        today = self._today
        if today is None or today.moment_ms != day.start_ms or not np.array_equal(today.pool, day.pool):
            today = self._today = replace(self._moment_of(known, day.start_ms), pool=day.pool)
        return today

    def _moment_of(self, log: ReplayLog, ms: int) -> Moment:
        return moment_before(
            log, ms, log.embeddings, log.available, categories=log.categories,
            decay_per_day=self.interests.decay_per_day, links=self.parts.links_at(log, ms),
        )  # fmt: skip

    def _propose_at(self, log: ReplayLog, mode: Mode, moment: Moment) -> Propose:
        """Return the base's proposals before a past moment; all its users are asked at once."""
        known = replace(log.before(moment.moment_ms), embeddings=moment.embeddings)
        parts = self.parts.as_of(moment.moment_ms)
        if self._proposer(known, parts) is None:
            return nothing
        active = _active_users(known, moment.moment_ms - self.interests.window_ms)
        nobody = np.empty(0, np.int32)
        day = Day(
            moment.moment_ms, active, np.zeros(len(active) + 1, np.int64), nobody, nobody.astype(np.bool_),
            moment.pool,
        )  # fmt: skip
        kept: dict[int, Int32s] = {}

        def propose(users: Int64s, records: RecordBatch, k: int) -> Int32s:  # noqa: ARG001
            if k not in kept:
                kept[k] = self._proposed(parts, known, day, k, mode)
            return kept[k][np.searchsorted(active, users)]

        return propose

    def _proposed(self, parts: Parts, known: ReplayLog, day: Day, k: int, mode: Mode) -> Int32s:
        proposer = self._proposer(known, parts)
        if proposer is None or k < 1:
            return np.full((day.n_users, max(k, 0)), -1, np.int32)
        return proposer.recommend(day, known, k, mode)


def _active_users(log: ReplayLog, since_ms: int) -> Int32s:
    """Return the users with an action since a time, ascending."""
    return np.unique(log.users[log.times_ms >= since_ms]).astype(np.int32)


def ranked_arm(name: str, parts: Parts, config: RankingConfig | None = None) -> Ranked:
    """Make an arm of :data:`RANKED`."""
    base, hidden = RANKED[name]
    return Ranked(name, base, parts, config or RankingConfig(), hidden)

"""Any arm followed by a ranker: the arm proposes many items, the ranker orders them.

Fitted once before the first day; popularity and common users are counted anew every day from what was
known then. Embeddings that were learnt from the log up to the first day make the past look easier
than it was: the ranker then trusts them too much.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.replay import Arm, Day, Mode, ReplayLog
from pinnersage.interests.record import RecordBatch
from pinnersage.ranking.actions import records_before
from pinnersage.ranking.candidates import WideSet
from pinnersage.ranking.features import features_of
from pinnersage.ranking.fitting import fit_ranker
from pinnersage.ranking.links import ItemLinks, links_before
from pinnersage.ranking.moment import Moment, moment_before
from pinnersage.ranking.proposing import Propose, nothing
from pinnersage.ranking.ranker import Ranker

RANKED = {"top-40-ranked": "top-40", "mean-0.01-ranked": "mean-0.01", "popular-ranked": None}
"""Name of an arm -> the untrained arm whose items it orders; None: popular and linked items alone."""


@dataclass
class Ranked:
    """The items of another arm, united with popular and linked ones, ordered by a ranker.

    Attributes
    ----------
    name
        Of the arm.
    base
        Proposes; an arm that needs no fitting. None: no proposals.
    interests
        How actions become interests.
    config
        Of the ranker; ``repeats`` is set by the mode, and each mode has a ranker of its own.
    relink_days
        Common users are counted anew when the last count is so many days old.
    """

    name: str
    base: Arm | None = field(repr=False)
    interests: InterestConfig = field(default_factory=InterestConfig)
    config: RankingConfig = field(default_factory=RankingConfig)
    relink_days: float = 1.0
    _fitted_on: tuple[ReplayLog, int] | None = field(default=None, init=False, repr=False)
    _rankers: dict[Mode, Ranker] = field(default_factory=dict, init=False, repr=False)
    _links: tuple[int, tuple[ItemLinks, ItemLinks]] | None = field(default=None, init=False, repr=False)
    _today: Moment | None = field(default=None, init=False, repr=False)

    def fit(self, log: ReplayLog, until_ms: int) -> None:
        """Keep what was known before a time; each mode's ranker is fitted on it when first asked for."""
        self._fitted_on = (log.before(until_ms), until_ms)
        self._rankers, self._links, self._today = {}, None, None

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return the best of a wide set; see :class:`~pinnersage.evaluation.replay.Arm`.

        Raises
        ------
        UsageError
            The arm was not fitted, or on more than was known before the day.
        """
        ranker, known = self._ranker(day, mode), log.before(day.start_ms)
        moment = self._moment(day, known)
        slots = max(budget, self.config.budget)
        records = records_before(
            known, day.users.astype(np.int64), known.embeddings, self.interests, day.start_ms
        )
        proposed = self._proposed(known, day, round(self.config.n_proposed_per_slot * slots), mode)
        wide = WideSet(moment, self.config)
        out = np.full((day.n_users, budget), -1, np.int32)
        for u in range(day.n_users):
            record = records.record(u)
            rows = wide.of_user(record, proposed[u], slots, repeats=mode == "all").rows
            scores = ranker.score(features_of(record, rows, moment))
            best = self._listed(rows[np.argsort(-scores, kind="stable")], budget)
            out[u, : len(best)] = best
        return out

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return the ranker's score of each item; ranks among its features are ranks among these."""
        ranker, known = self._ranker(day, "all"), log.before(day.start_ms)
        moment = self._moment(day, known)
        users = day.users.astype(np.int64)
        records = records_before(known, users, known.embeddings, self.interests, day.start_ms)
        parts = [
            ranker.score(features_of(records.record(u), item_rows[offsets[u] : offsets[u + 1]], moment))
            for u in range(day.n_users)
        ]
        return np.concatenate([np.empty(0, np.float32), *parts])

    def _listed(self, ordered: Int32s, budget: int) -> Int32s:
        """Return what of the ordered candidates is listed; near-duplicates may be."""
        return ordered[:budget]

    def _ranker(self, day: Day, mode: Mode) -> Ranker:
        if self._fitted_on is None or self._fitted_on[1] > day.start_ms:
            raise UsageError(
                f"{self.name}: expected to be fitted on what was known before the day; "
                "call fit(log, first day) first"
            )
        if mode not in self._rankers:
            log, until_ms = self._fitted_on
            config = self.config.model_copy(update={"repeats": mode == "all"})
            self._rankers[mode] = fit_ranker(
                log,
                until_ms,
                partial(self._moment_of, log),
                partial(self._propose_at, log, mode),
                self.interests,
                config,
            )
        return self._rankers[mode]

    def _moment(self, day: Day, known: ReplayLog) -> Moment:
        today = self._today
        if today is None or today.moment_ms != day.start_ms or not np.array_equal(today.pool, day.pool):
            if self._links is None or not self._is_fresh(self._links[0], day.start_ms):
                self._links = (day.start_ms, self._links_before(known, day.start_ms))
            moment = self._moment_of(known, day.start_ms, self._links[1])
            today = self._today = replace(moment, pool=day.pool)
        return today

    def _is_fresh(self, linked_ms: int, now_ms: int) -> bool:
        """Tell whether links may serve: not of a later time, for days may be asked in any order."""
        return 0 <= now_ms - linked_ms < self.relink_days * MS_PER_DAY

    def _links_before(self, known: ReplayLog, ms: int) -> tuple[ItemLinks, ItemLinks]:
        return links_before(known, ms)

    def _moment_of(
        self, log: ReplayLog, moment_ms: int, links: tuple[ItemLinks, ItemLinks] | None = None
    ) -> Moment:
        return moment_before(
            log, moment_ms, log.embeddings, log.available, categories=log.categories,
            decay_per_day=self.interests.decay_per_day, links=links or self._links_before(log, moment_ms),
        )  # fmt: skip

    def _propose_at(self, log: ReplayLog, mode: Mode, moment: Moment) -> Propose:
        """Return the base's proposals before a past moment; all its users are asked at once."""
        if self.base is None:
            return nothing
        known = log.before(moment.moment_ms)
        active = _active_users(known, moment.moment_ms - self.interests.window_ms)
        nobody = np.empty(0, np.int32)
        day = Day(
            moment.moment_ms, active, np.zeros(len(active) + 1, np.int64), nobody, nobody.astype(np.bool_),
            moment.pool,
        )  # fmt: skip
        kept: dict[int, Int32s] = {}

        def propose(users: Int64s, records: RecordBatch, k: int) -> Int32s:  # noqa: ARG001
            if k not in kept:
                kept[k] = self._proposed(known, day, k, mode)
            return kept[k][np.searchsorted(active, users)]

        return propose

    def _proposed(self, known: ReplayLog, day: Day, k: int, mode: Mode) -> Int32s:
        if self.base is None or k < 1:
            return np.full((day.n_users, max(k, 0)), -1, np.int32)
        return self.base.recommend(day, known, k, mode)


def _active_users(log: ReplayLog, since_ms: int) -> Int32s:
    """Return the users with an action since a time, ascending."""
    return np.unique(log.users[log.times_ms >= since_ms]).astype(np.int32)


def ranked_arms(log: ReplayLog, parts: Parts, config: RankingConfig | None = None) -> list[Arm]:
    """Make all arms of :data:`RANKED`; fits ``more_arms`` of an evaluation."""
    arms: list[Arm] = []
    for name, base in RANKED.items():
        proposer = untrained_arms(log, parts, [base])[0] if base else None
        arms.append(Ranked(name, proposer, parts.config, config or RankingConfig()))
    return arms

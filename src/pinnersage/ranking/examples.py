"""What a ranker learns from at one past moment: candidates of users, and which of them they then acted on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.ranking.actions import LogArrays, items_between, records_before
from pinnersage.ranking.candidates import WideSet
from pinnersage.ranking.features import N_FEATURES, features_of
from pinnersage.ranking.moment import Moment
from pinnersage.ranking.proposing import Propose
from pinnersage.retrieval._merge import are_in, make_set


class Examples(NamedTuple):
    """Candidates with features and what came of them, grouped by user.

    Attributes
    ----------
    features
        float32 ``(n, N_FEATURES)``.
    labels
        bool ``(n,)``: acted on within the horizon.
    offsets
        int64 ``(n_groups + 1,)``.
    n_targets
        int64 ``(n_groups,)``: items acted on, also those that were no candidates.
    """

    features: Float32s
    labels: Bools
    offsets: Int64s
    n_targets: Int64s

    @property
    def n_bytes(self) -> int:
        """Memory taken."""
        return sum(array.nbytes for array in self)


def examples_at(
    log: LogArrays,
    moment: Moment,
    propose: Propose,
    interests: InterestConfig,
    config: RankingConfig,
    *,
    n_whole: int = 0,
) -> tuple[Examples, Examples]:
    """Return candidates of users who acted within the horizon after a moment: drawn ones, and whole sets.

    At most ``n_users_per_moment`` users are drawn. The first examples hold, of those with a target among
    their candidates, the targets and some others; the second all candidates of some of these users, also
    of such whose targets were no candidates.

    Parameters
    ----------
    n_whole
        Users of the second examples at most, the first of those drawn.
    """
    end_ms = moment.moment_ms + round(config.horizon_days * MS_PER_DAY)
    rng = np.random.default_rng((config.ranker_seed, moment.moment_ms % 2**63))
    known, later = log.as_of(moment.moment_ms), log.as_of(end_ms)
    users = _acting_users(known, later, moment.moment_ms, end_ms, interests.window_ms, config.min_actions)
    users = rng.permutation(users)[: config.n_users_per_moment]
    is_whole = np.arange(len(users)) < n_whole
    order = np.argsort(users)
    users, is_whole = users[order], is_whole[order]
    records = records_before(known, users, moment.embeddings, interests, moment.moment_ms)
    wide = WideSet(moment, config)
    proposed = propose(users, records, round(config.n_proposed_per_slot * config.budget))
    drawn, whole = _Gathered(), _Gathered()
    for u, user in enumerate(users.tolist()):
        targets = _targets(known, later, user, moment, end_ms, repeats=config.repeats)
        viewed = moment.view(records.record(u))
        rows = wide.of_user(viewed, proposed[u], config.budget, repeats=config.repeats).rows
        is_target = are_in(rows, make_set(targets, 1))
        if not len(targets) or not (is_whole[u] or is_target.any()):
            continue
        features = features_of(viewed, rows, moment)
        if is_whole[u]:
            whole.add(features, is_target, len(targets))
        if is_target.any():
            kept = _kept(is_target, config.n_negatives, rng)
            drawn.add(features[kept], is_target[kept], len(targets))
    return drawn.examples(), whole.examples()


class _Gathered:
    """Examples of one user after another."""

    def __init__(self) -> None:
        self._features: list[Float32s] = []
        self._labels: list[Bools] = []
        self._n_targets: list[int] = []

    def add(self, features: Float32s, labels: Bools, n_targets: int) -> None:
        self._features.append(features)
        self._labels.append(labels)
        self._n_targets.append(n_targets)

    def examples(self) -> Examples:
        lengths = [len(labels) for labels in self._labels]
        return Examples(
            np.concatenate([np.empty((0, N_FEATURES), np.float32), *self._features]),
            np.concatenate([np.empty(0, np.bool_), *self._labels]),
            np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
            np.array(self._n_targets, np.int64),
        )


def _acting_users(
    known: LogArrays, later: LogArrays, start_ms: int, end_ms: int, window_ms: int, min_actions: int
) -> Int64s:
    """Return the users with enough actions in the window before, and some in ``[start_ms, end_ms)``."""
    before = (known.times_ms < start_ms) & (known.times_ms >= start_ms - window_ms)
    after = (later.times_ms >= start_ms) & (later.times_ms < end_ms) & likes(later.weights)
    n_before, n_after = (
        np.concatenate(([0], np.cumsum(m)))[log.offsets] for log, m in ((known, before), (later, after))
    )
    return np.flatnonzero((np.diff(n_before) >= min_actions) & (np.diff(n_after) > 0))


def _targets(
    known: LogArrays, later: LogArrays, user: int, moment: Moment, end_ms: int, *, repeats: bool
) -> Int32s:
    rows = items_between(later, user, moment.moment_ms, end_ms, liked=True)
    rows = rows[moment.pool[rows]]
    if repeats:
        return rows
    return np.setdiff1d(rows, items_between(known, user, 0, moment.moment_ms), assume_unique=True)


def _kept(is_target: Bools, n_negatives: int, rng: np.random.Generator) -> Int64s:
    """Return the positions of all targets and of some others, ascending."""
    others = np.flatnonzero(~is_target)
    others = rng.permutation(others)[:n_negatives]
    return np.sort(np.concatenate((np.flatnonzero(is_target), others)))

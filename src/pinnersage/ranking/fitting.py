"""Fitting a ranker on a log: what was known at past moments, and what users did next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.errors import DataError
from pinnersage.ranking.actions import LogArrays, items_between, records_before
from pinnersage.ranking.candidates import WideSet
from pinnersage.ranking.features import FEATURES, N_FEATURES, features_of
from pinnersage.ranking.growing import grow
from pinnersage.ranking.moment import Moment
from pinnersage.ranking.proposing import Propose
from pinnersage.ranking.ranker import Ranker

MomentAt = Callable[[int], Moment]
ProposeAt = Callable[[Moment], Propose]
_N_STAGES = 20


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


def training_moments(until_ms: int, config: RankingConfig) -> list[int]:
    """Return the moments to learn from, oldest first; the last one's horizon ends at ``until_ms``."""
    step_ms = round(config.horizon_days * MS_PER_DAY)
    return [until_ms - step_ms * (k + 1) for k in reversed(range(config.n_moments))]


def fit_ranker(
    log: LogArrays,
    until_ms: int,
    moment_at: MomentAt,
    propose_at: ProposeAt,
    interests: InterestConfig,
    config: RankingConfig,
    hidden: Sequence[str] = (),
) -> Ranker:
    """Fit a ranker on what happened before ``until_ms``.

    The newest moment chooses how many trees to keep, by how many targets stand within the budget;
    then all moments together are fitted.

    Parameters
    ----------
    moment_at
        Returns what was known of items strictly before a moment. Embeddings that were learnt from
        the log must have been learnt before that moment, too.
    propose_at
        Returns the proposals of the arm the ranker is for.
    hidden
        Names of features that the ranker does not use.

    Raises
    ------
    DataError
        Before ``until_ms`` too little happened to learn from.
    UnavailableError
        scikit-learn is not installed.
    """
    moments = training_moments(until_ms, config)
    known = [moment_at(ms) for ms in moments]
    proposals = [propose_at(moment) for moment in known]
    parts = [
        _without(examples_at(log, moment, propose, interests, config, sampled=True), hidden)
        for moment, propose in zip(known, proposals, strict=True)
    ]
    latest = _without(examples_at(log, known[-1], proposals[-1], interests, config, sampled=False), hidden)
    n_trees = _choose_n_trees(parts[:-1] or parts, latest, config)
    together = _joined(parts)
    forest = grow(together.features, together.labels, config, n_trees)
    about = {
        "until_ms": until_ms,
        "n_examples": len(together.labels),
        "n_positive": int(together.labels.sum()),
        "n_trees": n_trees,
        "config": config.model_dump(mode="json"),
    }
    return Ranker(forest, about)


def examples_at(
    log: LogArrays,
    moment: Moment,
    propose: Propose,
    interests: InterestConfig,
    config: RankingConfig,
    *,
    sampled: bool,
) -> Examples:
    """Return the candidates of users who acted within the horizon after a moment.

    Parameters
    ----------
    sampled
        Keep only some of the candidates that were not acted on, and at most
        ``n_users_per_moment`` users; else all candidates of at most half of those users.
    """
    end_ms = moment.moment_ms + round(config.horizon_days * MS_PER_DAY)
    rng = np.random.default_rng((config.ranker_seed, moment.moment_ms % 2**63))
    users = _acting_users(log, moment.moment_ms, end_ms, interests.window_ms, config.min_actions)
    n_users = config.n_users_per_moment if sampled else max(1, config.n_users_per_moment // 2)
    users = np.sort(rng.permutation(users)[:n_users])
    records = records_before(log, users, moment.embeddings, interests, moment.moment_ms)
    wide = WideSet(moment, config)
    proposed = propose(users, records, round(config.n_proposed_per_slot * config.budget))
    features, labels, lengths, n_targets = [], [], [], []
    for u, user in enumerate(users.tolist()):
        viewed = moment.view(records.record(u))
        rows = wide.of_user(viewed, proposed[u], config.budget, repeats=config.repeats).rows
        targets = _targets(log, user, moment, end_ms, repeats=config.repeats)
        is_target = np.isin(rows, targets, assume_unique=True)
        if not len(targets) or (sampled and not is_target.any()):
            continue
        keep = _kept(is_target, config.n_negatives, rng) if sampled else slice(None)
        features.append(features_of(viewed, rows, moment)[keep])
        labels.append(is_target[keep])
        lengths.append(len(labels[-1]))
        n_targets.append(len(targets))
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    return Examples(
        np.concatenate([np.empty((0, N_FEATURES), np.float32), *features]),
        np.concatenate([np.empty(0, np.bool_), *labels]),
        offsets,
        np.array(n_targets, np.int64),
    )


def _without(examples: Examples, hidden: Sequence[str]) -> Examples:
    """Make features equal everywhere: no tree will ask for them."""
    examples.features[:, [FEATURES.index(name) for name in hidden]] = 0.0
    return examples


def recall_within(scores: Float32s, examples: Examples, budget: int) -> float:
    """Return the mean over users of the share of targets among the ``budget`` best candidates."""
    found = [
        examples.labels[a:b][np.argsort(-scores[a:b], kind="stable")[:budget]].sum()
        for a, b in zip(examples.offsets[:-1].tolist(), examples.offsets[1:].tolist(), strict=True)
    ]
    return float(np.mean(np.array(found) / examples.n_targets)) if found else 0.0


def _choose_n_trees(parts: Sequence[Examples], latest: Examples, config: RankingConfig) -> int:
    together = _joined(parts)
    forest = grow(together.features, together.labels, config, config.n_trees)
    staged = forest.staged(latest.features, min(_N_STAGES, config.n_trees))
    recalls = [recall_within(scores, latest, config.budget) for scores in staged]
    return max(1, round(config.n_trees * (int(np.argmax(recalls)) + 1) / len(staged)))


def _joined(parts: Sequence[Examples]) -> Examples:
    together = Examples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate(([0], np.cumsum(np.concatenate([np.diff(part.offsets) for part in parts])))),
        np.concatenate([part.n_targets for part in parts]),
    )
    if not together.labels.any() or together.labels.all():
        raise DataError(
            "fitting a ranker: expected users who acted on some candidates and not on others before the "
            f"cut, got {int(together.labels.sum())} of {len(together.labels)}; give a longer log, or "
            "shorter horizon_days"
        )
    return together


def _acting_users(log: LogArrays, start_ms: int, end_ms: int, window_ms: int, min_actions: int) -> Int64s:
    """Return the users with enough actions in the window before, and some in ``[start_ms, end_ms)``."""
    before = (log.times_ms < start_ms) & (log.times_ms >= start_ms - window_ms)
    after = (log.times_ms >= start_ms) & (log.times_ms < end_ms) & likes(log.weights)
    n_before, n_after = (np.concatenate(([0], np.cumsum(m)))[log.offsets] for m in (before, after))
    return np.flatnonzero((np.diff(n_before) >= min_actions) & (np.diff(n_after) > 0))


def _targets(log: LogArrays, user: int, moment: Moment, end_ms: int, *, repeats: bool) -> Int32s:
    rows = items_between(log, user, moment.moment_ms, end_ms, liked=True)
    rows = rows[moment.pool[rows]]
    if repeats:
        return rows
    return np.setdiff1d(rows, items_between(log, user, 0, moment.moment_ms), assume_unique=True)


def _kept(is_target: Bools, n_negatives: int, rng: np.random.Generator) -> Int64s:
    """Return the positions of all targets and of some others, ascending."""
    others = np.flatnonzero(~is_target)
    others = rng.permutation(others)[:n_negatives]
    return np.sort(np.concatenate((np.flatnonzero(is_target), others)))

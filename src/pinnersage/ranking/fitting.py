"""Fitting a ranker on a log: what was known at past moments, and what users did next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.errors import DataError
from pinnersage.ranking.actions import LogArrays
from pinnersage.ranking.examples import Examples, examples_at
from pinnersage.ranking.features import FEATURES
from pinnersage.ranking.growing import grow
from pinnersage.ranking.moment import Moment
from pinnersage.ranking.proposing import Propose
from pinnersage.ranking.ranker import Ranker

MomentAt = Callable[[int], Moment]
ProposeAt = Callable[[Moment], Propose]
_N_STAGES = 20


class TrainingExamples(NamedTuple):
    """All that one ranker is fitted on.

    Attributes
    ----------
    moments
        Drawn candidates of each moment, oldest first.
    newest
        All candidates of some users at the newest moment: how many trees to keep is chosen on them.
    """

    moments: tuple[Examples, ...]
    newest: Examples

    @property
    def n_bytes(self) -> int:
        """Memory taken."""
        return sum(examples.n_bytes for examples in (*self.moments, self.newest))


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
    examples = training_examples(log, until_ms, moment_at, propose_at, interests, config, hidden)
    return fitted_on(examples, until_ms, config)


def training_examples(
    log: LogArrays,
    until_ms: int,
    moment_at: MomentAt,
    propose_at: ProposeAt,
    interests: InterestConfig,
    config: RankingConfig,
    hidden: Sequence[str] = (),
) -> TrainingExamples:
    """Return what :func:`fit_ranker` fits a ranker on; how its trees grow makes no difference to them."""
    made = []
    moments = training_moments(until_ms, config)
    for ms in moments:
        moment, n_whole = moment_at(ms), max(1, config.n_users_per_moment // 2) if ms == moments[-1] else 0
        made.append(examples_at(log, moment, propose_at(moment), interests, config, n_whole=n_whole))
    drawn = tuple(_without(examples, hidden) for examples, _ in made)
    return TrainingExamples(drawn, _without(made[-1][1], hidden))


def fitted_on(examples: TrainingExamples, until_ms: int, config: RankingConfig) -> Ranker:
    """Fit a ranker on examples from before ``until_ms``; see :func:`fit_ranker`."""
    parts = examples.moments
    n_trees = _choose_n_trees(parts[:-1] or parts, examples.newest, config)
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

from __future__ import annotations

import numpy as np
import pytest
from tests.ranking.logs import Log, random_log

from pinnersage._arrays import Bools, Float32s
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.ranking.actions import items_between, records_before
from pinnersage.ranking.candidates import WideSet
from pinnersage.ranking.examples import Examples, examples_at
from pinnersage.ranking.features import features_of
from pinnersage.ranking.moment import Moment, moment_before
from pinnersage.ranking.proposing import from_mean

DAY = MS_PER_DAY
INTERESTS = InterestConfig()
BUDGET, N_PROPOSED = 3, 6
CONFIG = RankingConfig(
    budget=BUDGET, n_proposed_per_slot=N_PROPOSED / BUDGET, n_popular_per_slot=1, n_linked_per_slot=1,
    horizon_days=3, n_users_per_moment=40, n_negatives=7,
)  # fmt: skip
User = tuple[Float32s, Bools, int]


def world(repeats: bool) -> tuple[Log, Moment, RankingConfig]:
    log, vectors = random_log(5)
    moment = moment_before(log, 40 * DAY, vectors, np.ones(len(vectors), np.bool_))
    return log, moment, CONFIG.model_copy(update={"repeats": repeats})


def apart(log: Log, moment: Moment, config: RankingConfig, *, sampled: bool) -> list[User]:
    """Return features, labels and number of targets of each user, made for one kind of examples alone."""
    start, end = moment.moment_ms, moment.moment_ms + 3 * DAY
    rng = np.random.default_rng((config.ranker_seed, start))
    acting = [u for u in range(60) if len(items_between(log, u, start - 90 * DAY, start))]
    acting = [u for u in acting if len(items_between(log, u, start, end))]
    assert len(acting) > config.n_users_per_moment
    n_users = config.n_users_per_moment // (1 if sampled else 2)
    propose, wide, made = from_mean(moment, repeats=config.repeats), WideSet(moment, config), list[User]()
    for user in sorted(rng.permutation(np.array(acting))[:n_users].tolist()):
        records = records_before(log, np.array([user]), moment.embeddings, INTERESTS, start)
        (proposed,), viewed = propose(np.array([user]), records, N_PROPOSED), moment.view(records.record(0))
        rows = wide.of_user(viewed, proposed, BUDGET, repeats=config.repeats).rows
        seen = [] if config.repeats else items_between(log, user, 0, start).tolist()
        targets = set(items_between(log, user, start, end).tolist()) - set(seen)
        labels = np.array([row in targets for row in rows.tolist()])
        features, at = features_of(viewed, rows, moment), np.arange(len(rows))
        if sampled and labels.any():
            others = rng.permutation(at[~labels])[: config.n_negatives]
            at = np.sort(np.append(at[labels], others))
        if labels.any() or (targets and not sampled):
            made.append((features[at], labels[at], len(targets)))
    return made


def assert_equal(examples: Examples, expected: list[User]) -> None:
    features, labels, n_targets = zip(*expected, strict=True)
    assert examples.features.tobytes() == np.concatenate(features).tobytes()
    assert examples.labels.tolist() == np.concatenate(labels).tolist()
    assert np.diff(examples.offsets).tolist() == [len(one) for one in labels]
    assert examples.n_targets.tolist() == list(n_targets)


@pytest.mark.parametrize("repeats", [False, True])
def test_both_kinds_at_once_are_what_each_is_alone(repeats: bool) -> None:
    log, moment, config = world(repeats)
    propose = from_mean(moment, repeats=repeats)
    drawn, whole = examples_at(log, moment, propose, INTERESTS, config, n_whole=20)
    assert_equal(drawn, apart(log, moment, config, sampled=True))
    assert_equal(whole, apart(log, moment, config, sampled=False))
    alone, nothing = examples_at(log, moment, propose, INTERESTS, config)
    assert [a.tobytes() for a in alone] == [a.tobytes() for a in drawn]
    assert nothing.features.shape == (0, drawn.features.shape[1])
    assert nothing.offsets.tolist() == [0]


def test_whole_sets_hold_users_whose_targets_were_no_candidates() -> None:
    log, moment, config = world(False)
    _, whole = examples_at(log, moment, from_mean(moment, repeats=False), INTERESTS, config, n_whole=20)
    n_found = np.add.reduceat(whole.labels, whole.offsets[:-1], dtype=np.int64)
    assert (n_found == 0).any()
    assert (n_found <= whole.n_targets).all()

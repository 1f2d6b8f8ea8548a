from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.ranking.logs import Log, log_of, random_log

from pinnersage._arrays import Float32s
from pinnersage.config import MS_PER_DAY, InterestConfig, RankingConfig
from pinnersage.errors import DataError, StoredFormatError
from pinnersage.ranking.actions import items_between, records_before
from pinnersage.ranking.candidates import WideSet
from pinnersage.ranking.examples import Examples, examples_at
from pinnersage.ranking.features import FEATURES, features_of
from pinnersage.ranking.fitting import fit_ranker, recall_within, training_moments
from pinnersage.ranking.linking import links_before
from pinnersage.ranking.moment import Moment, moment_before
from pinnersage.ranking.proposing import from_mean, nothing
from pinnersage.ranking.ranker import RANKER_FILE, Ranker

DAY = MS_PER_DAY
UNTIL = 50 * DAY
INTERESTS = InterestConfig()
CONFIG = RankingConfig(
    budget=5, horizon_days=5, n_moments=3, n_trees=20, n_leaves=7, min_leaf_rows=5, n_negatives=30
)


def fitted(log: Log, vectors: Float32s, config: RankingConfig = CONFIG) -> Ranker:
    available = np.ones(len(vectors), np.bool_)

    def moment_at(ms: int) -> Moment:
        return moment_before(log, ms, vectors, available, links=links_before(log, ms, ridge=5.0))

    return fit_ranker(log, UNTIL, moment_at, lambda m: from_mean(m, repeats=False), INTERESTS, config)


def after(log: Log, shift: int) -> Log:
    """Return the log with everything from UNTIL on turned into something else."""
    rows = log.item_rows.copy()
    later = log.times_ms >= UNTIL
    assert later.any()
    rows[later] = (rows[later] + shift) % len(log.born_ms)
    return replace(log, item_rows=rows)


def test_the_last_horizon_ends_at_the_cut() -> None:
    assert training_moments(UNTIL, CONFIG) == [35 * DAY, 40 * DAY, 45 * DAY]


def test_it_learns_nothing_from_the_cut_on() -> None:
    log, vectors = random_log(1)
    one, two = (fitted(x, vectors).forest.values for x in (log, after(log, 7)))
    assert np.array_equal(one, two)


def test_a_change_before_the_cut_is_learnt() -> None:
    log, vectors = random_log(1)
    rows = log.item_rows.copy()
    changed = (log.times_ms >= 46 * DAY) & (log.times_ms < UNTIL)
    rows[changed] = (rows[changed] + 7) % 80
    other = fitted(replace(log, item_rows=rows), vectors)
    mine = fitted(log, vectors)
    assert mine.forest.values.tolist() != other.forest.values.tolist()


def test_ranking_beats_the_order_of_the_proposals_on_later_days() -> None:
    log, vectors = random_log(2, n_users=200)
    ranker = fitted(log, vectors)
    moment = moment_before(
        log, UNTIL, vectors, np.ones(80, np.bool_), links=links_before(log, UNTIL, ridge=5.0)
    )
    propose, wide = from_mean(moment, repeats=False), WideSet(moment, CONFIG)
    users = np.arange(200)
    records = records_before(log, users, vectors, INTERESTS, UNTIL)
    proposed = propose(users, records, 20)
    plain, ranked, n = 0, 0, 0
    for u in range(200):
        seen = items_between(log, u, 0, UNTIL)
        targets = np.setdiff1d(items_between(log, u, UNTIL, 60 * DAY), seen)
        viewed = moment.view(records.record(u))
        rows = wide.of_user(viewed, proposed[u], 5, repeats=False).rows
        scores = ranker.score(features_of(viewed, rows, moment))
        n += len(targets)
        plain += len(np.intersect1d(proposed[u][:5], targets))
        ranked += len(np.intersect1d(rows[np.argsort(-scores)][:5], targets))
    assert n > 200
    assert ranked > 1.3 * plain  # popular items are twice as likely, and the mean does not know it


def test_saved_opened_and_explained(tmp_path: Path) -> None:
    log, vectors = random_log(3)
    ranker = fitted(log, vectors)
    ranker.save(tmp_path / "ranker")
    opened = Ranker.open(tmp_path / "ranker")
    assert opened.about == ranker.about
    features = np.random.default_rng(0).random((50, len(FEATURES)), np.float32)
    assert np.array_equal(opened.score(features), ranker.score(features))
    explained = opened.explain(features)
    assert [sum(one.values()) for one in explained] == pytest.approx(
        ranker.score(features).tolist(), abs=1e-4
    )
    assert list(explained[0]) == ["expected", *FEATURES]
    assert sum(opened.gains().values()) == pytest.approx(1)
    whole = (tmp_path / "ranker" / RANKER_FILE).read_bytes()
    (tmp_path / "ranker" / RANKER_FILE).write_bytes(whole[:-1])
    with pytest.raises(StoredFormatError, match="checksum"):
        Ranker.open(tmp_path / "ranker")


def test_too_little_to_learn_from_is_said() -> None:
    log = log_of([(0, 0, 40 * DAY), (0, 1, 41 * DAY), (1, 0, 44 * DAY)], 2, 3)
    with pytest.raises(DataError, match="horizon_days"):
        fitted(log, np.eye(3, dtype=np.float32))


def test_examples_hold_targets_and_drawn_others() -> None:
    log, vectors = random_log(4)
    moment = moment_before(log, 40 * DAY, vectors, np.ones(80, np.bool_))
    few = CONFIG.model_copy(update={"n_negatives": 4})
    drawn, everything = examples_at(log, moment, nothing, INTERESTS, few, n_whole=len(log.offsets))
    lengths = np.diff(drawn.offsets)
    positives = np.add.reduceat(drawn.labels, drawn.offsets[:-1], dtype=np.int64)
    assert (lengths - positives <= 4).all()
    assert (positives >= 1).all()
    assert (positives <= drawn.n_targets).all()
    assert np.diff(everything.offsets).max() > lengths.max()


def test_recall_counts_targets_that_were_no_candidates() -> None:
    examples = Examples(
        np.zeros((5, len(FEATURES)), np.float32),
        np.array([True, False, True, False, True]),
        np.array([0, 3, 5]),
        np.array([4, 1]),
    )
    scores = np.array([3.0, 2.0, 1.0, 9.0, 1.0], np.float32)
    assert recall_within(scores, examples, 1) == (1 / 4 + 0 / 1) / 2
    assert recall_within(scores, examples, 3) == (2 / 4 + 1 / 1) / 2

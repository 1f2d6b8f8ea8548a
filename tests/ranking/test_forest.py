from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from pinnersage._arrays import Bools, Float32s
from pinnersage.config import RankingConfig
from pinnersage.ranking.forest import Forest
from pinnersage.ranking.growing import grow

CONFIG = RankingConfig(n_leaves=7, min_leaf_rows=5, learning_rate=0.1)


def table(seed: int, *, missing: bool = False) -> tuple[Float32s, Bools]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(600, 5)).astype(np.float32)
    labels = features[:, 1] + features[:, 3] ** 2 + rng.normal(size=600) > 1
    if missing:
        features[rng.random(features.shape) < 0.2] = np.nan
    return features, labels


@pytest.mark.parametrize("missing", [False, True])
def test_scores_are_those_of_the_library(missing: bool) -> None:
    features, labels = table(1, missing=missing)
    forest = grow(features, labels, CONFIG, 30)
    model = HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=30, max_leaf_nodes=7, min_samples_leaf=5, l2_regularization=1.0,
        early_stopping=False, random_state=0,
    ).fit(features, labels)  # fmt: skip
    unseen = table(2, missing=True)[0]
    assert forest.scores(unseen) == pytest.approx(model.decision_function(unseen), abs=1e-5)


def test_contributions_sum_to_the_score_and_go_to_what_was_asked() -> None:
    features, labels = table(3)
    forest = grow(features, labels, CONFIG, 20)
    contributions, expected = forest.contributions(features)
    assert contributions.sum(axis=1) + expected == pytest.approx(forest.scores(features), abs=1e-4)
    never_asked = np.setdiff1d(np.arange(5), forest.features)
    assert not contributions[:, never_asked].any()
    gains = forest.total_gains(5)
    assert {int(i) for i in np.argsort(-gains)[:2]} == {1, 3}


def test_contributions_of_one_small_tree_by_hand() -> None:
    forest = Forest(
        base=np.array([0.5]),
        roots=np.array([0], np.int32),
        features=np.array([1, -1, 0, -1, -1], np.int32),
        thresholds=np.array([2.0, 0, 7.0, 0, 0]),
        missing_left=np.array([True, False, False, False, False]),
        lefts=np.array([1, 0, 3, 0, 0], np.int32),
        rights=np.array([2, 0, 4, 0, 0], np.int32),
        values=np.array([1.0, -3.0, 2.0, 4.0, 0.0]),
        gains=np.array([10.0, 0, 5.0, 0, 0]),
    )
    rows = np.array([[9, 1], [7, 3], [8, 3], [0, np.nan], [np.nan, 3]], np.float32)
    assert forest.scores(rows).tolist() == [0.5 - 3, 0.5 + 4, 0.5, 0.5 - 3, 0.5]
    contributions, expected = forest.contributions(rows)
    assert expected == 0.5 + 1
    assert contributions[:3].tolist() == [[0, -3 - 1], [4 - 2, 2 - 1], [0 - 2, 2 - 1]]
    assert forest.total_gains(3).tolist() == [5, 10, 0]


def test_stages_are_the_scores_of_the_first_trees() -> None:
    features, labels = table(4)
    forest = grow(features, labels, CONFIG, 12)
    staged = forest.staged(features, 4)
    assert [forest.first(n).n_trees for n in (3, 12, 99)] == [3, 12, 12]
    for stage, n_trees in enumerate((3, 6, 9, 12)):
        assert np.array_equal(staged[stage], forest.first(n_trees).scores(features))

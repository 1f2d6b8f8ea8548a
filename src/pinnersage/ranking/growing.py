"""Growing trees with scikit-learn, and copying them into arrays. The only place that needs the extra."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Float64s
from pinnersage.config import RankingConfig
from pinnersage.errors import UnavailableError, install_hint
from pinnersage.ranking._extras import needed, one_thread
from pinnersage.ranking.forest import LEAF, Forest

OF_TREES = ("n_trees", "learning_rate", "n_leaves", "min_leaf_rows", "l2")
"""Settings of a ranker that nothing else reads: examples are the same whatever they are."""
_MAX_DIFFERENCE = 1e-4


def grow(features: Float32s, labels: Bools, config: RankingConfig, n_trees: int) -> Forest:
    """Fit boosted trees to labels by logistic loss.

    Raises
    ------
    UnavailableError
        scikit-learn is not installed, or its trees cannot be read.
    """
    model, one_thread = _classifier(config, n_trees)
    with one_thread:
        model.fit(features, labels)
    forest = _copied(model)
    sample = features[:1_000]
    difference = np.abs(forest.scores(sample) - model.decision_function(sample)).max(initial=0.0)
    if difference > _MAX_DIFFERENCE:
        raise UnavailableError(
            f"scikit-learn: expected trees that score as copied, they differ by {difference:.2g}; "
            f"to have a version that is known to work, {install_hint('ranking')}"
        )
    return forest


def _classifier(config: RankingConfig, n_trees: int) -> tuple[Any, Any]:
    """Return the model, and a context in which its threads do not wait for each other on a busy machine.

    Its threads spin at every split of every tree: where cores are shared, two take a hundred times as
    long as one.
    """
    ensemble = needed("sklearn.ensemble")
    model = ensemble.HistGradientBoostingClassifier(
        learning_rate=config.learning_rate,
        max_iter=n_trees,
        max_leaf_nodes=config.n_leaves,
        min_samples_leaf=config.min_leaf_rows,
        l2_regularization=config.l2,
        early_stopping=False,
        random_state=config.ranker_seed,
    )
    return model, one_thread()


def _copied(model: Any) -> Forest:
    trees = [stage[0].nodes for stage in model._predictors]  # no public way to read them
    sizes = [len(nodes) for nodes in trees]
    starts = np.cumsum([0, *sizes[:-1]])
    nodes = np.concatenate(trees)
    shift = np.repeat(starts, sizes)
    leaf = nodes["is_leaf"].astype(np.bool_)
    return Forest(
        np.asarray(model._baseline_prediction, np.float64).reshape(-1)[:1],
        starts.astype(np.int32),
        np.where(leaf, LEAF, nodes["feature_idx"]).astype(np.int32),
        nodes["num_threshold"].astype(np.float64),
        nodes["missing_go_to_left"].astype(np.bool_),
        np.where(leaf, 0, nodes["left"] + shift).astype(np.int32),
        np.where(leaf, 0, nodes["right"] + shift).astype(np.int32),
        np.concatenate([_expected_values(tree) for tree in trees]),
        np.where(leaf, 0.0, nodes["gain"]).astype(np.float64),
    )


def _expected_values(nodes: npt.NDArray[Any]) -> Float64s:
    """Return for each node of a tree the mean of its leaves, weighted by their training rows.

    Children stand behind their parent.
    """
    values = nodes["value"].astype(np.float64)
    for at in range(len(nodes) - 1, -1, -1):
        if not nodes["is_leaf"][at]:
            left, right = int(nodes["left"][at]), int(nodes["right"][at])
            n_left, n_right = float(nodes["count"][left]), float(nodes["count"][right])
            values[at] = (n_left * values[left] + n_right * values[right]) / max(n_left + n_right, 1.0)
    return values

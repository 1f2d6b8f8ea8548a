"""Quality of clusters against scikit-learn, naive twins and tables worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from pinnersage.interests.quality import (
    adjusted_rand_index,
    best_jaccard,
    contingency,
    normalized_mutual_information,
    purity,
    silhouette,
)

LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=30)


def two_labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    a = np.array(draw(LABELS))
    return a, np.array(draw(st.lists(st.integers(0, 4), min_size=len(a), max_size=len(a))))


PAIRS = st.composite(two_labels)()


@given(LABELS, st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_silhouettes_are_those_of_scikit_learn(labels: list[int], seed: int) -> None:
    own = np.array(labels)
    vectors = np.random.default_rng(seed).standard_normal((len(own), 5))
    found = silhouette(vectors, own)
    if not 2 <= len(set(labels)) < len(labels):
        assert math.isnan(found)
        return
    assert found == pytest.approx(metrics.silhouette_score(vectors, own, metric="cosine"), abs=1e-9)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert found == pytest.approx(metrics.silhouette_score(unit, own, metric="sqeuclidean"), abs=1e-9)


def test_a_silhouette_by_hand() -> None:
    # Two items at one point, one at a right angle: a = 0, b = 1 for the pair; alone counts 0.
    vectors = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    assert silhouette(vectors, np.array([0, 0, 1])) == pytest.approx((1 + 1 + 0) / 3)


def test_equal_items_in_two_clusters_have_no_silhouette() -> None:
    assert silhouette(np.ones((4, 2)), np.array([0, 0, 1, 1])) == 0


def test_purity_of_a_made_table() -> None:
    # The textbook's example: 17 items, three clusters with 5, 4 and 3 of their commonest class.
    labels = np.repeat([0, 1, 2], [6, 6, 5])
    classes = np.array([0] * 5 + [1] + [0] + [1] * 4 + [2] + [0] * 2 + [2] * 3)
    assert purity(labels, classes) == pytest.approx((5 + 4 + 3) / 17)
    assert purity(np.arange(17), classes) == 1
    assert purity(np.zeros(17, int), classes) == pytest.approx(8 / 17)
    assert math.isnan(purity(labels[:0], classes[:0]))


@given(PAIRS)
def test_agreement_is_that_of_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    assert adjusted_rand_index(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b), abs=1e-12)
    expected = metrics.normalized_mutual_info_score(a, b)
    assert normalized_mutual_information(a, b) == pytest.approx(expected, abs=1e-9)


@given(PAIRS)
def test_the_most_alike_cluster_as_sets(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    sets_a = [set(np.flatnonzero(a == c).tolist()) for c in range(int(a.max()) + 1)]
    sets_b = [set(np.flatnonzero(b == c).tolist()) for c in range(int(b.max()) + 1)]
    found = best_jaccard(a, b)
    assert contingency(a, b).sum() == len(a)
    for own, similarity in zip(sets_a, found, strict=True):
        if own:
            assert similarity == pytest.approx(max(len(own & x) / len(own | x) for x in sets_b))
        else:
            assert math.isnan(similarity)

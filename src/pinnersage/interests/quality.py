"""How good clusters are: how tight and far apart, how pure, how alike two clusterings. Pure functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float64s, Int64s

Labels = npt.NDArray[Any]
"""int ``(n_items,)`` number of each item's cluster, 0 or more."""


def silhouette(embeddings: npt.NDArray[Any], labels: Labels) -> float:
    """Return the mean silhouette of items by cosine distance, from -1 to 1.

    Of each item ``(b - a) / max(a, b)``: ``a`` its mean distance to the others of its cluster, ``b``
    the smallest mean distance to another cluster; 0 for an item that is alone in its cluster. On unit
    vectors squared Euclidean distances give the same value. NaN unless there are at least 2 clusters
    and fewer clusters than items.

    Source: Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", 1987.

    Parameters
    ----------
    embeddings
        ``(n_items, d)``, of any length but 0.
    labels
        Cluster of each item.
    """
    _, own = np.unique(labels, return_inverse=True)
    n, n_clusters = len(own), int(own.max(initial=-1)) + 1
    if not 2 <= n_clusters < n:
        return math.nan
    vectors = np.asarray(embeddings, np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = np.maximum(1.0 - vectors @ vectors.T, 0.0)
    np.fill_diagonal(distances, 0.0)
    members = np.zeros((n, n_clusters))
    members[np.arange(n), own] = 1.0
    sizes, sums = members.sum(axis=0), distances @ members
    inner = sums[np.arange(n), own] / np.maximum(sizes[own] - 1, 1)
    outer = np.where(members > 0, np.inf, sums / sizes).min(axis=1)
    larger = np.maximum(inner, outer)
    values = np.where((sizes[own] > 1) & (larger > 0), (outer - inner) / np.where(larger > 0, larger, 1), 0.0)
    return float(values.mean())


def contingency(a: Labels, b: Labels) -> Int64s:
    """Return how many items are in each cluster of ``a`` and of ``b``, int64 ``(n_a, n_b)``."""
    n_a, n_b = int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1
    counts = np.bincount(a.astype(np.int64) * n_b + b, minlength=n_a * n_b)
    table: Int64s = counts.reshape(n_a, n_b)
    return table


def purity(labels: Labels, classes: Labels) -> float:
    """Return the share of items that are of their cluster's most common class; NaN without items.

    It rises with the number of clusters (items alone are pure), so hold it against the purity of
    clusters of the same sizes with classes dealt at random.

    Source: Manning, Raghavan, Schütze, "Introduction to information retrieval", 2008, section 16.3.

    Examples
    --------
    >>> purity(np.array([0, 0, 0, 1]), np.array([7, 7, 8, 8]))
    0.75
    """
    if not len(labels):
        return math.nan
    return float(contingency(labels, classes).max(axis=1).sum() / len(labels))


def normalized_mutual_information(a: Labels, b: Labels) -> float:
    """Return mutual information over the mean of both entropies, 0 to 1; 1 where neither splits anything.

    Source: Strehl, Ghosh, "Cluster ensembles", 2002; with the arithmetic mean.
    """
    if not len(a):
        return math.nan
    joint = contingency(a, b) / len(a)
    of_a, of_b = joint.sum(axis=1), joint.sum(axis=0)
    mean = (_entropy(of_a) + _entropy(of_b)) / 2
    information = _entropy(of_a) + _entropy(of_b) - _entropy(joint)
    return max(0.0, min(1.0, information / mean)) if mean > 0 else 1.0


def _entropy(shares: Float64s) -> float:
    given = shares[shares > 0]
    return float(-(given * np.log(given)).sum())


def adjusted_rand_index(a: Labels, b: Labels) -> float:
    """Return how alike two clusterings are: 1 equal, 0 as alike as by chance, below 0 less.

    Source: Hubert, Arabie, "Comparing partitions", 1985.
    """
    table = contingency(a, b)
    together, in_a, in_b = (_pairs(x) for x in (table, table.sum(axis=1), table.sum(axis=0)))
    expected = in_a * in_b / max(1.0, _pairs(np.array([len(a)])))
    most = (in_a + in_b) / 2
    return (together - expected) / (most - expected) if most != expected else 1.0


def _pairs(counts: Int64s) -> float:
    return float((counts * (counts - 1) // 2).sum())


def best_jaccard(a: Labels, b: Labels) -> Float64s:
    """Return, for each cluster of ``a``, its Jaccard similarity to the cluster of ``b`` most like it.

    float64 ``(n_a,)``; NaN for numbers below the largest that hold no item.

    Source: Hennig, "Cluster-wise assessment of cluster stability", 2007.
    """
    table = contingency(a, b).astype(np.float64)
    of_a, of_b = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    best = (table / np.maximum(of_a + of_b - table, 1)).max(axis=1, initial=0.0)
    return np.where(of_a[:, 0] > 0, best, np.nan)

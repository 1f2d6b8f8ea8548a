"""k-means with a fixed number of clusters, for the paper's comparison with Ward.

Lloyd's algorithm from farthest-first centres: no chance is involved, so equal points give equal
clusters. Source: KDD 2020 paper, section 5 (k = 5); farthest-first: Gonzalez 1985.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.interests.exact import add_scaled, squared_difference
from pinnersage.interests.medoid import centroids

_MAX_ROUNDS = 50


@kernel
def _farthest_first(source: npt.NDArray[Any], rows: Int64s, counts: Float64s, k: int) -> Float64s:
    """Start at the point nearest to the mean, then always take the point farthest from all taken."""
    n = rows.shape[0]
    mean = centroids(source, rows, counts, np.zeros(n, np.int32), 1)[0]
    centers = np.zeros((k, mean.shape[0]), np.float64)
    gaps = np.empty(n, np.float64)
    for i in range(n):
        gaps[i] = squared_difference(source[rows[i]], mean)[0]
    add_scaled(centers[0], source[rows[np.argmin(gaps)]], 1.0)
    gaps[:] = np.inf
    for c in range(1, k):
        for i in range(n):
            gaps[i] = min(gaps[i], squared_difference(source[rows[i]], centers[c - 1])[0])
        add_scaled(centers[c], source[rows[np.argmax(gaps)]], 1.0)
    return centers


@kernel
def _assign(source: npt.NDArray[Any], rows: Int64s, centers: Float64s, labels: Int32s) -> bool:
    """Give each point its nearest centre; tell whether any changed."""
    changed = False
    for i in range(rows.shape[0]):
        best, best_distance = 0, np.inf
        for c in range(centers.shape[0]):
            distance = squared_difference(source[rows[i]], centers[c])[0]
            if distance < best_distance:
                best, best_distance = c, distance
        changed = changed or labels[i] != best
        labels[i] = best
    return changed


@kernel
def _first_appearance(labels: Int32s, n_clusters: int) -> Int32s:
    """Renumber the clusters that hold a point, by first appearance."""
    numbers = np.full(n_clusters, -1, np.int32)
    renumbered, n = np.empty_like(labels), 0
    for i in range(labels.shape[0]):
        if numbers[labels[i]] < 0:
            numbers[labels[i]] = n
            n += 1
        renumbered[i] = numbers[labels[i]]
    return renumbered


@kernel
def kmeans_labels(source: npt.NDArray[Any], rows: Int64s, counts: Float64s, n_clusters: int) -> Int32s:
    """Cluster points, each as often as it was acted on, into at most ``n_clusters``.

    Parameters
    ----------
    source, rows
        Point ``i`` is ``source[rows[i]]``.
    counts
        float64 ``(n_points,)``.
    n_clusters
        Upper bound; fewer points give fewer clusters.

    Returns
    -------
    labels
        int32 ``(n_points,)``, numbered by first appearance.
    """
    k = min(n_clusters, rows.shape[0])
    centers = _farthest_first(source, rows, counts, k)
    labels = np.full(rows.shape[0], -1, np.int32)
    for _ in range(_MAX_ROUNDS):
        if not _assign(source, rows, centers, labels):
            break
        means = centroids(source, rows, counts, labels, k)
        for c in range(k):
            if np.isfinite(means[c, 0]):
                centers[c] = means[c]
    return _first_appearance(labels, k)

"""The medoid of each cluster: the member from which the squared distances to all members sum least.

That member is the one nearest to the centroid (the sums differ by a constant of the cluster), so one
pass finds it. Two members at equal distance are told apart by the newest action, then by the smaller
item row; two-member clusters always tie.

Source: KDD 2020 paper, Equation 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.interests.exact import add_scaled, squared_difference

_RELATIVE_TIE = 1e-12


@kernel
def centroids(
    source: npt.NDArray[Any], rows: Int64s, counts: Float64s, labels: Int32s, n_clusters: int
) -> Float64s:
    """Return the mean of each cluster's points, each as often as it was acted on: ``(n_clusters, d)``."""
    means = np.zeros((n_clusters, source.shape[1]), np.float64)
    totals = np.zeros(n_clusters, np.float64)
    for i in range(rows.shape[0]):
        add_scaled(means[labels[i]], source[rows[i]], counts[i])
        totals[labels[i]] += counts[i]
    for c in range(n_clusters):
        means[c] /= totals[c]
    return means


@kernel
def medoids(
    source: npt.NDArray[Any],
    rows: Int64s,
    counts: Float64s,
    newest_ms: Int64s,
    labels: Int32s,
    n_clusters: int,
) -> Int64s:
    """Choose each cluster's medoid.

    Parameters
    ----------
    source, rows
        Point ``i`` is ``source[rows[i]]``; ``rows`` ascending.
    counts, newest_ms
        ``(n_points,)`` actions at each point, and the time of its newest one.
    labels
        int32 ``(n_points,)`` cluster of each point.
    n_clusters
        Number of clusters, none empty.

    Returns
    -------
    medoids
        int64 ``(n_clusters,)`` point numbers.
    """
    means = centroids(source, rows, counts, labels, n_clusters)
    distances = np.empty(rows.shape[0], np.float64)
    bounds = np.full(n_clusters, np.inf)
    for i in range(rows.shape[0]):
        distances[i], norm = squared_difference(source[rows[i]], means[labels[i]])
        bounds[labels[i]] = min(bounds[labels[i]], distances[i] + _RELATIVE_TIE * norm)
    chosen = np.full(n_clusters, -1, np.int64)
    for i in range(rows.shape[0]):
        c = labels[i]
        if distances[i] <= bounds[c] and (chosen[c] < 0 or newest_ms[i] > newest_ms[chosen[c]]):
            chosen[c] = i
    return chosen

"""The kernels that turn one user's canonical actions into interests; :mod:`.build` calls them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import inlined_kernel, kernel
from pinnersage.config import MS_PER_DAY
from pinnersage.interests.canonical import Columns, stable_order
from pinnersage.interests.changed import labels_with_known, whole_clusters
from pinnersage.interests.clustering import Comparison, Rule, cluster_points
from pinnersage.interests.medoid import medoids


class Before(NamedTuple):
    """What is known of a user's clusters: int32 labels, -1 for an action in none, or not known.

    ``labels`` of all actions the user had, ``labels_in_window`` of those in the window now.
    """

    labels: Int32s
    labels_in_window: Int32s


@kernel
def _distinct(item_rows: Int32s, times_ms: Int64s) -> tuple[Int64s, Float64s, Int64s, Int64s]:
    """Return the items acted on (ascending), how often, how lately, and which one each action has."""
    by_item = stable_order(item_rows.astype(np.int64))
    n = 0
    rows = np.empty(by_item.shape[0], np.int64)
    counts = np.zeros(by_item.shape[0], np.float64)
    newest_ms = np.empty(by_item.shape[0], np.int64)
    point_of = np.empty(by_item.shape[0], np.int64)
    for i in by_item:
        if n == 0 or rows[n - 1] != item_rows[i]:
            rows[n] = item_rows[i]
            n += 1
        counts[n - 1] += 1.0
        newest_ms[n - 1] = times_ms[i]
        point_of[i] = n - 1
    return rows[:n], counts[:n], newest_ms[:n], point_of


@kernel
def decayed_sums(
    window: Columns, labels: Int32s, n_clusters: int, decay_per_day: float, now_ms: int
) -> Float64s:
    """Sum ``weight * exp(-decay_per_day * age_days)`` over each cluster's actions, in canonical order.

    Source: KDD 2020 paper, Equation 3.
    """
    sums = np.zeros(n_clusters, np.float64)
    for i in range(labels.shape[0]):
        if labels[i] >= 0:
            age_days = (now_ms - window.times_ms[i]) / MS_PER_DAY
            sums[labels[i]] += window.weights[i] * np.exp(-decay_per_day * age_days)
    return sums


@kernel
def ranking(importances: Float64s, newest_ms: Int64s, medoid_rows: Int32s) -> Int64s:
    """Order clusters by importance, then newest action, both descending, then by medoid row."""
    order = stable_order(medoid_rows.astype(np.int64))
    order = order[stable_order(-newest_ms[order])]
    return order[stable_order(-importances[order].view(np.int64))]


@kernel
def _without_singletons(labels: Int32s, counts: Float64s) -> Int32s:
    """Renumber the clusters that hold at least two actions; the others become -1."""
    totals = np.zeros(labels.max() + 1, np.float64)
    for i in range(labels.shape[0]):
        totals[labels[i]] += counts[i]
    numbers, n = np.full(totals.shape[0], -1, np.int32), 0
    for c in range(totals.shape[0]):
        if totals[c] > 1.0:
            numbers[c] = n
            n += 1
    return numbers[labels]


@inlined_kernel
def interests_of(
    source: npt.NDArray[Any],
    used: Int64s | None,
    window: Columns,
    before: Before,
    rule: Rule,
    comparison: Comparison | None,
    now_ms: int,
    buffer: Float32s,
) -> tuple[Int32s, Int32s, Float64s, bool]:
    """Return labels per action, medoid rows and importances of one user's window, and whether untied.

    ``source`` holds the embeddings of the items ``used``, ascending; of all items when that is None.
    """
    rows, counts, newest_ms, point_of = _distinct(window.item_rows, window.times_ms)
    where = rows if used is None else np.searchsorted(used, rows)
    labels, untied = np.empty(0, np.int32), False
    if comparison is None and rows.shape[0] >= rule.fewest_points_known and before.labels.max() >= 0:
        known = whole_clusters(before.labels, before.labels_in_window, point_of, rows.shape[0])
        most_changed = int(rule.largest_share_changed * rows.shape[0])
        labels, untied = labels_with_known(source, where, counts, known, rule.max_merge_cost, most_changed)
    if not untied:
        labels, untied = cluster_points(source, where, counts, rule.max_merge_cost, comparison, buffer)
    if rule.drop_singletons:
        labels = _without_singletons(labels, counts)
    n = labels.max() + 1
    if n == 0:
        return labels[point_of], np.empty(0, np.int32), np.empty(0, np.float64), untied
    clustered = np.flatnonzero(labels >= 0)
    chosen = medoids(source, where[clustered], counts[clustered], newest_ms[clustered], labels[clustered], n)
    medoid_rows = rows[clustered[chosen]].astype(np.int32)
    cluster_newest_ms = np.zeros(n, np.int64)
    for i in clustered:
        cluster_newest_ms[labels[i]] = max(cluster_newest_ms[labels[i]], newest_ms[i])
    importances = decayed_sums(window, labels[point_of], n, rule.decay_per_day, now_ms)
    order = ranking(importances, cluster_newest_ms, medoid_rows)
    rank = np.full(n + 1, -1, np.int32)
    rank[order] = np.arange(n)
    return rank[labels[point_of]], medoid_rows[order], importances[order], untied


@kernel
def seen_elsewhere(item_rows: Int32s, n_before: int, already: Int32s) -> Int32s:
    """Return the items of ``already`` and of the first ``n_before`` actions that no later action has."""
    candidates = np.concatenate((item_rows, already)).astype(np.int64)
    kept, n = np.empty(candidates.shape[0], np.int32), 0
    inside, last = False, -1
    for i in stable_order(candidates):
        if candidates[i] != last:
            n += last >= 0 and not inside
            last, inside = candidates[i], False
            kept[n] = last
        inside = inside or n_before <= i < item_rows.shape[0]
    n += last >= 0 and not inside
    return kept[:n]

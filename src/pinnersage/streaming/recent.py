"""The paper's online path: a batch's interests, and the newest actions since, clustered and united.

For deployments that may not keep windows online. A build then keeps, of each interest, its medoid, its
importance and when it was last acted on (:func:`without_window`); what comes after is clustered by itself
and joins the interest it would have merged with, or stands for a new one (:func:`united`).

Source: KDD 2020 paper, section 4; how an online action joins a cluster is not published there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float64s, Int32s, Int64s
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.moving import record_at
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import GONE, LiveItems
from pinnersage.streaming.extending import with_rows, without


def without_window(record: UserRecord, decay_per_day: float) -> UserRecord:
    """Return a record that keeps one action for each interest, and none of the window.

    The action is on the medoid, as old as the interest's newest one, and weighs what makes the
    importance the same. All other items of the window are known as seen.
    """
    n = record.n_interests
    newest_ms = np.zeros(n, np.int64)
    inside = record.labels >= 0
    np.maximum.at(newest_ms, record.labels[inside], record.times_ms[inside])
    ages_days = (record.as_of_ms - newest_ms) / MS_PER_DAY
    weights = (record.importances * np.exp(decay_per_day * ages_days)).astype(np.float32)
    order = np.argsort(newest_ms, kind="stable")
    seen = np.setdiff1d(np.union1d(record.seen_rows, record.item_rows), record.medoid_rows)
    return replace(
        record,
        item_rows=record.medoid_rows[order],
        times_ms=newest_ms[order],
        weights=weights[order],
        kinds=np.zeros(n, np.uint8),
        event_keys=np.zeros(n, np.uint64),
        labels=order.astype(np.int32),
        seen_rows=seen.astype(np.int32),
        untied=False,
    )


def kept_at(record: UserRecord, items: LiveItems, config: InterestConfig, now_ms: int) -> UserRecord:
    """Return what a build kept of a user as of ``now_ms``, on the catalogue as it is.

    An interest whose medoid was taken out, or whose newest action has left the window, is left out. The
    others stay as they are, but for decay: what is kept of them are no actions to cluster.

    Parameters
    ----------
    record
        Of :func:`without_window`.
    items
        The catalogue as it is.
    config
        How actions become interests.
    now_ms
        Not before ``record.as_of_ms``.
    """
    gone = items.current_rows[record.item_rows] == GONE
    gone |= record.times_ms <= now_ms - config.window_ms
    seen = np.union1d(record.seen_rows, record.item_rows[gone]).astype(np.int32)
    living = with_rows(without(replace(record, seen_rows=seen), gone), items)
    interests, labels = np.unique(living.labels, return_inverse=True)
    living = replace(
        living,
        labels=labels.astype(np.int32),
        medoid_rows=items.current_rows[record.medoid_rows[interests]],
        importances=record.importances[interests],
        seen_rows=np.setdiff1d(living.seen_rows, living.item_rows),
    )
    return record_at(living, now_ms, items.embeddings, config)


def united(
    kept: UserRecord | None,
    recent: ActionBatch,
    embeddings: npt.NDArray[np.generic],
    config: InterestConfig,
    now_ms: int,
) -> UserRecord:
    """Return a record of a batch's interests and of the actions since.

    Parameters
    ----------
    kept
        Of :func:`without_window`; None for a user the batch did not know.
    recent
        One user's newest actions since the batch.
    embeddings
        float32 or float16 ``(n_items, d)``.
    config
        How actions become interests.
    now_ms
        Not before the batch's moment, nor before any recent action.

    Returns
    -------
    record
        Two interests are united when merging them would cost at most ``max_merge_cost``, their medoids
        standing for their centers and their weights for their sizes; the medoid is the more important
        one's.
    """
    new = build_records(recent, embeddings, config, now_ms).record(0)
    if kept is None or not kept.n_interests:
        return new
    weights = np.zeros(kept.n_interests, np.float64)
    weights[kept.labels] = kept.weights * np.exp(
        -config.decay_per_day * (now_ms - kept.times_ms) / MS_PER_DAY
    )
    joins = _joins(kept, new, weights, embeddings, config.max_merge_cost)
    labels = np.where(new.labels >= 0, joins[new.labels], -1) if new.n_interests else new.labels
    return _together(kept, new, weights, joins, labels.astype(np.int32), now_ms)


def _joins(
    kept: UserRecord,
    new: UserRecord,
    weights: Float64s,
    embeddings: npt.NDArray[np.generic],
    max_merge_cost: float,
) -> Int64s:
    """Return, for each new interest, the number of the interest it becomes; new numbers follow the old."""
    old_vectors = np.asarray(embeddings[kept.medoid_rows], np.float64)
    new_vectors = np.asarray(embeddings[new.medoid_rows], np.float64)
    distances = ((new_vectors[:, None] - old_vectors[None]) ** 2).sum(axis=2)
    old_sizes, new_sizes = np.maximum(weights, 1.0), np.maximum(new.importances, 1.0)
    costs = 2 * distances * (new_sizes[:, None] * old_sizes) / (new_sizes[:, None] + old_sizes)
    nearest = costs.argmin(axis=1) if new.n_interests else np.empty(0, np.int64)
    fits = costs[np.arange(new.n_interests), nearest] <= max_merge_cost
    fresh = kept.n_interests + np.cumsum(~fits) - 1
    found: Int64s = np.where(fits, nearest, fresh).astype(np.int64)
    return found


def _together(
    kept: UserRecord, new: UserRecord, weights: Float64s, joins: Int64s, labels: Int32s, now_ms: int
) -> UserRecord:
    n = max(kept.n_interests, int(joins.max(initial=-1)) + 1)
    importances = np.zeros(n, np.float64)
    importances[: kept.n_interests] = weights
    medoid_rows = np.zeros(n, np.int32)
    medoid_rows[: kept.n_interests] = kept.medoid_rows
    for i, target in enumerate(joins.tolist()):
        own = weights[target] if target < kept.n_interests else -1.0
        if new.importances[i] > own:
            medoid_rows[target] = new.medoid_rows[i]
        importances[target] += new.importances[i]
    order = np.argsort(-importances, kind="stable")
    rank = np.append(np.argsort(order), -1).astype(np.int32)
    columns: dict[str, Any] = {
        name: np.concatenate((getattr(kept, name), getattr(new, name)))
        for name in ("item_rows", "times_ms", "weights", "kinds", "event_keys")
    }
    in_time = np.argsort(columns["times_ms"], kind="stable")
    together = np.concatenate((kept.labels, labels))
    seen = np.setdiff1d(np.union1d(kept.seen_rows, new.seen_rows), columns["item_rows"])
    return replace(
        kept,
        as_of_ms=now_ms,
        labels=rank[together[in_time]],
        medoid_rows=medoid_rows[order],
        importances=importances[order],
        seen_rows=seen.astype(np.int32),
        **{name: column[in_time] for name, column in columns.items()},
    )

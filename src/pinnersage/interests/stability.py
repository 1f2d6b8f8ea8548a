"""Whether a user's interests come again when some of the actions are left out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float64s, Int32s
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.quality import adjusted_rand_index, best_jaccard
from pinnersage.interests.record import UserRecord

FOUND_FROM_JACCARD = 0.5


class Stability(NamedTuple):
    """How a user's interests fare when actions are left out.

    Attributes
    ----------
    adjusted_rand_index
        Mean over the draws; of the items that are in both clusterings.
    found_again
        float64 ``(n_interests,)``: the share of draws in which a cluster had a Jaccard similarity of
        0.5 or more to the interest, of the draws that held any of its items; NaN where none did.
    """

    adjusted_rand_index: float
    found_again: Float64s


def stability(
    record: UserRecord,
    embeddings: npt.NDArray[Any],
    config: InterestConfig,
    *,
    seed: int,
    n_draws: int = 20,
    share: float = 0.8,
) -> Stability:
    """Cluster random parts of a user's actions, each drawn without replacement, and compare.

    Source: Hennig, "Cluster-wise assessment of cluster stability", 2007 (subsets; a cluster counts as
    found from a Jaccard similarity of 0.5 on).

    Parameters
    ----------
    record
        The user; made with ``config``.
    embeddings
        float32 or float16 ``(n_items, d)``.
    config
        How actions become interests.
    seed
        Of the draws.
    n_draws, share
        How many, and which share of the actions is in each (at least one action).
    """
    rows, labels = item_labels(record)
    again = build_records(_drawn(record, seed, n_draws, share), embeddings, config, record.as_of_ms)
    alike, found = np.full(n_draws, np.nan), np.full((n_draws, record.n_interests), np.nan)
    for draw in range(n_draws):
        own_rows, own_labels = item_labels(again.record(draw))
        before = labels[np.searchsorted(rows, own_rows)]
        in_both = (before >= 0) & (own_labels >= 0)
        before, after = before[in_both], own_labels[in_both]
        if len(before):
            alike[draw] = adjusted_rand_index(before, after)
            similarities = best_jaccard(before, after)
            met = np.where(np.isnan(similarities), np.nan, similarities >= FOUND_FROM_JACCARD)
            found[draw, : len(met)] = met
    judged = np.isfinite(found)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(judged, found, 0.0).sum(axis=0) / judged.sum(axis=0)
    measured = alike[np.isfinite(alike)]
    return Stability(float(measured.mean()) if len(measured) else np.nan, shares)


def item_labels(record: UserRecord) -> tuple[Int32s, Int32s]:
    """Return the distinct items of a record, ascending, and the interest of each (-1: none), int32 both."""
    rows, first = np.unique(record.item_rows, return_index=True)
    return rows.astype(np.int32), record.labels[first]


def part_of(record: UserRecord, positions: list[npt.NDArray[np.int64]]) -> ActionBatch:
    """Return one made-up user for each array of positions among the record's actions."""
    at = np.concatenate([np.empty(0, np.int64), *positions])
    offsets = np.concatenate(([0], np.cumsum([len(own) for own in positions]))).astype(np.int64)
    return ActionBatch(
        list(range(len(positions))), offsets, record.item_rows[at], record.times_ms[at], record.weights[at],
        record.kinds[at], record.event_keys[at],
    )  # fmt: skip


def _drawn(record: UserRecord, seed: int, n_draws: int, share: float) -> ActionBatch:
    rng, n = np.random.default_rng(seed), record.n_actions
    size = min(n, max(1, round(share * n)))
    return part_of(record, [np.sort(rng.choice(n, size, replace=False)) for _ in range(n_draws)])

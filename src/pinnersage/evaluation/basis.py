"""What exposure and utility are held against, all from before the first day: histories, groups, traits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pinnersage._arrays import Bools, Float64s, Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.evaluation.contexts import Evaluated
from pinnersage.evaluation.exposure import POPULARITY_GROUPS, Grouping, grouping_of, popularity_groups
from pinnersage.evaluation.exposure_errors import N_BLOCKS, block_of
from pinnersage.evaluation.replay import Day, ReplayLog
from pinnersage.evaluation.state import n_users_per_item, ragged


@dataclass(frozen=True, slots=True)
class FairnessBasis:
    """Items and users as they were when the first day began.

    Attributes
    ----------
    pool
        bool ``(n_items,)``: items that were in the pool on any day; only these share exposure.
    popularity
        int64 ``(n_items,)``: different users that had acted on each item.
    history
        float64 ``(n_items,)``: each item's share of the measured users' histories. A history is the
        distinct items of a user; each counts as often as the user is measured, as lists do.
    history_by_block
        float64 ``(N_BLOCKS, n_items)``: what each group of users adds to ``history``; see
        :mod:`~pinnersage.evaluation.exposure_errors`.
    groupings
        By category, provider (where the items have them) and popularity.
    traits
        What users are compared by besides the report's own traits -> float64 ``(n_users,)``, NaN for
        users without a history: ``history_popularity``, the mean popularity of their items, and
        ``main_category_share``, the share of their items in the category they use most.
    """

    pool: Bools
    popularity: Int64s
    history: Float64s
    history_by_block: Float64s
    groupings: tuple[Grouping, ...]
    traits: dict[str, Float64s]


def fairness_basis(log: ReplayLog, days: list[Day], who: Evaluated, pool: Bools) -> FairnessBasis:
    """Describe items and measured users as of the first of ``days``."""
    known = log.before(days[0].start_ms)
    popularity = n_users_per_item(known)
    offsets, rows = _distinct_items(known, who.users)
    n_days = np.bincount(np.concatenate([who.places(day.users) for day in days]), minlength=len(who.users))
    sizes = np.diff(offsets)
    weights = np.repeat(n_days / np.maximum(sizes, 1), sizes)
    blocks = np.repeat(block_of(np.arange(len(sizes), dtype=np.int32)), sizes).astype(np.int64)
    by_block = np.bincount(blocks * log.n_items + rows, weights, N_BLOCKS * log.n_items).astype(np.float64)
    by_block = by_block.reshape(N_BLOCKS, log.n_items) / (by_block.sum() or 1.0)
    groupings = [
        grouping_of(by, codes, names, pool)
        for by, codes, names in (
            ("category", log.categories, log.category_names),
            ("provider", log.providers, log.provider_names),
        )
        if codes is not None and codes.max(initial=-1) >= 0
    ]
    groupings.append(Grouping("popularity", POPULARITY_GROUPS, popularity_groups(popularity)))
    traits = {"history_popularity": _means(popularity[rows], offsets)}
    if log.categories is not None and log.categories.max(initial=-1) >= 0:
        traits["main_category_share"] = _main_shares(log.categories[rows], offsets)
    return FairnessBasis(pool, popularity, by_block.sum(axis=0), by_block, tuple(groupings), traits)


def _distinct_items(known: ReplayLog, users: Int32s) -> tuple[Int64s, Int32s]:
    """Return offsets and rows of the different items that each user liked."""
    actions = known.actions_of(users)
    owner = np.repeat(np.arange(len(users), dtype=np.int64), np.diff(actions.offsets))
    keys = np.unique((owner * known.n_items + actions.item_rows)[likes(actions.weights)])
    sizes = np.bincount(keys // known.n_items, minlength=len(users))
    return ragged(sizes), (keys % known.n_items).astype(np.int32)


def _means(values: Int64s, offsets: Int64s) -> Float64s:
    sums = np.concatenate(([0], np.cumsum(values)))[offsets]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.diff(sums) / np.diff(offsets), np.float64)


def _main_shares(categories: Int32s, offsets: Int64s) -> Float64s:
    """Return the share of each user's items in the category they have most of; NaN without any."""
    n_users, n_categories = len(offsets) - 1, int(categories.max(initial=-1)) + 1
    owner = np.repeat(np.arange(n_users, dtype=np.int64), np.diff(offsets))
    coded = categories >= 0
    keys, counts = np.unique(owner[coded] * n_categories + categories[coded], return_counts=True)
    largest, totals = np.zeros(n_users), np.zeros(n_users)
    np.maximum.at(largest, keys // max(1, n_categories), counts)
    np.add.at(totals, keys // max(1, n_categories), counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(largest / totals, np.float64)

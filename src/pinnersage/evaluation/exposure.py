"""How recommendations are spread over items: concentration, coverage, popularity, groups of items.

Exposure is a count per item: the lists it stood in. Every place of a list counts the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float64s, Int32s

Counts = npt.NDArray[Any]
"""int or float ``(n_items,)``: lists each item stood in."""

POPULARITY_GROUPS = ("head", "middle", "tail")
N_NAMED = 12
_OTHERS = "(others)"


def gini(counts: Counts) -> float:
    """Return how unequally exposure is shared: 0 when evenly, ``(n - 1) / n`` when one item has all.

    ``sum_i (2 i - n - 1) x_i / (n sum_i x_i)`` with ``x`` ascending and ``i`` from 1; NaN without exposure.
    Give it all items that could have been listed: those that never were count as 0.

    Source: Damgaard, Weiner, "Describing inequality in plant size or fecundity", Ecology 2000, for the
    formula; Shani, Gunawardana, "Evaluating recommendation systems", 2011, for its use on items.

    Examples
    --------
    >>> gini(np.array([5, 5, 5, 5])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    n, total = len(counts), float(counts.sum())
    if total <= 0:
        return math.nan
    ascending = np.sort(np.asarray(counts[counts > 0], np.float64))
    places = 2 * np.arange(n - len(ascending) + 1, n + 1) - n - 1
    return float((places * ascending).sum() / (n * total))


def coverage(counts: Counts, pool: Bools) -> float:
    """Return the share of the pool that stood in at least one list."""
    return float(np.count_nonzero(counts[pool]) / max(1, int(pool.sum())))


def top_share(counts: Counts, share: float = 0.01) -> float:
    """Return the share of all places that the most exposed items have: ``share`` of them, at least one."""
    total = float(counts.sum())
    if total <= 0:
        return math.nan
    n_top = math.ceil(share * len(counts))
    return float(np.partition(counts, len(counts) - n_top)[len(counts) - n_top :].sum() / total)


def popularity_lift(counts: Counts, popularity: Counts, history: Float64s) -> float:
    """Return how much more popular listed items are than the users' own: ``(GAP_q - GAP_p) / GAP_p``.

    ``GAP_q`` is the mean popularity of the places of all lists, ``GAP_p`` the mean over users of the
    mean popularity of the items of their history. 0: as popular as what users chose themselves; 1:
    twice as popular. NaN where either mean is over nothing, or ``GAP_p`` is 0.

    Source: Abdollahpouri, Mansoury, Burke, Mobasher, "The connection between popularity bias,
    calibration, and fairness in recommendation", RecSys 2020 (popularity lift of a group of users).

    Parameters
    ----------
    counts
        ``(n_items,)`` lists each item stood in.
    popularity
        ``(n_items,)``, for example how many users acted on each item; any scale.
    history
        float64 ``(n_items,)``: each item's share of the users' histories, every user counting the same.
    """
    if counts.sum() <= 0 or history.sum() <= 0:
        return math.nan
    listed = float(counts @ popularity / counts.sum())
    chosen = float(history @ popularity / history.sum())
    return (listed - chosen) / chosen if chosen > 0 else math.nan


def popularity_groups(popularity: Counts, share: float = 0.2) -> Int32s:
    """Return 0 for the head, 1 for the middle, 2 for the tail, int32 ``(n_items,)``.

    The head is the most popular items that together make up ``share`` of all interactions, the tail
    the least popular ones that do (never-used items among them). Of equally popular items the one
    that stands first counts as more popular.

    Source: Abdollahpouri et al., "User-centered evaluation of popularity bias in recommender
    systems", UMAP 2021.
    """
    order = np.argsort(-np.asarray(popularity, np.float64), kind="stable")
    falling = np.asarray(popularity, np.float64)[order]
    before = np.cumsum(falling) - falling
    after = np.cumsum(falling[::-1])[::-1]
    total = falling.sum()
    groups = np.ones(len(order), np.int32)
    groups[order[after <= share * total * (1 + 1e-12)]] = 2
    groups[order[(before < share * total * (1 - 1e-12)) & (falling > 0)]] = 0
    return groups


@dataclass(frozen=True, slots=True)
class Grouping:
    """Items in groups that exclude each other.

    Attributes
    ----------
    by
        For example ``category``.
    names
        Of the groups.
    codes
        int32 ``(n_items,)`` positions among ``names``.
    """

    by: str
    names: tuple[str, ...]
    codes: Int32s

    def shares(self, weights: Counts) -> Float64s:
        """Return each group's share of the weights, float64 ``(n_groups,)``; NaN when they sum to 0."""
        sums = np.bincount(self.codes, np.asarray(weights, np.float64), len(self.names))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums / sums.sum(), np.float64)


def grouping_of(by: str, codes: Int32s, names: Any, pool: Bools) -> Grouping:
    """Name the 12 groups with most items of the pool; put the rest, and items in none, together.

    Parameters
    ----------
    by
        What the groups are.
    codes
        int32 ``(n_items,)``, -1 for items in no group.
    names
        Texts by code, an Arrow array or a sequence; None: the codes themselves.
    pool
        Items that are counted for the size of a group.
    """
    sizes = np.bincount(codes[pool & (codes >= 0)], minlength=int(codes.max(initial=-1)) + 1)
    order = np.lexsort((np.arange(len(sizes)), -sizes))
    named = order[sizes[order] > 0][:N_NAMED]
    told = [str(code) if names is None else str(names[int(code)]) for code in named]
    places = np.full(len(sizes) + 1, len(named), np.int32)
    places[named] = np.arange(len(named))
    places[-1] = len(named) + 1
    return Grouping(by, (*told, _OTHERS, f"(no {by})"), places[codes])

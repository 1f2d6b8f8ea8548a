"""How sure figures of exposure are: the users in twenty groups, each left out in turn.

A Gini index or the share of the most shown items is not a mean over users, and users drawn with repeats
would make both larger than they are. So their intervals come from the jackknife by groups.

Source: Shao, Tu, "The Jackknife and Bootstrap", 1995, section 2.3 (delete-d jackknife).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pinnersage._arrays import Float64s, Int32s
from pinnersage.evaluation.exposure import Counts, gini, popularity_lift, top_share

if TYPE_CHECKING:
    from pinnersage.evaluation.basis import FairnessBasis

N_BLOCKS = 20
_T_95 = 2.093  # Student's t, 19 degrees of freedom, 97.5 %

MEASURES = ("gini", "top_1_percent_share", "popularity_lift")
"""The first figures; each group's share, grouping by grouping, comes after them. Coverage grows with
the number of users, so that leaving some out tells nothing of its error."""


def block_of(places: Int32s) -> Int32s:
    """Return the group, 0 to 19, of users by their place among the users measured."""
    return np.asarray(places % N_BLOCKS, np.int32)


def n_figures(basis: FairnessBasis) -> int:
    """Return how many figures :func:`half_widths` tells of."""
    return len(MEASURES) + sum(len(grouping.names) for grouping in basis.groupings)


def half_widths(by_block: Int32s, basis: FairnessBasis) -> Float64s:
    """Return half of the 95 % interval of each figure, float64 ``(n_figures,)``.

    Parameters
    ----------
    by_block
        int32 ``(N_BLOCKS, n_items)``: lists of each group of users that each item stood in.
    basis
        With the histories of the same groups.

    Returns
    -------
    Float64s
        NaN where a group had no list: there are too few users to tell.
    """
    if (by_block.sum(axis=1) == 0).any():
        return np.full(n_figures(basis), math.nan)
    counts, history = by_block.sum(axis=0), basis.history_by_block.sum(axis=0)
    without = np.array(
        [
            _figures(counts - own, basis, history - past)
            for own, past in zip(by_block, basis.history_by_block, strict=True)
        ]
    )
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(_T_95 * np.sqrt((N_BLOCKS - 1) / N_BLOCKS * spread), np.float64)


def _figures(counts: Counts, basis: FairnessBasis, history: Float64s) -> Float64s:
    of_pool = counts[basis.pool]
    spread = [gini(of_pool), top_share(of_pool), popularity_lift(counts, basis.popularity, history)]
    return np.concatenate([spread, *(grouping.shares(counts) for grouping in basis.groupings)])

"""A symmetric matrix of costs of which a merge writes a row and not the column.

Writing a column touches as many cache lines as there are clusters; that was most of what a merge took of
a user with thousands of actions. What is kept instead is which clusters were merged, the last first:
whoever reads a row first fetches what was written to other rows since. Of two mirrored entries that of
the cluster merged last is right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Int32s
from pinnersage._kernel import kernel


class Written(NamedTuple):
    """When rows were written and read, in merges made.

    Attributes
    ----------
    merged
        int32 ``(n,)``: how many merges had been made when the cluster was last merged, itself included;
        0 for a single point.
    read
        int32 ``(n,)``: how many when its row was last brought up to date.
    older, newer
        int32 ``(n + 1,)``: the merged clusters that are in use, in a ring that ``n`` closes.
    """

    merged: Int32s
    read: Int32s
    older: Int32s
    newer: Int32s


@kernel
def nothing_written(n: int) -> Written:
    """Return the state of ``n`` single points."""
    ring = np.full(n + 1, n, np.int32)
    return Written(np.zeros(n, np.int32), np.zeros(n, np.int32), ring, ring.copy())


@kernel
def bring_up_to_date(costs: Float32s, written: Written, row: int, n_merges: int) -> None:
    """Fetch what was written to other rows since ``row`` was read; ``n_merges`` were made by now."""
    merged, read, older, _ = written
    since, end = read[row], merged.shape[0]
    k = older[end]
    while k != end and merged[k] > since:
        costs[row, k] = costs[k, row]
        k = older[k]
    read[row] = n_merges


@kernel
def forget(written: Written, cluster: int) -> None:
    """Leave out a cluster whose row nobody needs any more."""
    merged, _, older, newer = written
    if merged[cluster] > 0:
        older[newer[cluster]], newer[older[cluster]] = older[cluster], newer[cluster]


@kernel
def copy_to_column(costs: Float32s, cluster: int) -> None:
    """Write the mirror of a row, too: the cheaper way where all clusters are in the nearest cache."""
    for k in range(costs.shape[0]):
        costs[k, cluster] = costs[cluster, k]


@kernel
def note_merge(written: Written, into: int, other: int, n_merges: int) -> None:
    """Note that ``other`` joined ``into``, whose row is written anew; it was merge number ``n_merges``."""
    merged, read, older, newer = written
    forget(written, into)
    forget(written, other)
    end = merged.shape[0]
    before = older[end]
    older[into], newer[into] = before, end
    newer[before], older[end] = into, into
    merged[into] = read[into] = n_merges

"""How many users acted on each item in their windows: what an unknown user is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pinnersage._arrays import Bools, Int32s
from pinnersage.errors import StoredFormatError
from pinnersage.interests.record import RecordBatch
from pinnersage.items._files import finished_file


class Popularity:
    """Counts users per item, batch by batch.

    Attributes
    ----------
    counts
        int32 ``(n_items,)``.
    """

    def __init__(self, n_items: int) -> None:
        self.counts: Int32s = np.zeros(n_items, np.int32)

    def add(self, batch: RecordBatch) -> None:
        """Count the users of a batch."""
        users = np.repeat(np.arange(batch.n_users), np.diff(batch.action_offsets))
        n_items = len(self.counts)
        pairs = np.unique(users.astype(np.int64) * n_items + batch.item_rows)
        self.counts += np.bincount(pairs % n_items, minlength=n_items).astype(np.int32)

    def save(self, path: Path) -> None:
        """Write the counts; the file appears whole or not at all."""
        with finished_file(path) as file:
            np.save(file, self.counts)


def by_popularity(counts: Int32s) -> Int32s:
    """Return the rows by descending count, those of equal counts ascending."""
    return np.argsort(-counts, kind="stable").astype(np.int32)


def first_allowed(rows: Int32s, allowed: Bools, k: int) -> Int32s:
    """Return the first ``k`` of the rows that are allowed, looking no further than need be.

    Examples
    --------
    >>> first_allowed(np.array([3, 0, 2, 1], np.int32), np.array([True, False, True, True]), 2).tolist()
    [3, 0]
    """
    found, first, n_looked_at = [], 0, 4 * k
    while k > 0 and first < len(rows):
        part = rows[first : first + n_looked_at]
        found.append(part[allowed[part]][:k])
        k -= len(found[-1])
        first, n_looked_at = first + n_looked_at, 2 * n_looked_at
    return np.concatenate(found) if found else rows[:0]


def open_popularity(path: Path, n_items: int) -> Int32s:
    """Return the counts of a build; zeros for one that did not keep them.

    Raises
    ------
    StoredFormatError
        The file is damaged, or of another number of items.
    """
    if not path.exists():
        return np.zeros(n_items, np.int32)
    try:
        counts: Int32s = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StoredFormatError(f"{path}: cannot be read as counts ({error}); build again") from error
    if counts.shape != (n_items,):
        raise StoredFormatError(f"{path}: expected {n_items} counts, found {counts.shape}; build again")
    return counts

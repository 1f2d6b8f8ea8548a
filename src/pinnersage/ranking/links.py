"""Which items are acted on by the same users: sparse item-to-item matrices, and what they say of a user.

Three measures, learnt by :mod:`pinnersage.ranking.linking` from the same counts of common users:

* ``regression``: the weights that predict each item from a user's other items, least squares with a
  ridge and a zero diagonal in closed form.
* ``shrunk_regression``: the same with a larger ridge, which keeps what many users share. What a user
  does next lies between the two, on some logs nearer to the one and on some to the other.
* ``cosine``: common users over the geometric mean of both items' users, damped for rare items.

Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019 (regression).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.interests.history import History
from pinnersage.ranking import arrays_file

_FORMAT, _VERSION = "pinnersage item links", 2
MEASURES = ("regression", "shrunk_regression", "cosine")


@dataclass(frozen=True, slots=True)
class ItemLinks:
    """For each linked item the linked items it speaks for; both are named by column.

    Attributes
    ----------
    offsets
        int64 ``(n_linked + 1,)``; column ``i`` owns ``offsets[i]:offsets[i + 1]``.
    columns
        int32, ascending within an item.
    strengths
        float32, may be negative.
    """

    offsets: Int64s
    columns: Int32s
    strengths: Float32s

    def scores(self, columns: Int32s, weights: Float32s) -> Float32s:
        """Return, float32 ``(n_linked + 1,)``, the weighted sum of what the given columns link to.

        The last score, 0, is that of all items that are not linked; among the given they add nothing.
        """
        return _scores(self.offsets, self.columns, self.strengths, columns, weights)


class LinkScores(NamedTuple):
    """What the measures say of one user: float32 ``(n_linked + 1,)`` each, see :meth:`ItemLinks.scores`."""

    regression: Float32s
    shrunk_regression: Float32s
    cosine: Float32s


@dataclass(frozen=True, slots=True)
class Links:
    """What one log says of common users, in the measures of this module.

    Attributes
    ----------
    linked
        int32 ``(n_linked,)``: the item of each column, ascending.
    """

    linked: Int32s
    regression: ItemLinks
    shrunk_regression: ItemLinks
    cosine: ItemLinks

    def columns_of(self, rows: Int32s) -> Int32s:
        """Return each item's column, ``n_linked`` for an item that is not linked."""
        n_linked = len(self.linked)
        if not n_linked:
            return np.zeros(len(rows), np.int32)
        at = np.searchsorted(self.linked, rows)
        found = self.linked[np.minimum(at, n_linked - 1)] == rows
        return np.where(found, at, n_linked).astype(np.int32)

    def of_user(self, history: History) -> LinkScores:
        """Return what a user's items link to; the regressions take each item once, the cosine its weight."""
        columns, once = self.columns_of(history.rows), np.minimum(history.counts, 1)
        return LinkScores(
            self.regression.scores(columns, once),
            self.shrunk_regression.scores(columns, once),
            self.cosine.scores(columns, history.weights),
        )

    def save(self, path: Path) -> None:
        """Write to a file that appears whole or not at all."""
        arrays = {"linked": self.linked}
        for measure in MEASURES:
            links = getattr(self, measure)
            arrays |= {f"{measure}_{f.name}": getattr(links, f.name) for f in fields(ItemLinks)}
        arrays_file.save(path, _FORMAT, _VERSION, arrays)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a file of :meth:`save`.

        Raises
        ------
        StoredFormatError
            It is missing, damaged or from a newer version.
        """
        parts = [f.name for f in fields(ItemLinks)]
        names = [f"{measure}_{part}" for measure in MEASURES for part in parts]
        arrays = arrays_file.load(path, _FORMAT, _VERSION, ["linked", *names])
        read = {m: ItemLinks(**{part: arrays[f"{m}_{part}"] for part in parts}) for m in MEASURES}
        return cls(arrays["linked"], **read)


@kernel
def _scores(
    offsets: Int64s, columns: Int32s, strengths: Float32s, given: Int32s, weights: Float32s
) -> Float32s:
    n_linked = offsets.shape[0] - 1
    total = np.zeros(n_linked + 1, np.float32)
    for k in range(given.shape[0]):
        if given[k] < n_linked:
            for at in range(offsets[given[k]], offsets[given[k] + 1]):
                total[columns[at]] += weights[k] * strengths[at]
    return total

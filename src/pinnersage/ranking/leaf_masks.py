"""A forest scored without a branch: every question of a tree is asked, and rules out leaves by a mask.

Leaves of a tree are numbered from left to right, a bit each. An answer that leads right rules out the
leaves on the left of that question; the lowest bit that is left is where a walk from the root would end.
Many rows are asked at once, and no answer has to be waited for.

Source: Lucchese et al., "QuickScorer", SIGIR 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s, Int64s, UInt32s
from pinnersage._kernel import kernel

if TYPE_CHECKING:
    from pinnersage.ranking.forest import Forest

MAX_LEAVES = 32
_ALL = np.uint32(0xFFFF_FFFF)
_N_ROWS = 64
_DE_BRUIJN, _DE_BRUIJN_SHIFT = np.uint32(0x077C_B531), np.uint32(27)
"""The product of a single bit and this number has another value in its highest five bits for every bit."""


class LeafMasks(NamedTuple):
    """The questions of all trees, one tree after the other, and what their leaves add.

    Attributes
    ----------
    offsets
        int64 ``(n_trees + 1,)``; tree ``t`` asks ``offsets[t]:offsets[t + 1]``.
    features, missing_left
        As of the forest.
    thresholds
        float32: the largest that is no larger than the forest's, which parts float32 values alike.
    masks
        uint32: the leaves that are left when the answer leads right.
    values
        float64 ``(n_trees, MAX_LEAVES)``: what each leaf adds, placed by :func:`_places`.
    """

    offsets: Int64s
    features: Int32s
    thresholds: Float32s
    missing_left: Bools
    masks: UInt32s
    values: Float64s

    @classmethod
    def of(cls, forest: Forest) -> Self | None:
        """Return a forest's masks; None where a tree has more than :data:`MAX_LEAVES` leaves."""
        if any((nodes < 0).sum() > MAX_LEAVES for nodes in np.split(forest.features, forest.roots)):
            return None
        asked: list[int] = []
        masks: list[int] = []
        offsets, leaves = [0], []
        for root in forest.roots.tolist():
            found = _ask(forest, root, asked, masks, [])
            offsets.append(len(asked))
            leaves.append(found)
        values = np.zeros((len(leaves), MAX_LEAVES))
        for own, found in zip(values, leaves, strict=True):
            own[_places()[: len(found)]] = forest.values[found]
        nodes = np.array(asked, np.int64)
        return cls(
            np.array(offsets, np.int64), forest.features[nodes], _rounded_down(forest.thresholds[nodes]),
            forest.missing_left[nodes], np.array(masks, np.uint32), values,
        )  # fmt: skip

    def scores(self, rows: Float32s, base: float) -> Float32s:
        """Return the score of each row, float32 ``(n,)``, the bits of a walk through every tree."""
        return _scores(rows, base, *self)


def _ask(forest: Forest, node: int, asked: list[int], masks: list[int], leaves: list[int]) -> list[int]:
    """Append the questions from a node on, and their masks; return the leaves, from left to right."""
    if forest.features[node] < 0:
        leaves.append(node)
    else:
        at, first = len(asked), len(leaves)
        asked.append(node)
        masks.append(0)
        _ask(forest, int(forest.lefts[node]), asked, masks, leaves)
        on_the_left = (1 << len(leaves)) - (1 << first)
        masks[at] = ~on_the_left & int(_ALL)
        _ask(forest, int(forest.rights[node]), asked, masks, leaves)
    return leaves


def _places() -> Int64s:
    """Return where the value of each leaf stands."""
    bits = np.uint32(1) << np.arange(MAX_LEAVES, dtype=np.uint32)
    return (bits * _DE_BRUIJN >> _DE_BRUIJN_SHIFT).astype(np.int64)


def _rounded_down(values: Float64s) -> Float32s:
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    return np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)


@kernel
def _scores(
    rows: Float32s, base: float, offsets: Int64s, features: Int32s, thresholds: Float32s,
    missing_left: Bools, masks: UInt32s, values: Float64s,
) -> Float32s:  # fmt: skip
    n, n_features = rows.shape
    out = np.empty(n, np.float32)
    columns = np.zeros((n_features, _N_ROWS), np.float32)
    left, sums = np.empty(_N_ROWS, np.uint32), np.empty(_N_ROWS)
    for start in range(0, n, _N_ROWS):
        n_here = min(_N_ROWS, n - start)
        for r in range(n_here):
            columns[:, r] = rows[start + r]
        sums[:] = base
        for tree in range(len(values)):
            left[:] = _ALL
            for at in range(offsets[tree], offsets[tree + 1]):
                _rule_out(columns[features[at]], thresholds[at], missing_left[at], masks[at], left)
            _add(left, values[tree], sums)
        out[start : start + n_here] = sums[:n_here]
    return out


@kernel
def _rule_out(column: Float32s, threshold: float, missing_left: bool, mask: int, left: UInt32s) -> None:
    # Not-a-number is neither larger nor smaller; the length is a constant, so that loops vectorise.
    if missing_left:
        for r in range(_N_ROWS):
            left[r] &= mask if column[r] > threshold else _ALL
    else:
        for r in range(_N_ROWS):
            left[r] &= _ALL if column[r] <= threshold else mask


@kernel
def _add(left: UInt32s, values: Float64s, sums: Float64s) -> None:
    for r in range(_N_ROWS):
        lowest = left[r] & (~left[r] + np.uint32(1))
        sums[r] += values[np.uint32(lowest * _DE_BRUIJN) >> _DE_BRUIJN_SHIFT]

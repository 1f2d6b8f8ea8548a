"""A list that speaks for all of a user's actions, each in proportion to its weight.

Candidates are taken one after the other. What an item ``x`` adds is the sum over the window's actions
``a``, with decayed weights ``w_a`` that sum to 1, of ::

    w_a * k(a, x) / (1 + saturation * sum of k(a, y) over the items y taken before)
    k(a, x) = exp(sharpness * (cos(a, x) - 1))

so an action that the list already speaks for counts ever less, and what is far from all of it gains.
With a large saturation this climbs ``sum w_a * log(sum of k(a, y))``, whose best list gives every group
of actions a share of the list in proportion to its weight: the list is calibrated to the user's
interests, without counting turns. Saturation 0 orders by the density of actions around an item.

The gains fall from item to item (the sum is submodular), so an item whose gain was too small before
cannot be the best now: most are never computed again.

Source of the lazy evaluation: Minoux, "Accelerated greedy algorithms for maximizing submodular set
functions", 1978; of proportional shares: Kelly, "Charging and rate control for elastic traffic", 1997.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Float64s, Int32s
from pinnersage._kernel import kernel
from pinnersage.interests.history import History
from pinnersage.retrieval._scores import as_float32, dot


@kernel
def _best(near: Float32s, left: Float32s, bounds: Float32s) -> int:
    """Return the item of largest gain, the first of equals; gains computed on the way replace bounds."""
    best = int(np.argmax(bounds))
    bounds[best] = dot(left, near[best])
    for i in range(bounds.shape[0]):
        if bounds[i] > bounds[best] or (bounds[i] == bounds[best] and i < best):
            bounds[i] = dot(left, near[i])
            if bounds[i] > bounds[best] or (bounds[i] == bounds[best] and i < best):
                best = i
    return best


@kernel
def choose(near: Float32s, weights: Float64s, saturation: float, chosen: Int32s, gains: Float32s) -> Any:
    """Fill ``chosen`` with positions of candidates, best first, and ``gains``; return how many.

    Parameters
    ----------
    near
        float32 ``(n_candidates, n_actions)``: ``k`` of each pair.
    weights
        float64 ``(n_actions,)``.
    saturation
        At least 0.
    chosen, gains
        int32 and float32 ``(n,)``.
    """
    left, covered = weights.astype(np.float32), np.zeros(weights.shape[0])
    bounds = np.full(near.shape[0], np.inf, np.float32)
    n = min(chosen.shape[0], near.shape[0])
    for k in range(n):
        best = _best(near, left, bounds)
        chosen[k], gains[k] = best, bounds[best]
        bounds[best] = -1.0  # below every gain
        for a in range(weights.shape[0]):
            covered[a] += near[best, a]
            left[a] = weights[a] / (1.0 + saturation * covered[a])
    return n


@kernel
def _nearness(candidates: Float32s, vectors: Float32s, sharpness: float, out: Float32s) -> None:
    for i in range(candidates.shape[0]):
        for a in range(vectors.shape[0]):
            out[i, a] = np.exp(sharpness * (dot(vectors[a], candidates[i]) - 1.0))


def unit_rows(vectors: Float32s) -> Float32s:
    """Return rows at unit length; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def balanced(
    history: History, rows: Int32s, embeddings: npt.NDArray[Any], k: int,
    *, sharpness: float, saturation: float,
) -> tuple[Int32s, Float32s]:  # fmt: skip
    """Choose ``k`` of a user's candidates.

    Parameters
    ----------
    history
        The user's window.
    rows
        int32 ``(n,)``: candidates, each once.
    embeddings
        float32 or float16 ``(n_items, dim)``, of any length: cosines count.
    k
        Items wanted.
    sharpness, saturation
        See above.

    Returns
    -------
    rows, gains
        int32 and float32 ``(min(k, n),)``, gains never rising.
    """
    ordered = np.sort(rows)
    weights = history.shares
    near = np.empty((len(ordered), len(weights)), np.float32)
    candidates, vectors = (unit_rows(as_float32(embeddings, which)) for which in (ordered, history.rows))
    _nearness(candidates, vectors, sharpness, near)
    n = min(k, len(ordered))
    chosen, gains = np.empty(n, np.int32), np.empty(n, np.float32)
    choose(near, weights, saturation, chosen, gains)
    return ordered[chosen], gains

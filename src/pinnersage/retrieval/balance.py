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

_ROWS_AT_ONCE = 128


@kernel
def _is_before(a: int, b: int, bounds: Float32s) -> bool:
    return bool(bounds[a] > bounds[b] or (bounds[a] == bounds[b] and a < b))


@kernel
def _sift(heap: Int32s, n: int, bounds: Float32s) -> None:
    """Put the top of a heap, whose bound has fallen, in its place among the first ``n``."""
    item, at = heap[0], 0
    while 2 * at + 1 < n:
        child = 2 * at + 1
        if child + 1 < n and _is_before(heap[child + 1], heap[child], bounds):
            child += 1
        if _is_before(item, heap[child], bounds):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item


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
    n_left = near.shape[0]
    bounds, known_at = np.full(n_left, np.inf, np.float32), np.full(n_left, -1)
    heap = np.arange(n_left).astype(np.int32)  # largest bound on top, the first of equals
    n = min(chosen.shape[0], n_left)
    for k in range(n):
        while known_at[heap[0]] < k:
            bounds[heap[0]], known_at[heap[0]] = dot(left, near[heap[0]]), k
            _sift(heap, n_left, bounds)
        best = heap[0]
        chosen[k], gains[k] = best, bounds[best]
        n_left -= 1
        heap[0] = heap[n_left]
        _sift(heap, n_left, bounds)
        for a in range(weights.shape[0]):
            covered[a] += near[best, a]
            left[a] = weights[a] / (1.0 + saturation * covered[a])
    return n


@kernel
def nearness(cosine: float, sharpness: float) -> float:
    """Return ``k`` of a pair; all in float32, which takes half the time of float64."""
    return float(np.exp(sharpness * (cosine - np.float32(1.0))))


@kernel
def _nearness(candidates: Float32s, vectors: Float32s, sharpness: Any, out: Float32s) -> None:
    n = vectors.shape[0]
    for start in range(0, n, _ROWS_AT_ONCE):  # so many stay in the processor's cache for all candidates
        for i in range(candidates.shape[0]):
            for a in range(start, min(start + _ROWS_AT_ONCE, n)):
                out[i, a] = nearness(dot(vectors[a], candidates[i]), sharpness)


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
    _nearness(candidates, vectors, np.float32(sharpness), near)
    n = min(k, len(ordered))
    chosen, gains = np.empty(n, np.int32), np.empty(n, np.float32)
    choose(near, weights, saturation, chosen, gains)
    return ordered[chosen], gains

"""Boosted trees as plain arrays: scored and explained here, without the library that grew them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s
from pinnersage._kernel import kernel
from pinnersage.ranking.leaf_masks import LeafMasks

LEAF = -1


@dataclass(frozen=True)
class Forest:
    """Trees one after the other; the nodes of a tree stand together, its root first.

    Attributes
    ----------
    base
        float64 ``(1,)``: the score before any tree.
    roots
        int32 ``(n_trees,)`` position of each root.
    features
        int32 ``(n_nodes,)`` column a node asks for; -1 in a leaf.
    thresholds
        float64: values up to it go left.
    missing_left
        bool: not-a-number goes left.
    lefts, rights
        int32 positions of the children; 0 in a leaf.
    values
        float64: what a leaf adds; elsewhere the mean of the leaves below, by their training rows.
    gains
        float64: what the node's question gained in training; 0 in a leaf.
    """

    base: Float64s
    roots: Int32s
    features: Int32s
    thresholds: Float64s
    missing_left: Bools
    lefts: Int32s
    rights: Int32s
    values: Float64s
    gains: Float64s

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.roots)

    def scores(self, rows: Float32s) -> Float32s:
        """Return the score of each row, float32 ``(n,)``."""
        if self._masks is not None:
            return self._masks.scores(rows, float(self.base[0]))
        scores: Float32s = self.staged(rows, 1)[-1]
        return scores

    def staged(self, rows: Float32s, n_stages: int) -> Float32s:
        """Return scores after ever more trees, float32 ``(n_stages, n)``; the last one is after all."""
        ends = np.linspace(self.n_trees / n_stages, self.n_trees, n_stages).round().astype(np.int64)
        return _staged(rows, ends, float(self.base[0]), self.roots, *self._nodes())

    def contributions(self, rows: Float32s) -> tuple[Float32s, float]:
        """Return what each column adds to each score, float32 like ``rows``, and the score of no knowledge.

        On the way from a root to a leaf the expected value changes at every question; the change is
        counted for the column that was asked. Row sums plus the second value are the scores.

        Source: Saabas, "Interpreting random forests", 2014.
        """
        expected = float(self.base[0] + self.values[self.roots].sum())
        return _contributions(rows, self.roots, *self._nodes()), expected

    def total_gains(self, n_features: int) -> Float64s:
        """Return the gain of each column over all trees."""
        asked = self.features >= 0
        return np.bincount(self.features[asked], self.gains[asked], n_features).astype(np.float64)

    def first(self, n_trees: int) -> Self:
        """Return the forest of the first trees."""
        end = len(self.features) if n_trees >= self.n_trees else int(self.roots[n_trees])
        nodes = {f.name: getattr(self, f.name)[:end] for f in fields(self)[2:]}
        return type(self)(self.base, self.roots[:n_trees], **nodes)

    @cached_property
    def _masks(self) -> LeafMasks | None:
        return LeafMasks.of(self)

    def _nodes(self) -> tuple[Any, ...]:
        return self.features, self.thresholds, self.missing_left, self.lefts, self.rights, self.values


@kernel
def _next(
    node: int, value: float, thresholds: Float64s, missing_left: Bools, lefts: Int32s, rights: Int32s
) -> int:
    go_left = missing_left[node] if np.isnan(value) else value <= thresholds[node]
    return int(lefts[node]) if go_left else int(rights[node])


@kernel
def _staged(
    rows: Float32s,
    ends: npt.NDArray[np.int64],
    base: float,
    roots: Int32s,
    features: Int32s,
    thresholds: Float64s,
    missing_left: Bools,
    lefts: Int32s,
    rights: Int32s,
    values: Float64s,
) -> Float32s:
    out = np.empty((ends.shape[0], rows.shape[0]), np.float32)
    sums = np.full(rows.shape[0], base)
    tree = 0
    for stage in range(ends.shape[0]):
        while tree < ends[stage]:
            for r in range(rows.shape[0]):
                node = roots[tree]
                while features[node] >= 0:
                    node = _next(node, rows[r, features[node]], thresholds, missing_left, lefts, rights)
                sums[r] += values[node]
            tree += 1
        for r in range(rows.shape[0]):
            out[stage, r] = sums[r]
    return out


@kernel
def _contributions(
    rows: Float32s,
    roots: Int32s,
    features: Int32s,
    thresholds: Float64s,
    missing_left: Bools,
    lefts: Int32s,
    rights: Int32s,
    values: Float64s,
) -> Float32s:
    out = np.zeros(rows.shape, np.float32)
    for r in range(rows.shape[0]):
        sums = np.zeros(rows.shape[1])
        for tree in range(roots.shape[0]):
            node = roots[tree]
            while features[node] >= 0:
                column = features[node]
                child = _next(node, rows[r, column], thresholds, missing_left, lefts, rights)
                sums[column] += values[child] - values[node]
                node = child
        for column in range(rows.shape[1]):
            out[r, column] = sums[column]
    return out

"""Scores from masks are the bits of a walk through every tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage._arrays import Float32s
from pinnersage.ranking.forest import LEAF, Forest
from pinnersage.ranking.leaf_masks import MAX_LEAVES, LeafMasks

N_FEATURES = 3
VALUES = np.array([-np.inf, -1e30, -1.5, -0.0, 0.0, 0.1, 1.5, 3e38, np.inf, np.nan], np.float32)
# Between float32 values, beyond them, and on them.
THRESHOLDS = np.array([-np.inf, -1e300, -1.5, 0.0, 0.1, float(np.float32(0.1)), 1e-60, 1.5, 1e300, np.inf])


def grown(rng: np.random.Generator, sizes: list[int]) -> Forest:
    """Return trees with so many leaves each, of any shape."""
    roots: list[int] = []
    features: list[int] = []
    lefts: list[int] = []
    rights: list[int] = []

    def grow(n_leaves: int) -> int:
        node = len(features)
        features.append(LEAF if n_leaves == 1 else int(rng.integers(N_FEATURES)))
        lefts.append(0)
        rights.append(0)
        if n_leaves > 1:
            n_left = int(rng.integers(1, n_leaves))
            lefts[node], rights[node] = grow(n_left), grow(n_leaves - n_left)
        return node

    for size in sizes:
        roots.append(len(features))
        grow(size)
    n = len(features)
    return Forest(
        base=rng.normal(size=1), roots=np.array(roots, np.int32), features=np.array(features, np.int32),
        thresholds=rng.choice(THRESHOLDS, n), missing_left=rng.random(n) < 0.5,
        lefts=np.array(lefts, np.int32), rights=np.array(rights, np.int32),
        values=rng.normal(size=n), gains=np.zeros(n),
    )  # fmt: skip


def walked(forest: Forest, rows: Float32s) -> Float32s:
    found: Float32s = forest.staged(rows, 1)[-1]
    return found


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.lists(st.integers(1, MAX_LEAVES), max_size=8), st.integers(0, 150))
def test_scores_are_those_of_a_walk(seed: int, sizes: list[int], n_rows: int) -> None:
    rng = np.random.default_rng(seed)
    forest = grown(rng, sizes)
    rows: Any = rng.choice(VALUES, (n_rows, N_FEATURES))
    masks = LeafMasks.of(forest)
    assert masks is not None
    assert np.array_equal(masks.scores(rows, float(forest.base[0])), walked(forest, rows))


def test_larger_trees_are_walked() -> None:
    rng = np.random.default_rng(1)
    forest = grown(rng, [3, MAX_LEAVES + 1, 5_000])
    rows = rng.normal(size=(100, N_FEATURES)).astype(np.float32)
    assert LeafMasks.of(forest) is None
    assert np.array_equal(forest.scores(rows), walked(forest, rows))

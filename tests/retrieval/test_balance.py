"""The balanced choice, against one that computes every pair and every gain anew."""

from __future__ import annotations

import numpy as np
import pytest

from pinnersage._arrays import Float32s, Float64s
from pinnersage.interests.history import History
from pinnersage.retrieval.balance import balanced

SHARPNESS, SATURATION = 8.0, 10.0


def naive(near: Float64s, shares: Float64s, k: int) -> tuple[list[int], list[float]]:
    covered, chosen, gains = np.zeros(len(shares)), list[int](), list[float]()
    for _ in range(min(k, len(near))):
        gain = near @ (shares / (1 + SATURATION * covered))
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        gains.append(float(gain.max()))
        covered += near[chosen[-1]]
    return chosen, gains


def unit(n: int, seed: int) -> Float32s:
    x = np.random.default_rng(seed).standard_normal((n, 24))
    scaled: Float32s = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return scaled


@pytest.mark.parametrize("n_own", [1, 127, 128, 129, 256, 400])
def test_a_balanced_list_is_the_naive_one_however_many_items_the_user_has(n_own: int) -> None:
    n_candidates, k = 60, 25
    embeddings = unit(n_own + n_candidates, seed=n_own)
    weights = np.random.default_rng(n_own).uniform(0.1, 1.0, n_own).astype(np.float32)
    times, ones = np.zeros(n_own, np.int64), np.ones(n_own, np.float32)
    history = History(np.arange(n_own, dtype=np.int32), weights, ones, times, times)
    rows = np.arange(n_own, n_own + n_candidates, dtype=np.int32)
    exact = embeddings.astype(np.float64)
    near = np.exp(SHARPNESS * (exact[rows] @ exact[:n_own].T - 1))
    chosen, gains = naive(near, weights / weights.sum(dtype=np.float64), k)
    found, found_gains = balanced(
        history, rows, embeddings, k, sharpness=SHARPNESS, saturation=SATURATION
    )  # fmt: skip
    assert found.tolist() == (n_own + np.array(chosen)).tolist()
    assert found_gains == pytest.approx(gains, rel=1e-3)

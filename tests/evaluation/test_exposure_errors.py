"""Intervals of exposure: against a naive twin, and where a formula is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pinnersage._arrays import Float64s, Int32s
from pinnersage.evaluation.basis import FairnessBasis
from pinnersage.evaluation.exposure import Grouping, gini, popularity_lift, top_share
from pinnersage.evaluation.exposure_errors import MEASURES, N_BLOCKS, block_of, half_widths, n_figures

N_ITEMS = 30
T_95 = 2.093  # of a table of Student's t, 19 degrees of freedom


def basis_of(history: Float64s) -> FairnessBasis:
    pool, popularity = np.arange(N_ITEMS) < 25, np.arange(N_ITEMS) % 7
    halves = Grouping("half", ("low", "high"), (np.arange(N_ITEMS) >= 15).astype(np.int32))
    return FairnessBasis(pool, popularity, history.sum(axis=0), history, (halves,), {})


def drawn(n_users: int, seed: int = 0) -> tuple[Int32s, Float64s]:
    """Return each user's lists and history as counts of items."""
    rng = np.random.default_rng(seed)
    lists = rng.multinomial(12, np.arange(1, 26) / np.arange(1, 26).sum(), n_users)
    return np.pad(lists, ((0, 0), (0, 5))).astype(np.int32), rng.random((n_users, N_ITEMS))


def in_blocks(of_users: npt.NDArray[Any]) -> npt.NDArray[Any]:
    blocks = block_of(np.arange(len(of_users), dtype=np.int32))
    return np.array([of_users[blocks == block].sum(axis=0) for block in range(N_BLOCKS)])


def test_users_are_left_out_by_groups_with_their_histories() -> None:
    lists, histories = drawn(50)
    basis = basis_of(in_blocks(histories))
    without = []
    for block in range(N_BLOCKS):
        kept = np.arange(50) % N_BLOCKS != block
        counts, history = lists[kept].sum(axis=0), histories[kept].sum(axis=0)
        figures = [
            gini(counts[:25]),
            top_share(counts[:25]),
            popularity_lift(counts, basis.popularity, history),
        ]
        without.append([*figures, counts[:15].sum() / counts.sum(), counts[15:].sum() / counts.sum()])
    table = np.array(without)
    expected = [
        T_95 * math.sqrt(19 / 20 * sum((x - column.mean()) ** 2 for x in column)) for column in table.T
    ]
    found = half_widths(in_blocks(lists), basis)
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
    assert len(found) == n_figures(basis) == len(MEASURES) + 2


def test_of_a_mean_the_interval_is_that_of_means_of_groups() -> None:
    # All lists are of 12 items, so a share is the mean of the users' shares.
    lists, histories = drawn(40)
    shares = lists[:, :15].sum(axis=1) / 12
    means = [shares[np.arange(40) % N_BLOCKS == block].mean() for block in range(N_BLOCKS)]
    found = half_widths(in_blocks(lists), basis_of(in_blocks(histories)))
    assert found[len(MEASURES)] == pytest.approx(T_95 * np.std(means, ddof=1) / math.sqrt(20))


def test_users_who_are_all_alike_leave_no_doubt() -> None:
    lists, histories = np.tile(drawn(1)[0], (40, 1)), np.tile(drawn(1)[1], (40, 1))
    found = half_widths(in_blocks(lists), basis_of(in_blocks(histories)))
    assert found.tolist() == pytest.approx([0.0] * len(found), abs=1e-9)


def test_with_too_few_users_nothing_is_told() -> None:
    lists, histories = drawn(N_BLOCKS - 1)
    assert np.isnan(half_widths(in_blocks(lists), basis_of(in_blocks(histories)))).all()

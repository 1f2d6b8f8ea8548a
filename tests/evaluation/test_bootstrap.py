"""Intervals: what they must contain, and that arms are resampled together."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pinnersage.evaluation.bootstrap import means, ratio, resamples, within
from pinnersage.evaluation.gaps import gaps


def test_every_resample_draws_as_many_users_as_there_are() -> None:
    draws = resamples(7, 50, seed=1)
    assert draws.shape == (50, 7)
    assert (draws.sum(axis=1) == 7).all()
    assert (draws == resamples(7, 50, seed=1)).all()
    assert (draws != resamples(7, 50, seed=2)).any()


def test_means_are_over_the_users_that_have_a_value() -> None:
    values = np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, 7.0]])
    first, second = means(values, resamples(3, 200, seed=0))
    assert (first.value, first.n_users) == ((1 + 3) / 2, 2)
    assert (second.value, second.n_users) == ((5 + 7) / 2, 2)
    assert 1 <= first.low <= first.value <= first.high <= 3


def test_the_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(10, 2, (400, 1))
    (found,) = means(values, resamples(400, 1_000, seed=0))
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.low == pytest.approx(found.value - half, abs=0.3 * half)
    assert found.high == pytest.approx(found.value + half, abs=0.3 * half)


def test_a_constant_ratio_has_no_spread_because_arms_are_paired() -> None:
    base = np.random.default_rng(0).uniform(0, 1, 60)
    found = ratio(3 * base, base, resamples(60, 100, seed=0))
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_a_baseline_that_one_user_carries_bounds_no_ratio_from_above() -> None:
    """In (1 - 1/60)^60 of the resamples, a third, that user is not drawn, and the ratio is infinite."""
    ours, theirs, draws = np.zeros(60), np.zeros(60), resamples(60, 1_000, seed=0)
    ours[1:13], theirs[0] = 0.05, 1.0
    found = ratio(ours, theirs, draws)
    assert found.value == pytest.approx(12 * 0.05)
    assert found.low < found.value
    assert found.high == np.inf
    assert found.to_dict()["high"] is None


def test_a_few_infinite_ratios_leave_the_interval_one() -> None:
    """The ends are values of the resamples: 975 of 1,000 lie at or below the upper one."""
    draws = resamples(60, 1_000, seed=0)
    ours = np.random.default_rng(1).random(60)
    theirs = np.where(np.arange(60) < 5, 1.0, 0.0)
    with np.errstate(divide="ignore"):
        ratios = np.sort((draws @ ours) / (draws @ theirs))
    assert 0 < np.isinf(ratios).sum() < 25
    found = ratio(ours, theirs, draws)
    assert (found.low, found.high) == pytest.approx((ratios[24], ratios[975]))


def test_nothing_to_divide_by_is_nan() -> None:
    zero = ratio(np.ones(4), np.zeros(4), resamples(4, 10, seed=0))
    assert zero.to_dict() == {"value": None, "low": None, "high": None, "n_users": 4}
    none = ratio(np.full(4, np.nan), np.ones(4), resamples(4, 10, seed=0))
    assert np.isnan(none.value)
    assert none.to_dict() == {"value": None, "low": None, "high": None, "n_users": 0}


@pytest.mark.parametrize("n_inside", [1, 12, 39, 40])
def test_figures_within_few_and_many_users_come_out_the_same(n_inside: int) -> None:
    rng = np.random.default_rng(3)
    values, draws = rng.random((40, 2)), resamples(40, 50, seed=0)
    users = rng.permutation(40) < n_inside
    found = means(*within(values, draws, users))
    for column, estimate in zip(values[users].T, found, strict=True):
        assert estimate.value == pytest.approx(column.mean())
        assert estimate.n_users == n_inside
        counts = draws[:, users]
        there = counts.sum(axis=1) > 0
        repeated = (counts @ column)[there] / counts.sum(axis=1)[there]
        assert [estimate.low, estimate.high] == pytest.approx(list(np.percentile(repeated, [2.5, 97.5])))
    assert within(values[:, :, None], draws, users)[0].shape[1:] == (2, 1)


def test_of_two_groups_one_copy_of_the_draws_lives_at_a_time() -> None:
    n_users, draws = 2_000, resamples(2_000, 400, seed=0)
    values, low = np.random.default_rng(0).normal(size=(n_users, 1)), np.arange(n_users) % 2 == 0
    tracemalloc.start()
    gaps(values, low, ~low, draws)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one_copy_bytes = draws.nbytes // 2
    assert one_copy_bytes <= peak_bytes < 1.5 * one_copy_bytes

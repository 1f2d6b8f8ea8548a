"""A race finds what asking everybody about everything finds, with less work."""

from __future__ import annotations

import numpy as np
import pytest

from pinnersage._arrays import Float64s
from pinnersage.errors import DataError
from pinnersage.evaluation.tuning.comparing import Pairs, mean
from pinnersage.evaluation.tuning.racing import race, rounds_of

N_USERS = 400


def drawn(seed: int, n_settings: int = 8, spread: float = 0.08) -> Float64s:
    """Return figures ``(n_settings, n_users)``: a user's own level, a setting's, and noise."""
    rng = np.random.default_rng(seed)
    levels = spread * rng.permutation(n_settings)[:, None]
    users = rng.normal(0, 0.5, N_USERS)
    return np.asarray(levels + users + rng.normal(0, 0.2, (n_settings, N_USERS)), np.float64)


@pytest.mark.parametrize("seed", range(8))
def test_the_winner_is_that_of_the_full_grid(seed: int) -> None:
    figures = drawn(seed)
    n_asked = np.zeros(len(figures), np.int64)

    def score(setting: int, n_users: int) -> Float64s:
        n_asked[setting] = n_users
        return np.asarray(figures[setting, :n_users], np.float64)

    raced = race(score, len(figures), rounds_of(N_USERS, 50), Pairs(300, 0))
    assert raced.winner == int(figures.mean(axis=1).argmax())
    assert n_asked[0] == n_asked[raced.winner] == N_USERS or raced.winner == 0
    assert n_asked.sum() < figures.size * 0.7
    assert all(len(raced.values[s]) == n for s, n in enumerate(n_asked.tolist()))


def test_equals_stay_and_the_first_wins() -> None:
    same = np.random.default_rng(0).normal(size=N_USERS)
    raced = race(lambda s, n: same[:n], 4, rounds_of(N_USERS, 50), Pairs(100, 0))
    assert raced.winner == 0
    assert {len(values) for values in raced.values.values()} == {N_USERS}


def test_what_cannot_be_asked_is_out_and_said() -> None:
    def score(setting: int, n_users: int) -> Float64s:
        if setting == 1:
            raise DataError("too little")
        return np.asarray(np.arange(n_users) % 3 + setting, np.float64)

    raced = race(score, 3, [50, 100], Pairs(100, 0))
    assert raced.failed == {1: "too little"}
    assert raced.winner == 2
    with pytest.raises(DataError):
        race(lambda s, n: score(1, n), 2, [50], Pairs(100, 0))


def test_a_gain_is_paired_and_widened_for_many_comparisons() -> None:
    rng = np.random.default_rng(1)
    old = rng.normal(0, 10, N_USERS)
    new = old + rng.normal(0.1, 0.2, N_USERS)
    new[:7] = np.nan
    pairs = Pairs(2_000, 0)
    gain = pairs.gain(new, old)
    assert gain.value == pytest.approx((new - old)[7:].mean())
    assert gain.n_users == N_USERS - 7
    # The users' own level, a hundred times the gain, is in both and leaves no trace in the interval.
    error = (new - old)[7:].std() / np.sqrt(N_USERS - 7)
    assert gain.high - gain.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    many = pairs.gain(new, old, n_compared=5)
    # 0.5 % on each side: 2.576 standard errors.
    assert many.high - many.low == pytest.approx(2 * 2.576 * error, rel=0.1)


def test_without_a_pair_nothing_is_said() -> None:
    nothing = np.full(5, np.nan)
    assert np.isnan(Pairs(10, 0).gain(nothing, nothing).low)
    assert np.isnan(mean(nothing))

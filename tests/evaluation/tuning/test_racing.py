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


def test_a_gain_is_paired() -> None:
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


def test_gains_of_many_hold_at_once() -> None:
    rng = np.random.default_rng(1)
    old = rng.normal(0, 10, N_USERS)
    new = [old + rng.normal(0.1, 0.2, N_USERS) for _ in range(5)]
    pairs = Pairs(4_000, 0)
    (alone,) = pairs.gains(new[:1], old)
    error = (new[0] - old).std() / np.sqrt(N_USERS)
    assert alone.value == pytest.approx((new[0] - old).mean())
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    # Five independent ones: each has to hold with 0.95 ** (1 / 5), 2.57 standard errors to either side.
    many = pairs.gains(new, old)[0]
    assert many.high - many.low == pytest.approx(2 * 2.57 * error, rel=0.06)
    # Five times the same one is one.
    same = pairs.gains([new[0]] * 5, old)[3]
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high))


def test_a_gain_without_any_spread_is_certain() -> None:
    old = np.arange(10.0)
    none, some = Pairs(50, 0).gains([old, old + 1], old)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    assert some.low == some.high == pytest.approx(1)


def test_without_a_pair_nothing_is_said() -> None:
    nothing = np.full(5, np.nan)
    assert np.isnan(Pairs(10, 0).gain(nothing, nothing).low)
    assert np.isnan(mean(nothing))

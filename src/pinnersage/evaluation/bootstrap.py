"""95 % intervals: users are resampled, all arms with the same resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pinnersage._arrays import Bools, Float64s

_LOW, _HIGH = 2.5, 97.5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, its 95 % interval, and on how many users it rests; NaN where there is nothing to say.

    The upper end of a ratio is infinite where so many resamples have nothing to divide by.
    """

    value: float
    low: float
    high: float
    n_users: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Return plain values; NaN and infinity become None."""
        figures = {"value": self.value, "low": self.low, "high": self.high}
        shown = {name: round(x, 6) if np.isfinite(x) else None for name, x in figures.items()}
        return {**shown, "n_users": self.n_users}


def resamples(n_users: int, n: int, seed: int) -> Float64s:
    """Return how often each user is drawn, float64 ``(n, n_users)``; every row sums to ``n_users``."""
    rng = np.random.default_rng(seed)
    rows = [
        np.bincount(rng.integers(0, n_users, n_users), minlength=n_users) if n_users else np.zeros(0)
        for _ in range(n)
    ]
    return np.array(rows, np.float64).reshape(n, n_users)


def resampled_means(values: Float64s, draws: Float64s) -> Float64s:
    """Return the mean over the users drawn that have a value, ``(n, n_columns)``."""
    there = np.isfinite(values)
    sums = draws @ np.where(there, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / (draws @ there.astype(np.float64)), np.float64)


def within(values: Float64s, draws: Float64s, users: Bools) -> tuple[Float64s, Float64s]:
    """Return values and draws from which the figures of some users only come out, as cheap as may be.

    Parameters
    ----------
    values
        float64 ``(n_users, ...)``.
    draws
        From :func:`resamples`.
    users
        bool ``(n_users,)``.
    """
    if 2 * np.count_nonzero(users) > len(users):  # the draws, which are large, are not copied for most users
        return np.where(users.reshape(-1, *[1] * (values.ndim - 1)), values, np.nan), draws
    return values[users], draws[:, users]


def means(values: Float64s, draws: Float64s, resampled: Float64s | None = None) -> list[Estimate]:
    """Return the mean of each column over the users that have a value (NaN: none).

    Parameters
    ----------
    values
        float64 ``(n_users, n_columns)``.
    draws
        From :func:`resamples`.
    resampled
        From :func:`resampled_means`, where it is at hand.
    """
    there = np.isfinite(values)
    resampled = resampled_means(values, draws) if resampled is None else resampled
    counts = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = np.where(there, values, 0.0).sum(axis=0) / counts
    return [
        Estimate(float(plain[j]), *interval(resampled[:, j]), int(counts[j])) for j in range(values.shape[1])
    ]


def ratio(numerator: Float64s, denominator: Float64s, draws: Float64s) -> Estimate:
    """Return mean / mean over the users that have both, float64 ``(n_users,)`` each."""
    both = np.isfinite(numerator) & np.isfinite(denominator)
    pair = np.where(both[:, None], np.stack((numerator, denominator), axis=1), np.nan)
    return ratio_of(pair, resampled_means(pair, draws))


def ratio_of(pair: Float64s, resampled: Float64s) -> Estimate:
    """Return mean / mean of two columns with a value for the same users.

    Parameters
    ----------
    pair
        float64 ``(n_users, 2)``.
    resampled
        Their :func:`resampled_means`, ``(n, 2)``.
    """
    both = np.isfinite(pair).all(axis=1)
    top, bottom = pair[both].mean(axis=0).tolist() if both.any() else (np.nan, 0.0)
    if not bottom:
        return Estimate(np.nan, np.nan, np.nan, int(both.sum()))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = resampled[:, 0] / resampled[:, 1]
    return Estimate(top / bottom, *interval(ratios), int(both.sum()))


def interval(values: Float64s) -> tuple[float, float]:
    """Return the 2.5th and the 97.5th percentile of the values that are numbers; infinity is one."""
    usable = values[~np.isnan(values)]
    if not len(usable):
        return np.nan, np.nan
    if np.isfinite(usable).all():
        low, high = np.percentile(usable, [_LOW, _HIGH])
    else:  # Between a number and infinity there is nothing to interpolate.
        low = np.percentile(usable, _LOW, method="lower")
        high = np.percentile(usable, _HIGH, method="higher")
    return float(low), float(high)

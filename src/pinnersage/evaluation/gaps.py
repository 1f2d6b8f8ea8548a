"""Differences between groups of users, with intervals."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Bools, Float64s, Int64s
from pinnersage.evaluation.bootstrap import Estimate, interval, resampled_means, within

GROUP_NAMES = ("low", "middle", "high")


def thirds(values: Float64s) -> list[tuple[str, Bools]]:
    """Return (name, users) of the thirds by a trait; fewer where it ties, and nobody without a value.

    Examples
    --------
    >>> [(name, users.tolist()) for name, users in thirds(np.array([1.0, 1.0, 9.0]))]
    [('low', [True, True, False]), ('high', [False, False, True])]
    """
    there = np.isfinite(values)
    if not there.any():
        return []
    edges = np.quantile(values[there], [1 / 3, 2 / 3])
    third = np.where(there, np.searchsorted(edges, values, side="left"), -1)
    return [(name, third == g) for g, name in enumerate(GROUP_NAMES) if (third == g).any()]


def gaps(values: Float64s, low: Bools, high: Bools, draws: Float64s) -> list[Estimate]:
    """Return, per column, the mean over the users ``high`` less the mean over the users ``low``.

    Parameters
    ----------
    values
        float64 ``(n_users, n_columns)``; NaN for users without a value.
    low, high
        bool ``(n_users,)``.
    draws
        From :func:`~pinnersage.evaluation.bootstrap.resamples`, of all users: both means are taken of
        the same draws, and so are all columns.
    """
    (high_sums, high_counts, of_high), (low_sums, low_counts, of_low) = (
        _of_group(values, draws, users) for users in (high, low)
    )
    resampled = of_high - of_low
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = high_sums / high_counts - low_sums / low_counts
    return [
        Estimate(float(plain[j]), *interval(resampled[:, j]), int(high_counts[j] + low_counts[j]))
        for j in range(values.shape[1])
    ]


def _of_group(values: Float64s, draws: Float64s, users: Bools) -> tuple[Float64s, Int64s, Float64s]:
    """Return sums, counts and resampled means of some users; their copy of the draws is let go."""
    own, drawn = within(values, draws, users)
    return np.nansum(own, axis=0), np.isfinite(own).sum(axis=0), resampled_means(own, drawn)

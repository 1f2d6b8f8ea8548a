"""Differences between groups of users, with intervals."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Bools, Float64s
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
    (of_high, high_draws), (of_low, low_draws) = (within(values, draws, users) for users in (high, low))
    resampled = resampled_means(of_high, high_draws) - resampled_means(of_low, low_draws)
    counts = np.isfinite(of_high).sum(axis=0), np.isfinite(of_low).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = np.nansum(of_high, axis=0) / counts[0] - np.nansum(of_low, axis=0) / counts[1]
    return [
        Estimate(float(plain[j]), *interval(resampled[:, j]), int(counts[0][j] + counts[1][j]))
        for j in range(values.shape[1])
    ]

"""Two settings on the same users: the gain of one over the other, with an interval over the users."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pinnersage._arrays import Float64s
from pinnersage.evaluation.bootstrap import Estimate, interval, ratio, resampled_means, resamples

_LEVEL = 0.95


class Pairs:
    """Compares figures of the same users, always with the same resamples.

    Parameters
    ----------
    n_resamples, seed
        Of the users.
    """

    def __init__(self, n_resamples: int, seed: int) -> None:
        self._n, self._seed = n_resamples, seed
        self._draws: dict[int, Float64s] = {}

    def gain(self, new: Float64s, old: Float64s) -> Estimate:
        """Return the mean difference over the users that have both, with its 95 % interval.

        Parameters
        ----------
        new, old
            float64 ``(n_users,)`` each, NaN for none.

        Returns
        -------
        Estimate
            NaN where no user has both.
        """
        differences = new - old
        n_users = int(np.isfinite(differences).sum())
        if not n_users:
            return Estimate(np.nan, np.nan, np.nan, 0)
        resampled = resampled_means(differences[:, None], self._of(len(new)))[:, 0]
        return Estimate(mean(differences), *interval(resampled), n_users)

    def gains(self, new: Sequence[Float64s], old: Float64s) -> list[Estimate]:
        """Return the mean difference of each of several, with intervals that hold for all at once.

        The best of many looks better than it is; options that make nearly the same lists count as
        nearly one, which a correction by their number would not see.

        Parameters
        ----------
        new
            float64 ``(n_users,)`` each, without NaN.
        old
            float64 ``(n_users,)``, without NaN.

        Notes
        -----
        Of each resample the largest deviation among all, in standard errors, is taken; 95 % of these
        are below the half-width. Source: Westfall, Young, "Resampling-based multiple testing", 1993.
        """
        differences = np.stack(list(new), axis=1) - old[:, None]
        resampled = resampled_means(differences, self._of(len(old)))
        centers, errors = differences.mean(axis=0), resampled.std(axis=0)
        deviations = np.abs(resampled - centers) / np.where(errors > 0, errors, np.inf)
        reach = np.percentile(deviations.max(axis=1), 100 * _LEVEL) * errors
        return [
            Estimate(float(center), float(center - r), float(center + r), len(old))
            for center, r in zip(centers, reach, strict=True)
        ]

    def lift(self, new: Float64s, old: Float64s) -> Estimate | None:
        """Return mean / mean over the users that have both; None where the old one may be 0."""
        found = ratio(new, old, self._of(len(new)))
        return found if np.isfinite([found.value, found.low]).all() else None

    def _of(self, n_users: int) -> Float64s:
        if n_users not in self._draws:
            self._draws[n_users] = resamples(n_users, self._n, self._seed)
        return self._draws[n_users]


def mean(values: Float64s) -> float:
    """Return the mean of the users that have a figure; NaN without one."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")

"""Two settings on the same users: the gain of one over the other, with an interval over the users."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Float64s
from pinnersage.evaluation.bootstrap import Estimate, ratio, resampled_means, resamples

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

    def gain(self, new: Float64s, old: Float64s, *, n_compared: int = 1) -> Estimate:
        """Return the mean difference over the users that have both.

        Parameters
        ----------
        new, old
            float64 ``(n_users,)`` each, NaN for none.
        n_compared
            The interval holds for so many comparisons at once (Bonferroni), which the best of many
            has to stand.

        Returns
        -------
        Estimate
            NaN where no user has both.
        """
        differences = new - old
        there = np.isfinite(differences)
        if not there.any():
            return Estimate(np.nan, np.nan, np.nan, 0)
        means = resampled_means(differences[:, None], self._of(len(new)))[:, 0]
        tail = 100 * (1 - _LEVEL) / 2 / n_compared
        low, high = np.percentile(means[np.isfinite(means)], [tail, 100 - tail]).tolist()
        return Estimate(float(differences[there].mean()), low, high, int(there.sum()))

    def lift(self, new: Float64s, old: Float64s) -> Estimate:
        """Return mean / mean over the users that have both."""
        return ratio(new, old, self._of(len(new)))

    def _of(self, n_users: int) -> Float64s:
        if n_users not in self._draws:
            self._draws[n_users] = resamples(n_users, self._n, self._seed)
        return self._draws[n_users]


def mean(values: Float64s) -> float:
    """Return the mean of the users that have a figure; NaN without one."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")

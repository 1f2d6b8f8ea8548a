"""What an arm's own work costs: seconds and processor seconds, fitting apart from recommending."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Stopwatch:
    """Adds up the time spent in its ``with`` blocks.

    Attributes
    ----------
    seconds, cpu_seconds
        So far.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    _started: tuple[float, float] = field(default=(0.0, 0.0), init=False, repr=False)

    def __enter__(self) -> Stopwatch:
        self._started = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started[0]
        self.cpu_seconds += time.process_time() - self._started[1]


class Clock:
    """The costs of one arm.

    Parameters
    ----------
    fitting
        Runs while the arm fits something when it is first asked for: that is no time of recommending.
    """

    def __init__(self, fitting: Stopwatch | None = None) -> None:
        self._fitting = fitting or Stopwatch()
        self._fit, self._recommend = Stopwatch(), Stopwatch()
        self._fitted_meanwhile = Stopwatch()
        self._each_ms: list[float] = []

    def fit(self) -> Stopwatch:
        """Return what runs while the arm is fitted."""
        return self._fit

    @contextmanager
    def recommend(self, n_lists: int) -> Iterator[None]:
        """Measure the time in which so many lists are made."""
        before, fitted, meanwhile = self._recommend.seconds, self._fitting, self._fitted_meanwhile
        fitted_s, fitted_cpu_s = fitted.seconds, fitted.cpu_seconds
        with self._recommend:
            yield
        meanwhile.seconds += fitted.seconds - fitted_s
        meanwhile.cpu_seconds += fitted.cpu_seconds - fitted_cpu_s
        if n_lists:
            seconds = self._recommend.seconds - before - (fitted.seconds - fitted_s)
            self._each_ms.append(1_000 * seconds / n_lists)

    def cost(self) -> dict[str, float]:
        """Return seconds, and the median of milliseconds for a list."""
        meanwhile = self._fitted_meanwhile
        cpu_seconds = self._fit.cpu_seconds + self._recommend.cpu_seconds + self._fitting.cpu_seconds
        return {
            "fit_seconds": round(self._fit.seconds + self._fitting.seconds, 3),
            "recommend_seconds": round(self._recommend.seconds - meanwhile.seconds, 3),
            "cpu_seconds": round(cpu_seconds - meanwhile.cpu_seconds, 3),
            "median_ms_per_list": round(float(np.median(self._each_ms)), 4) if self._each_ms else 0.0,
        }

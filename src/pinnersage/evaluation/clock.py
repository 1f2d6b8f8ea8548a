"""What an arm's own work costs: seconds and processor seconds, fitting apart from recommending.

Time of the walk is that of a run, in which arms share what one of them looked up or built; time of a list
is measured apart (:mod:`pinnersage.evaluation.timing`), so that it does not depend on the other arms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

Read = Callable[[], tuple[float, float]]
"""Returns seconds, and processor seconds, since some moment."""


def read_clocks() -> tuple[float, float]:
    """Return the clocks of the machine and of the process."""
    return time.perf_counter(), time.process_time()


@dataclass
class Stopwatch:
    """Adds up the time spent in its ``with`` blocks.

    Attributes
    ----------
    read
        Reads the clocks.
    seconds, cpu_seconds
        So far.
    """

    read: Read = field(default=read_clocks, repr=False)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    _started: tuple[float, float] = field(default=(0.0, 0.0), init=False, repr=False)

    def __enter__(self) -> Stopwatch:
        self._started = self.read()
        return self

    def __exit__(self, *_: object) -> None:
        now = self.read()
        self.seconds += now[0] - self._started[0]
        self.cpu_seconds += now[1] - self._started[1]


class Clock:
    """The costs of one arm.

    Parameters
    ----------
    fitting
        Runs while the arm fits something when it is asked for lists: that is no time of recommending.
    read
        Reads the clocks.
    """

    def __init__(self, fitting: Stopwatch | None = None, read: Read = read_clocks) -> None:
        self._read = read
        self._fitting = fitting or Stopwatch()
        self._fit, self._recommend = Stopwatch(read), Stopwatch(read)
        self._fitted_meanwhile = Stopwatch()
        self._each_ms: list[float] = []

    def fit(self) -> Stopwatch:
        """Return what runs while the arm is fitted."""
        return self._fit

    @contextmanager
    def recommend(self) -> Iterator[None]:
        """Measure the time in which lists of the walk are made."""
        fitted, meanwhile = self._fitting, self._fitted_meanwhile
        fitted_s, fitted_cpu_s = fitted.seconds, fitted.cpu_seconds
        with self._recommend:
            yield
        meanwhile.seconds += fitted.seconds - fitted_s
        meanwhile.cpu_seconds += fitted.cpu_seconds - fitted_cpu_s

    @contextmanager
    def lists(self, n_lists: int) -> Iterator[None]:
        """Measure the processor time of a group of lists that are made apart from the walk.

        They are few, and what else the machine does would drown them in the time of a wall clock.
        """
        watch, fitted_s = Stopwatch(self._read), self._fitting.cpu_seconds
        with watch:
            yield
        seconds = watch.cpu_seconds - (self._fitting.cpu_seconds - fitted_s)
        self._each_ms.append(1_000 * seconds / n_lists)

    def cost(self) -> dict[str, float]:
        """Return seconds of the walk, and the median over groups of processor milliseconds for a list."""
        meanwhile = self._fitted_meanwhile
        cpu_seconds = self._fit.cpu_seconds + self._recommend.cpu_seconds + self._fitting.cpu_seconds
        return {
            "fit_seconds": round(self._fit.seconds + self._fitting.seconds, 3),
            "recommend_seconds": round(self._recommend.seconds - meanwhile.seconds, 3),
            "cpu_seconds": round(cpu_seconds - meanwhile.cpu_seconds, 3),
            "median_ms_per_list": round(float(np.median(self._each_ms)), 4) if self._each_ms else 0.0,
        }

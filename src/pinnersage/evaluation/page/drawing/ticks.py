"""Logarithmic axes that read as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pinnersage.evaluation.page.figures import Figure

_STEPS = (1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 7.5)
_MAX_TICKS = 6


def plain_log(axes: Axes, which: Literal["x", "y"], figures: Sequence[Figure]) -> None:
    """Make an axis logarithmic, wide enough for all figures, with ticks at round numbers."""
    ends = [x for f in figures for x in (f.value, f.low, f.high) if x is not None and x > 0]
    low, high = (min(ends) / 1.15, max(ends) * 1.15) if ends else (0.5, 2.0)
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    axis.set_major_locator(FixedLocator(round_numbers(low, high)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def round_numbers(low: float, high: float) -> list[float]:
    """Return round numbers between two ends, about evenly apart on a logarithmic axis, at most six.

    Examples
    --------
    >>> round_numbers(0.8, 2.4)
    [1.0, 1.25, 1.5, 2.0]
    >>> round_numbers(0.04, 90)
    [0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
    """
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for steps in (_STEPS, (1.0, 1.5, 2.0, 3.0, 5.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        found = [float(f"{step * 10.0**d:.6g}") for d in decades for step in steps]
        found = [x for x in found if low <= x <= high]
        if len(found) <= _MAX_TICKS:
            return found
    return found[:: math.ceil(len(found) / _MAX_TICKS)]

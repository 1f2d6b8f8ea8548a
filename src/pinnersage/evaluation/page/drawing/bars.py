"""Bars: shares by rank of the interest, gain by feature."""

from __future__ import annotations

from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pinnersage.evaluation.page.charts_more import (
    MAX_FEATURES,
    MAX_RANKS,
    RANK_SHARES,
    calibrations,
    rank_name,
)
from pinnersage.evaluation.page.drawing.style import MUTED, blank, short
from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.gains import gains_of
from pinnersage.evaluation.page.summary import Summary

_COLORS = dict(zip(RANK_SHARES, ("oracle", "pinnersage", "one-vector"), strict=True))
_WIDTH = 0.27


def draw_calibration(summary: Summary, arm: str) -> Drawing | None:
    """Return shares of importance, list and targets beside each other, by rank of the interest."""
    row = next((row for row in calibrations(summary) if row.arm == arm), None)
    if row is None:
        return None
    shares = row.rows[:MAX_RANKS]
    figure = blank(5.4, 3.4)
    axes = figure.add_subplot()
    there = [key for key in RANK_SHARES if any(getattr(share, key) is not None for share in shares)]
    for k, key in enumerate(there):
        at = [i + (k - (len(there) - 1) / 2) * _WIDTH for i in range(len(shares))]
        heights = [getattr(share, key) or 0.0 for share in shares]
        color = FAMILIES[_COLORS[key]].color
        axes.bar(at, heights, _WIDTH * 0.92, color=color, label=RANK_SHARES[key], zorder=2)
    axes.set_xticks(range(len(shares)), [rank_name(share.rank) for share in shares])
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("Rank of the interest by importance")
    axes.set_ylabel("Share")
    axes.legend(labelcolor=MUTED)
    return figure


def draw_ranker(summary: Summary) -> Drawing | None:
    """Return the features of the first second stage by gain, the largest on top."""
    told = gains_of(summary)
    if not told:
        return None
    shares = told[0].features[:MAX_FEATURES]
    figure = blank(5.4, 0.8 + 0.26 * len(shares))
    axes = figure.add_subplot()
    places = range(len(shares), 0, -1)
    color = FAMILIES["second-stage"].color
    axes.barh(list(places), [share.gain for share in shares], 0.7, color=color, zorder=2)
    axes.set_yticks(list(places), [short(share.feature) for share in shares])
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("Share of the gain")
    return figure

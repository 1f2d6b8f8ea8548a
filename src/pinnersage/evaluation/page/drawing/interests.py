"""A metric against the number of interests asked; arms of one vector stand apart on the left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from pinnersage.evaluation.page.charts import Asked, asked_points
from pinnersage.evaluation.page.drawing.style import BAND, MUTED, blank, dot, heights, short
from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import share_of

_DASHES: dict[str, Literal["--", "-"]] = {"drawn by importance": "--", "most important": "-"}
_BEYOND = 1.8
_LINE_BELOW = 17


def draw_interests(summary: Summary, metric: str) -> Drawing | None:
    """Return a metric against the number of interests asked."""
    points = asked_points(summary, metric)
    if not points:
        return None
    one = [point for point in points if point.series == "one"]
    many = [point for point in points if point.series != "one"]
    figure = blank(6.0, 3.9)
    widths = [max(1, len(one)) * 0.55, 4.2] if one else [4.2]
    axes = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0].tolist()
    if one:
        _one(axes[0], one)
    _many(axes[-1], many)
    axes[0].set_ylabel(share_of(metric))
    axes[0].set_ylim(bottom=0)
    _legend(figure, many)
    return figure


def _one(axes: Axes, points: Sequence[Asked]) -> None:
    for i, point in enumerate(points):
        dot(axes, i, point.y, point.family)
    axes.set_facecolor(BAND)
    axes.set_title("One vector")
    axes.grid(visible=False, axis="x")
    axes.set_xlim(-0.6, len(points) - 0.4)
    axes.set_xticks(range(len(points)), [short(point.arm) for point in points], rotation=90)


def _many(axes: Axes, points: Sequence[Asked]) -> None:
    known = [point.n for point in points if point.n is not None]
    beyond = max(known, default=1.0) * _BEYOND
    at = {point.arm: beyond if point.n is None else point.n for point in points}
    for series, dashes in _DASHES.items():
        own = sorted((point for point in points if point.series == series), key=lambda p: at[p.arm])
        color = FAMILIES["pinnersage"].color
        linked = [point for point in own if not _asks_all(point)]
        xs, ys = [at[point.arm] for point in linked], heights(point.y for point in linked)
        axes.plot(xs, ys, dashes, color=color, lw=1.4, alpha=0.7, zorder=2)
        for point in own:
            dot(axes, at[point.arm], point.y, point.family)
    axes.set_title("Several interests")
    axes.set_xlabel("Interests asked, at most (log)")
    axes.set_xscale("log")
    axes.set_xlim(min(at.values()) / 1.4, max(at.values()) * 1.4)
    axes.tick_params(axis="y", length=0)
    axes.spines.left.set_visible(False)
    _ticks(axes, points, at)


def _asks_all(point: Asked) -> bool:
    return point.arm == "all-interests"


def _ticks(axes: Axes, points: Sequence[Asked], at: dict[str, float]) -> None:
    """Name the numbers; all interests have a line of their own below, for their mean may be near a number."""
    numbers = sorted({at[point.arm] for point in points if not _asks_all(point)})
    axes.set_xticks(numbers, [f"{number:.3g}" for number in numbers])
    means = [point for point in points if _asks_all(point)]
    told = ["all" if point.n is None else f"all ({point.n:.3g})" for point in means]
    axes.set_xticks([at[point.arm] for point in means], told, minor=True)
    axes.tick_params(axis="x", which="minor", pad=_LINE_BELOW)
    axes.grid(visible=True, which="minor", axis="x")


def _legend(figure: Drawing, points: Sequence[Asked]) -> None:
    there = [series for series in _DASHES if any(point.series == series for point in points)]
    color = FAMILIES["pinnersage"].color
    lines = [Line2D([], [], color=color, linestyle=_DASHES[series]) for series in there]
    figure.legend(lines, there, loc="outside lower right", ncols=2, labelcolor=MUTED)

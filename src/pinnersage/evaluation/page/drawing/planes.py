"""Arms in a plane, with their names: diversity against relevance, recall against cost."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.charts import Point, cost_points, diversity_points
from pinnersage.evaluation.page.drawing.labels import place_labels
from pinnersage.evaluation.page.drawing.style import blank, heights, whiskers
from pinnersage.evaluation.page.drawing.ticks import plain_log
from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.summary import Summary

_CROWDED = 14


def draw_diversity(summary: Summary) -> Drawing | None:
    """Return diversity against relevance, both with intervals."""
    points = diversity_points(summary)
    return _plane(points, "Relevance", "Diversity", log_x=False) if points else None


def draw_cost(summary: Summary) -> Drawing | None:
    """Return recall against the median time per list, on a logarithmic axis."""
    points = cost_points(summary)
    return _plane(points, "Median ms per list (log)", "Recall", log_x=True) if points else None


def _plane(points: Sequence[Point], x_name: str, y_name: str, *, log_x: bool) -> Drawing:
    figure = blank(6.0, 4.4 if len(points) <= _CROWDED else 5.4)
    axes = figure.add_subplot()
    for point in points:
        _dot(axes, point)
    axes.set_xlabel(x_name)
    axes.set_ylabel(y_name)
    axes.margins(0.16 if not log_x else 0.1, 0.1)
    if log_x:
        plain_log(axes, "x", [point.x for point in points])
    at = list(zip(heights(p.x for p in points), heights(p.y for p in points), strict=True))
    place_labels(axes, at, [point.arm for point in points])
    return figure


def _dot(axes: Axes, point: Point) -> None:
    family = FAMILIES[point.family]
    x, y = heights([point.x]), heights([point.y])
    axes.errorbar(
        x, y, xerr=whiskers(point.x), yerr=whiskers(point.y), fmt="none", ecolor=family.color, elinewidth=1,
        alpha=0.45, zorder=2,
    )  # fmt: skip
    axes.plot(x, y, family.marker, color=family.color, zorder=4)

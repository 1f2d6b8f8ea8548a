"""Arms in a plane, with their names: diversity against relevance, recall against cost."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.charts_plane import (
    cost_named,
    cost_points,
    diversity_named,
    diversity_points,
)
from pinnersage.evaluation.page.drawing.labels import place_labels
from pinnersage.evaluation.page.drawing.style import blank, heights, row_id, whiskers
from pinnersage.evaluation.page.drawing.ticks import plain_log
from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.named import CROWDED, Point
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import share_of

_SMALL = 4.5


def draw_diversity(summary: Summary) -> Drawing | None:
    """Return diversity against relevance, both with intervals."""
    points = diversity_points(summary)
    names = (share_of("relevance"), "Diversity (1 less the mean cosine in a list)")
    return _plane(points, diversity_named(summary), names, log_x=False) if points else None


def draw_cost(summary: Summary) -> Drawing | None:
    """Return recall against the median time per list, on a logarithmic axis."""
    points = cost_points(summary)
    names = ("Median processor time of a list, ms (log)", share_of("recall"))
    return _plane(points, cost_named(summary), names, log_x=True) if points else None


def _plane(points: Sequence[Point], named: set[str], names: tuple[str, str], *, log_x: bool) -> Drawing:
    figure = blank(6.0, 4.4 if len(points) <= CROWDED else 5.4)
    axes = figure.add_subplot()
    for i, point in enumerate(points):
        _dot(axes, point, i, is_named=point.arm in named)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.margins(0.16 if not log_x else 0.1, 0.1)
    if log_x:
        plain_log(axes, "x", [point.x for point in points])
    at = list(zip(heights(p.x for p in points), heights(p.y for p in points), strict=True))
    place_labels(axes, at, [point.arm if point.arm in named else None for point in points])
    return figure


def _dot(axes: Axes, point: Point, row: int, *, is_named: bool) -> None:
    """Draw an arm; one without a name is small and has no bars, and its row of the table tells its name."""
    family = FAMILIES[point.family]
    x, y = heights([point.x]), heights([point.y])
    if is_named:
        axes.errorbar(
            x, y, xerr=whiskers(point.x), yerr=whiskers(point.y), fmt="none", ecolor=family.color,
            elinewidth=1, alpha=0.45, zorder=2,
        )  # fmt: skip
    (dot,) = axes.plot(x, y, family.marker, color=family.color, zorder=4)
    if not is_named:
        dot.set(markersize=_SMALL, alpha=0.75, zorder=3)
    dot.set_gid(row_id(row))

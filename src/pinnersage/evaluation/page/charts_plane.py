"""Arms in a plane, as figures and words: diversity against relevance, recall against cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pinnersage.evaluation.page.blocks import Plot, Table
from pinnersage.evaluation.page.charts import place_of
from pinnersage.evaluation.page.columns import arm_rows, cells_of
from pinnersage.evaluation.page.families import family_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.named import CROWDED, NAMING, Point, named_arms
from pinnersage.evaluation.page.summary import Summary

_MIN_ARMS = 2


def plane(summary: Summary, x: dict[str, Figure], y: dict[str, Figure]) -> list[Point]:
    """Return the arms that have both figures, oracles left out; too few to draw: none."""
    arms = [arm for arm in summary.arms if arm in x and arm in y and arm not in summary.oracles]
    points = [Point(arm, family_of(summary.costs.get(arm)), x[arm], y[arm]) for arm in arms]
    return points if len(points) >= _MIN_ARMS else []


def diversity_points(summary: Summary) -> list[Point]:
    """Return diversity against relevance."""
    return plane(summary, summary.figures("relevance"), summary.figures("diversity"))


def cost_points(summary: Summary) -> list[Point]:
    """Return median milliseconds per list against recall; arms that took no time cannot be drawn."""
    times = {arm: Figure(value=cost.median_ms_per_list) for arm, cost in summary.costs.items()}
    return plane(
        summary, {arm: t for arm, t in times.items() if t.value is not None and t.value > 0},
        summary.figures("recall"),
    )  # fmt: skip


def diversity_named(summary: Summary) -> set[str]:
    """Return the arms that the plot of diversity names."""
    return named_arms(summary, diversity_points(summary), lambda p: (_of(p.x), _of(p.y)))


def cost_named(summary: Summary) -> set[str]:
    """Return the arms that the plot of cost names."""
    return named_arms(summary, cost_points(summary), lambda p: (_of(p.y), -_of(p.x)))


def _of(figure: Figure) -> float:
    return figure.value if figure.value is not None else -math.inf


def plane_plot(
    summary: Summary, key: str, points: Sequence[Point], title: str, text: str, names: tuple[str, str]
) -> Plot:
    """Return a scatter; its table has a row for each point, in the same order."""
    columns = [cells_of([point.x for point in points]), cells_of([point.y for point in points])]
    rows = arm_rows(summary, [point.arm for point in points], columns)
    naming = NAMING if len(points) > CROWDED else ""
    return Plot(key, title, text + naming, Table(f"{title}. {place_of(summary)}", "Arm", list(names), rows))


def diversity_plot(summary: Summary) -> Plot | None:
    """Return the scatter of diversity against relevance."""
    points = diversity_points(summary)
    text = (
        "Up and right is both: lists that vary and still meet what comes. An arm above another at the same "
        "place gives more varied lists at no cost of relevance. Oracles are left out."
    )
    title = "Diversity against relevance"
    return (
        plane_plot(summary, "diversity", points, title, text, ("Relevance", "Diversity")) if points else None
    )


def cost_plot(summary: Summary) -> Plot | None:
    """Return the scatter of recall against time per list."""
    points = cost_points(summary)
    text = (
        "Left and up is better: cheap and good. Time is processor time of a list by itself, making "
        "the user's interests and looking up neighbors included, on a logarithmic scale. "
        "Oracles are left out."
    )
    names = ("Median ms per list", "Recall")
    return plane_plot(summary, "cost", points, "Cost beside quality", text, names) if points else None

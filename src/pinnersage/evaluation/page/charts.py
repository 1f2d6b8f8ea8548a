"""The plots as figures and words: what :mod:`pinnersage.evaluation.page.drawing` draws, and its table.

Nothing here needs a plotting library. A chart is None where the arms that it needs were not measured.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pinnersage.evaluation.page.blocks import Plot, Row, Table
from pinnersage.evaluation.page.columns import arm_rows, cells_of
from pinnersage.evaluation.page.families import family_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import budget_name, metric_name

_MIN_ARMS = 2
_PLAIN = re.compile(r"(top|sampled)-\d+|all-interests")
"""Arms that differ in the number of interests alone."""


class Point(NamedTuple):
    """An arm in a plane; ``y`` with its interval."""

    arm: str
    family: str
    x: Figure
    y: Figure


def place_of(summary: Summary) -> str:
    """Return slice and budget of the plots, in words."""
    return f"First-time items, {budget_name(summary.budget, summary.about.budgets[summary.budget])}"


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


def plane_table(summary: Summary, title: str, points: Sequence[Point], names: tuple[str, str]) -> Table:
    """Return the figures of a plane."""
    columns = [cells_of([point.x for point in points]), cells_of([point.y for point in points])]
    arms = [point.arm for point in points]
    return Table(f"{title}. {place_of(summary)}", "Arm", list(names), arm_rows(summary, arms, columns))


def diversity_plot(summary: Summary) -> Plot | None:
    """Return the scatter of diversity against relevance."""
    points = diversity_points(summary)
    if not points:
        return None
    text = (
        "Up and right is both: lists that vary and still meet what comes. An arm above another at the same "
        "place gives more varied lists at no cost of relevance. Oracles are left out."
    )
    title = "Diversity against relevance"
    table = plane_table(summary, title, points, ("Relevance", "Diversity"))
    return Plot("diversity", title, text, table)


def cost_plot(summary: Summary) -> Plot | None:
    """Return the scatter of recall against time per list."""
    points = cost_points(summary)
    if not points:
        return None
    text = (
        "Left and up is better: cheap and good. Time is processor time of a list by itself, making "
        "the user's interests and looking up neighbors included, on a logarithmic scale. "
        "Oracles are left out."
    )
    title = "Cost beside quality"
    table = plane_table(summary, title, points, ("Median ms per list", "Recall"))
    return Plot("cost", title, text, table)


class Asked(NamedTuple):
    """An arm by how many embeddings of a user it asks at most; ``n`` None: all, and no mean is known."""

    arm: str
    family: str
    series: str
    n: float | None
    y: Figure


def asked_points(summary: Summary, metric: str) -> list[Asked]:
    """Return the arms with a known number of embeddings: one vector, sampled and top interests."""
    found = []
    for arm, figure in summary.figures(metric).items():
        settings = summary.costs[arm].settings if arm in summary.costs else {}
        family = family_of(summary.costs.get(arm))
        if family == "one-vector":
            found.append(Asked(arm, family, "one", 1.0, figure))
        elif _PLAIN.fullmatch(arm) and "n_interests" in settings:
            series = "drawn by importance" if settings.get("sampled") else "most important"
            n = settings.get("n_interests")
            found.append(Asked(arm, family, series, float(n) if n else mean_interests(summary), figure))
    interests = [point for point in found if point.series != "one"]
    return found if len(interests) >= _MIN_ARMS else []


def mean_interests(summary: Summary) -> float | None:
    """Return the users' mean number of interests; None where nothing tells it."""
    if "n_interests" in summary.trait_means:
        return summary.trait_means["n_interests"]
    return summary.interest_quality.n_interests_per_user.value if summary.interest_quality else None


def interests_plot(summary: Summary, metric: str) -> Plot | None:
    """Return a metric against the number of interests asked."""
    points = asked_points(summary, metric)
    if not points:
        return None
    name = metric_name(metric)
    text = (
        f"{name} of lists of equal length, made from one vector (left, apart), from interests drawn in "
        "proportion to importance, and from the most important ones. Bars are 95 % intervals."
    )
    if any(
        point.n is not None and summary.costs[point.arm].settings.get("n_interests") is None
        for point in points
        if point.series != "one"
    ):
        text += " All interests stand at the users' mean number of them."
    numbers = [f"{p.n:.3g}" if p.n is not None else "all" for p in points]
    rows = arm_rows(summary, [p.arm for p in points], [cells_of([p.y for p in points])])
    rows = [Row(r.head, r.cells, r.family, f"asks {n}") for r, n in zip(rows, numbers, strict=True)]
    title = f"{name} against the number of interests"
    table = Table(f"{title}. {place_of(summary)}", "Arm", [name], rows)
    return Plot(f"interests-{metric}", title, text, table)

"""The plots as figures and words: what :mod:`pinnersage.evaluation.page.drawing` draws, and its table.

Nothing here needs a plotting library. A chart is None where the arms that it needs were not measured.
"""

from __future__ import annotations

import re
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


def place_of(summary: Summary) -> str:
    """Return slice and budget of the plots, in words."""
    return f"First-time items, {budget_name(summary.budget, summary.about.budgets[summary.budget])}"


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

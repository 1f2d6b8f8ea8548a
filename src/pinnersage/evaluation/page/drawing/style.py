"""How all plots look. Colors are those of a light page; in SVG they become variables of the style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.figures import Figure

INK, MUTED, LINE, SURFACE, BAND = "#1b232c", "#5a6673", "#d9dee4", "#fefefe", "#f0f3f6"
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", SURFACE: "surface", BAND: "band"} | {
    family.color: key for key, family in FAMILIES.items()
}
"""Color -> the variable of the style sheet that takes its place."""

_MAX_LETTERS = 28
_RULES: dict[str, Any] = {
    "svg.hashsalt": "pinnersage",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "lines.markersize": 6.5,
    "lines.markeredgecolor": SURFACE,
    "lines.markeredgewidth": 0.8,
}


def style() -> AbstractContextManager[None]:
    """Return the context to draw and to save in; nobody's own settings reach into it."""
    return matplotlib.style.context(["default", _RULES])


def blank(width_in: float, height_in: float) -> Drawing:
    """Return an empty figure that no window system knows of."""
    return Drawing(figsize=(width_in, height_in))


def whiskers(figure: Figure) -> list[list[float]] | None:
    """Return the lengths of an error bar down and up; None without an interval."""
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return [[max(0.0, figure.value - figure.low)], [max(0.0, figure.high - figure.value)]]


def settle(figure: Drawing) -> None:
    """Lay a figure out once and for all; saving it would do so twice."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def row_id(row: int) -> str:
    """Return the id of what stands for a row of the plot's table; in the page it tells that row's figures."""
    return f"row-{row}"


def short(name: str) -> str:
    """Return a name that leaves room for the plot.

    Examples
    --------
    >>> short("top-20"), len(short("x" * 99))
    ('top-20', 28)
    """
    return name if len(name) <= _MAX_LETTERS else f"{name[: _MAX_LETTERS - 1]}…"


def heights(figures: Iterable[Figure]) -> list[float]:
    """Return values to draw, NaN where there is none."""
    return [math.nan if figure.value is None else figure.value for figure in figures]


def dot(axes: Axes, x: float, figure: Figure, family: str) -> None:
    """Draw one figure with its interval."""
    kind = FAMILIES[family]
    if figure.value is not None:
        axes.errorbar(
            [x], [figure.value], yerr=whiskers(figure), fmt=kind.marker, color=kind.color, elinewidth=1.4,
            capsize=0, zorder=3,
        )  # fmt: skip

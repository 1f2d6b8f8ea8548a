"""From the key of a plot to its figure, and to SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.blocks import Plot
from pinnersage.evaluation.page.charts_lift import lift_slugs
from pinnersage.evaluation.page.charts_more import calibrations
from pinnersage.evaluation.page.drawing.bars import draw_calibration, draw_ranker
from pinnersage.evaluation.page.drawing.groups import draw_lift
from pinnersage.evaluation.page.drawing.interests import draw_interests
from pinnersage.evaluation.page.drawing.knobs import draw_knob
from pinnersage.evaluation.page.drawing.planes import draw_cost, draw_diversity
from pinnersage.evaluation.page.drawing.style import style
from pinnersage.evaluation.page.drawing.svg import inline_svg
from pinnersage.evaluation.page.knobs_section import knobs
from pinnersage.evaluation.page.summary import Summary

Draw = Callable[[Summary], Drawing | None]
Draws = Callable[[Summary, str], Drawing | None]
_ONE: dict[str, Draw] = {"diversity": draw_diversity, "cost": draw_cost, "ranker": draw_ranker}
_OF: dict[str, Draws] = {
    "interests": draw_interests,
    "lift": lambda summary, slug: draw_lift(summary, _by_slug(summary).get(slug, slug)),
    "calibration": lambda summary, n: draw_calibration(summary, calibrations(summary)[int(n)].arm),
    "knob": lambda summary, n: draw_knob(summary, knobs(summary)[int(n)]),
}


def figure_of(summary: Summary, key: str) -> Drawing | None:
    """Return one plot; None where the arms that it needs were not measured.

    Parameters
    ----------
    summary
        From :func:`~pinnersage.evaluation.page.summary.summary_of`.
    key
        ``diversity``, ``cost``, ``ranker``, ``interests-relevance``, ``interests-recall``, ``lift-activity``
        (or another trait or column, see :func:`~pinnersage.evaluation.page.charts_lift.lift_slugs`),
        ``calibration-0``, ``knob-0``.
    """
    with style():
        kind, _, of = key.partition("-")
        return _ONE[key](summary) if key in _ONE else _OF[kind](summary, of)


def _by_slug(summary: Summary) -> dict[str, str]:
    return {slug: by for by, slug in lift_slugs(summary).items()}


def drawn(summary: Summary, plots: Iterable[Plot]) -> dict[str, str]:
    """Return key -> SVG to stand in a page, of the plots that can be drawn."""
    found = {}
    for plot in plots:
        with style():
            figure = figure_of(summary, plot.key)
            if figure is not None:
                found[plot.key] = inline_svg(figure, plot)
    return found

"""What a knob does: a small panel for each measure."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.drawing.style import MUTED, blank, heights, short, whiskers
from pinnersage.evaluation.page.families import FAMILIES
from pinnersage.evaluation.page.figures import Figure, as_figure
from pinnersage.evaluation.page.knobs_section import KNOB_FIELDS, knob_rows
from pinnersage.evaluation.page.numbers import count_of
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import metric_name

_N_COLUMNS = 2
_MIN_LINKED = 2
_MAX_LETTERS, _LETTER_IN = 44, 0.08


def draw_knob(summary: Summary, knob: str) -> Drawing | None:
    """Return every measure against the values of a knob, in the order measured."""
    rows = knob_rows(summary, knob)
    found = {key: [as_figure(getattr(row, key)) for row in rows] for key in KNOB_FIELDS}
    there = {key: figures for key, figures in found.items() if any(f.value is not None for f in figures)}
    if not there:
        return None
    n_lines = math.ceil(len(there) / _N_COLUMNS)
    names = [short(count_of(row.value)).replace(" ", "\n") for row in rows]
    widest = max(len(line) for name in names for line in name.split("\n"))
    turned = len(names) * widest > _MAX_LETTERS
    figure = blank(5.6, 0.5 + (1.55 + (_LETTER_IN * widest if turned else 0)) * n_lines)
    grid = figure.subplots(n_lines, _N_COLUMNS, squeeze=False, sharex=True).ravel().tolist()
    linked = sum(not isinstance(row.value, str) for row in rows) >= _MIN_LINKED
    for axes, (key, figures) in zip(grid, there.items(), strict=False):
        _panel(axes, figures, linked=linked)
        axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
        axes.set_title(metric_name(key))
    for axes in grid[len(there) :]:
        axes.set_visible(False)
    figure.supxlabel(short(knob), color=MUTED, fontsize=10)
    return figure


def _panel(axes: Axes, figures: list[Figure], *, linked: bool) -> None:
    """Draw one measure; values that have no order are not linked."""
    family = FAMILIES["pinnersage"]
    there = [(i, f) for i, f in enumerate(figures) if f.value is not None]
    xs, ys, dashes = [i for i, _ in there], heights(f for _, f in there), "-" if linked else "none"
    axes.plot(xs, ys, linestyle=dashes, marker=family.marker, color=family.color)
    for i, figure in there:
        axes.errorbar(
            [i], heights([figure]), yerr=whiskers(figure), fmt="none", ecolor=family.color, elinewidth=1.2
        )
    axes.tick_params(labelbottom=True)
    axes.set_xlim(-0.4, len(figures) - 0.6)
    axes.margins(y=0.2)

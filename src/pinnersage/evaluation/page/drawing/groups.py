"""Lift over a baseline from one group of users to the next."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.charts_lift import group_lift
from pinnersage.evaluation.page.drawing.style import MUTED, blank, heights, short, whiskers
from pinnersage.evaluation.page.drawing.ticks import plain_log
from pinnersage.evaluation.page.families import FAMILIES, family_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import metric_name, trait_unit

_DODGE = 0.09
_DASHES = ("-", "--", ":", "-.")


def draw_lift(summary: Summary, by: str) -> Drawing | None:
    """Return lifts by one trait: a panel for each metric, a line for each of a few arms."""
    found = group_lift(summary, by)
    if found is None:
        return None
    figure = blank(4.3, 5.2)
    panels = figure.subplots(len(found.lines), 1, sharex=True, squeeze=False)[:, 0].tolist()
    for axes, (metric, lines) in zip(panels, found.lines.items(), strict=True):
        _panel(axes, summary, lines)
        axes.set_title(f"{metric_name(metric)}, times that of {short(found.base)}")
    ends = [f"{group}\n{told}" for group, told in found.ends.items()]
    panels[-1].set_xticks(range(len(ends)), ends, color=MUTED)
    panels[-1].set_xlabel(trait_unit(by).capitalize(), parse_math=False)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, labelcolor=MUTED)
    return figure


def _panel(axes: Axes, summary: Summary, lines: dict[str, list[Figure]]) -> None:
    axes.axhline(1, color=MUTED, lw=1, zorder=1)
    seen: dict[str, int] = {}
    for k, (arm, figures) in enumerate(lines.items()):
        key = family_of(summary.costs.get(arm))
        dashes = _DASHES[seen.get(key, 0) % len(_DASHES)]
        seen[key] = seen.get(key, 0) + 1
        _line(axes, arm, key, dashes, figures, (k - (len(lines) - 1) / 2) * _DODGE)
    plain_log(axes, "y", [figure for figures in lines.values() for figure in figures] + [Figure(value=1.0)])
    axes.set_xlim(-0.5, len(next(iter(lines.values()), [0])) - 0.5)
    axes.grid(visible=False, axis="x")


def _line(axes: Axes, arm: str, key: str, dashes: str, figures: list[Figure], shift: float) -> None:
    family = FAMILIES[key]
    there = [(i + shift, f) for i, f in enumerate(figures) if f.value is not None]
    axes.plot(
        [x for x, _ in there], heights(f for _, f in there), linestyle=dashes, marker=family.marker,
        color=family.color, lw=1.4, label=short(arm), zorder=3,
    )  # fmt: skip
    for x, figure in there:
        axes.errorbar(
            [x], heights([figure]), yerr=whiskers(figure), fmt="none", ecolor=family.color, elinewidth=1.2,
            alpha=0.6, zorder=2,
        )  # fmt: skip

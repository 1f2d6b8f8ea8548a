"""Lift over a baseline from one group of users to the next."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from pinnersage.evaluation.page.blanks import Reason
from pinnersage.evaluation.page.charts_lift import group_lift
from pinnersage.evaluation.page.drawing.style import MUTED, SURFACE, blank, heights, short, whiskers
from pinnersage.evaluation.page.drawing.ticks import plain_log
from pinnersage.evaluation.page.families import FAMILIES, Family, family_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import metric_name, trait_unit

_DODGE = 0.09
_SMALL, _TOP = 8.5, 0.94
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
        _blanks(axes, list(found.groups), found.blanks.get(metric, {}))
        axes.set_title(f"{metric_name(metric)}, times that of {short(found.base)}")
    ends = [_tick(group, told, found.n_users[group]) for group, told in found.ends.items()]
    panels[-1].set_xticks(range(len(ends)), ends, color=MUTED)
    panels[-1].set_xlabel(trait_unit(by).capitalize(), parse_math=False)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, labelcolor=MUTED)
    return figure


def _tick(group: str, ends: str, n_users: int | None) -> str:
    return "\n".join([group, ends, *([f"{n_users:,} user{'' if n_users == 1 else 's'}"] if n_users else [])])


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


def _blanks(axes: Axes, groups: list[str], reasons: Mapping[str, Reason]) -> None:
    """Say in their place why groups are blank."""
    for i, group in enumerate(groups):
        if group in reasons:
            said = axes.text(
                i, _TOP, reasons[group].drawn, transform=axes.get_xaxis_transform(), fontsize=_SMALL,
                color=MUTED, style="italic", ha="center", va="top",
            )  # fmt: skip
            said.set_in_layout(False)


def _line(axes: Axes, arm: str, key: str, dashes: str, figures: list[Figure], shift: float) -> None:
    family = FAMILIES[key]
    xs = [i + shift for i in range(len(figures))]
    seen = [figure if figure.value else Figure() for figure in figures]
    axes.plot(
        xs, heights(seen), linestyle=dashes, marker=family.marker, color=family.color, lw=1.4,
        label=short(arm), zorder=3,
    )  # fmt: skip
    for x, figure in zip(xs, seen, strict=True):
        if figure.value is not None:
            axes.errorbar(
                [x], heights([figure]), yerr=whiskers(figure), fmt="none", ecolor=family.color,
                elinewidth=1.2, alpha=0.6, zorder=2,
            )  # fmt: skip
    _zeros(axes, family, [x for x, figure in zip(xs, figures, strict=True) if figure.value == 0])


def _zeros(axes: Axes, family: Family, xs: list[float]) -> None:
    """Draw open marks on the lower edge: a logarithmic axis has no place for zero."""
    if xs:
        (marks,) = axes.plot(
            xs, [0.0] * len(xs), linestyle="", marker=family.marker, color=SURFACE,
            markeredgecolor=family.color, transform=axes.get_xaxis_transform(), clip_on=False, zorder=4,
        )  # fmt: skip
        marks.set_in_layout(False)

"""Columns of figures: decimals, intervals, and which figure is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pinnersage.evaluation.page.blocks import Cell, Row
from pinnersage.evaluation.page.families import family_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.numbers import decimals_of, interval_of, text_of
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import Better


def cells_of(figures: Sequence[Figure], *, drawn: Sequence[bool] | None = None) -> list[Cell]:
    """Return a column's cells, all with as many decimals.

    Parameters
    ----------
    figures
        From top to bottom.
    drawn
        Whose intervals are drawn, on a scale from 0 to the largest end among them; None: nobody's.
    """
    decimals = decimals_of(x for f in figures for x in (f.value, f.low, f.high))
    cells = [Cell(text_of(f.value, decimals), interval_of(f.low, f.high, decimals)) for f in figures]
    chosen = drawn or [False] * len(figures)
    ends = [x for f, d in zip(figures, chosen, strict=True) if d for x in (f.value, f.high) if x is not None]
    largest = max(ends, default=0.0)
    if largest <= 0:
        return cells
    spans = [_span(f, largest) if d else None for f, d in zip(figures, chosen, strict=True)]
    return [replace(cell, span=span) for cell, span in zip(cells, spans, strict=True)]


def _span(figure: Figure, largest: float) -> tuple[float, float, float] | None:
    if figure.value is None:
        return None
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    low, high, value = (round(100 * max(0.0, x) / largest, 2) for x in (low, high, figure.value))
    return low, high, value


def mark_best(
    cells: Sequence[Cell], figures: Sequence[Figure], better: Better, apart: Sequence[bool]
) -> list[Cell]:
    """Return a column with its best figure marked; nothing is where another row reads the same.

    Parameters
    ----------
    cells, figures
        Of the column.
    better
        Which way is better; with ``neither`` nothing is marked.
    apart
        Rows that do not compete: oracles.
    """
    there = [
        (f.value, i) for i, (f, out) in enumerate(zip(figures, apart, strict=True))
        if f.value is not None and not out
    ]  # fmt: skip
    marked = list(cells)
    if better == "neither" or not there:
        return marked
    _, best = max(there) if better == "more" else min(there)
    if sum(cells[i].text == cells[best].text for _, i in there) == 1:
        marked[best] = replace(cells[best], mark="best")
    return marked


def mark_against(cells: Sequence[Cell], figures: Sequence[Figure], border: float) -> list[Cell]:
    """Return a column in which intervals that lie wholly on one side of a border are marked."""
    marked = []
    for cell, figure in zip(cells, figures, strict=True):
        above = figure.low is not None and figure.low > border
        below = figure.high is not None and figure.high < border
        marked.append(replace(cell, mark="above" if above else "below" if below else ""))
    return marked


def arm_rows(summary: Summary, arms: Sequence[str], columns: Sequence[Sequence[Cell]]) -> list[Row]:
    """Return one row per arm, with the sign of its family; oracles say what they are."""
    oracles = summary.oracles
    return [
        Row(
            arm,
            [column[i] for column in columns],
            family_of(summary.costs.get(arm)),
            "sees the targets" if arm in oracles else "",
        )
        for i, arm in enumerate(arms)
    ]

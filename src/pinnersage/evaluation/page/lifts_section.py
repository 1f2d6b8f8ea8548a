"""Every arm divided by the baselines."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage.evaluation.page.blocks import Block, Folded, Section, Table, Text, some_folded
from pinnersage.evaluation.page.charts_lift import base_of
from pinnersage.evaluation.page.columns import arm_rows, cells_of, mark_against
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.summary import FIRST_TIME, Lift, Summary
from pinnersage.evaluation.page.words import SLICES, budget_name, metric_name, slice_name

_INTRO = (
    "An arm's mean divided by a baseline's, with a 95 % interval in which both are resampled together: this "
    "is how to tell whether one arm beats another. ▲: the whole interval is above 1; ▼: it is below."
)


def lifts_section(summary: Summary) -> Section | None:
    """Return a table per baseline; other budgets and slices are folded. None where there are no lifts."""
    if not summary.lifts:
        return None
    shown = _tables(summary, summary.budget, FIRST_TIME)
    blocks: list[Block] = [Text(_INTRO), *some_folded(shown)]
    for budget in summary.about.budgets:
        for part in SLICES:
            tables = _tables(summary, budget, part)
            if tables and (budget, part) != (summary.budget, FIRST_TIME):
                blocks.append(Folded(_place(summary, budget, part), tables))
    return Section("lifts", "Lifts over the baselines", blocks)


def _tables(summary: Summary, budget: str, part: str) -> list[Table]:
    rows = [row for row in summary.lifts if (row.budget, row.slice) == (budget, part)]
    bases = sorted(dict.fromkeys(row.over for row in rows), key=lambda over: over != base_of(summary))
    place = _place(summary, budget, part)
    return [lift_table(summary, [row for row in rows if row.over == base], place) for base in bases]


def lift_table(summary: Summary, rows: Sequence[Lift], place: str) -> Table:
    """Return the lifts over one baseline."""
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.metrics))
    columns = []
    for metric in metrics:
        figures = [row.metrics.get(metric, Figure()) for row in rows]
        columns.append(mark_against(cells_of(figures), figures, 1.0))
    caption = f"Lift over {rows[0].over}. {place}"
    names = [metric_name(metric) for metric in metrics]
    return Table(caption, "Arm", names, arm_rows(summary, [row.arm for row in rows], columns))


def _place(summary: Summary, budget: str, part: str) -> str:
    return f"{slice_name(part)}, {budget_name(budget, summary.about.budgets[budget])}"

"""All figures of all arms: for every budget a table of first-time items, repeats and all folded."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage.evaluation.page.blocks import Block, Facts, Folded, Heading, Section, Table, Text
from pinnersage.evaluation.page.columns import arm_rows, cells_of, mark_best
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.summary import FIRST_TIME, Result, Summary
from pinnersage.evaluation.page.words import METRICS, SLICES, better, budget_name, metric_name, slice_name

_DRAWN = ("relevance", "recall")
_INTRO = (
    "Each figure is a mean over users; below it stands its 95 % interval, from resampling the users. "
    "Every arm is asked for lists of the same length; where some could not fill theirs, a note below the "
    "table tells how long these are. The best figure of a column is marked where no other reads the same, "
    "oracles left aside: they see what they are asked for, and only show where the ceiling is. Marked does "
    "not mean better than the next: where intervals overlap much, look at the lifts below. "
    "The small bars draw the intervals of relevance and recall, from 0 to the largest end."
)


def results_section(summary: Summary) -> Section:
    """Return the tables of every budget and slice."""
    blocks: list[Block] = [Text(_INTRO), _meanings(summary)]
    for label in sorted(summary.about.budgets, key=lambda label: label != summary.budget):
        n_items = summary.about.budgets[label]
        name = budget_name(label, n_items)
        blocks += [Heading(name), result_table(summary, label, FIRST_TIME)]
        blocks += [
            Folded(f"{slice_name(part)}, {name}", [result_table(summary, label, part)])
            for part in SLICES
            if part != FIRST_TIME and summary.rows(label, part)
        ]
    return Section("results", "Results", blocks)


def result_table(summary: Summary, budget: str, part: str) -> Table:
    """Return all arms and metrics of one budget and slice."""
    rows = summary.rows(budget, part)
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.metrics))
    apart = [row.oracle for row in rows]
    columns = []
    for metric in metrics:
        figures = [row.metrics.get(metric, Figure()) for row in rows]
        cells = cells_of(figures, drawn=[metric in _DRAWN and not out for out in apart])
        columns.append(mark_best(cells, figures, better(metric), apart))
    caption = f"{slice_name(part)}, {budget_name(budget, summary.about.budgets.get(budget, 0))}"
    names = [metric_name(metric) for metric in metrics]
    note = _shorter(rows, summary.about.budgets.get(budget, 0))
    return Table(caption, "Arm", names, arm_rows(summary, [row.arm for row in rows], columns), note)


def _shorter(rows: Sequence[Result], n_items: int) -> str:
    """Return whose lists hold fewer items on average than were asked for; empty where nobody's do."""
    short = [(row.arm, row.mean_n_listed) for row in rows if row.mean_n_listed is not None]
    told = [f"{arm} {n:,.1f}" for arm, n in short if n < n_items]
    return f"Of {n_items:,} items asked for, lists hold on average: {', '.join(told)}." if told else ""


def _meanings(summary: Summary) -> Folded:
    cosine = (summary.about.more("evaluation") or {}).get("relevance_cosine")
    pairs = [(metric.name, metric.meaning) for metric in METRICS.values()]
    if cosine is not None:
        pairs[0] = (pairs[0][0], pairs[0][1].replace("at the set cosine", f"at a cosine of {cosine:g}"))
    return Folded("What the columns say", [Facts(pairs)])

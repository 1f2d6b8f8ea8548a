"""Figures by groups of users: by activity, length of history and number of interests."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage.evaluation.page.blocks import Block, Folded, Section, Table, Text
from pinnersage.evaluation.page.columns import arm_rows, cells_of, mark_best
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.numbers import count_of
from pinnersage.evaluation.page.summary import FIRST_TIME, GroupResult, Summary
from pinnersage.evaluation.page.words import better, budget_name, metric_name, trait_name, trait_unit

_SHOWN = ("relevance", "recall")
_INTRO = (
    "Users are parted into thirds by what was known of them before the first day (fewer parts where many "
    "tie). First-time items. Repeats and all targets by group are in metrics.json."
)


def groups_section(summary: Summary) -> Section | None:
    """Return a table per trait and budget; None where users are not grouped."""
    traits = dict.fromkeys(row.by for row in summary.groups)
    if not traits:
        return None
    blocks: list[Block] = [Text(_INTRO)]
    first = summary.budget
    for budget in sorted(summary.about.budgets, key=lambda label: label != first):
        tables = [t for by in traits if (t := _table(summary, by, budget, _SHOWN))]
        if budget == first:
            others = [m for m in summary.groups[0].metrics if m not in _SHOWN]
            more = [t for by in traits if others and (t := _table(summary, by, budget, others))]
            blocks += [*tables, *([Folded("Other metrics by group", more)] if more else [])]
        elif tables:
            blocks.append(Folded(budget_name(budget, summary.about.budgets[budget]), tables))
    return Section("groups", "Groups of users", blocks)


def group_names(rows: Sequence[GroupResult], by: str) -> dict[str, str]:
    """Return group -> its ends in words, from low to high.

    Parameters
    ----------
    rows
        Of one trait.
    by
        The trait.
    """
    names = {}
    for row in rows:
        least, most = count_of(round(row.from_, 1)), count_of(round(row.to, 1))
        ends = least if least == most else f"{least} to {most}"
        names[row.group] = f"{row.group}: {ends} {trait_unit(by)}"
    return names


def _table(summary: Summary, by: str, budget: str, metrics: Sequence[str]) -> Table | None:
    rows = [r for r in summary.groups if (r.by, r.budget, r.slice) == (by, budget, FIRST_TIME)]
    names = group_names(rows, by)
    arms = [arm for arm in summary.arms if any(row.arm == arm for row in rows)]
    apart = [arm in summary.oracles for arm in arms]
    found = {(row.group, row.arm): row.metrics for row in rows}
    columns, heads = [], []
    for metric in metrics:
        for group, name in names.items():
            figures = [found.get((group, arm), {}).get(metric, Figure()) for arm in arms]
            columns.append(mark_best(cells_of(figures), figures, better(metric), apart))
            heads.append(f"{metric_name(metric)}, {name}")
    place = budget_name(budget, summary.about.budgets[budget])
    caption = f"By {trait_name(by)}. First-time items, {place}"
    return Table(caption, "Arm", heads, arm_rows(summary, arms, columns)) if rows else None

"""Figures by groups of users: by activity, history and interests, and by the caller's own columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pinnersage.evaluation.page.blocks import Block, Folded, Section, Table, Text, some_folded
from pinnersage.evaluation.page.columns import arm_rows, cells_of, mark_best
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.numbers import ends_of
from pinnersage.evaluation.page.summary import FIRST_TIME, GroupResult, Summary
from pinnersage.evaluation.page.words import (
    TRAITS,
    better,
    budget_name,
    metric_name,
    trait_name,
    trait_unit,
)

_SHOWN = ("relevance", "recall")
_N_METRICS = 2
"""Of thirds, side by side in one table: more columns than six do not fit a page."""
_INTRO = (
    "Users are parted into thirds by what was known of them before the first day (fewer parts where many "
    "tie). First-time items. Repeats and all targets by group are in metrics.json."
)
_OWN = (
    "Groups by {names} come from the table of users, as it stands now. Of names, the groups with most users "
    "stand for themselves and (other) holds the rest; (unknown) are users without a value."
)


def groups_section(summary: Summary) -> Section | None:
    """Return tables per trait and budget; None where users are not grouped."""
    traits = dict.fromkeys(row.by for row in summary.groups)
    if not traits:
        return None
    blocks: list[Block] = [Text(_INTRO)]
    own = own_columns(summary)
    if own:
        blocks.append(Text(_OWN.format(names=", ".join(map(trait_name, own)))))
    first = summary.budget
    for budget in sorted(summary.about.budgets, key=lambda label: label != first):
        tables = [table for by in traits for table in _tables(summary, by, budget, _SHOWN)]
        if budget == first:
            others = [m for m in summary.groups[0].metrics if m not in _SHOWN]
            more = [table for by in traits if others for table in _tables(summary, by, budget, others)]
            blocks += [*some_folded(tables), *([Folded("Other metrics by group", more)] if more else [])]
        elif tables:
            blocks.append(Folded(budget_name(budget, summary.about.budgets[budget]), tables))
    return Section("groups", "Groups of users", blocks)


def own_columns(summary: Summary) -> list[str]:
    """Return what users are grouped by of the caller's own."""
    return [by for by in dict.fromkeys(row.by for row in summary.groups) if by not in TRAITS]


def group_names(rows: Sequence[GroupResult], by: str) -> dict[str, str]:
    """Return group -> its ends, if it has any, and its users in words, from low to high.

    Parameters
    ----------
    rows
        Of one trait.
    by
        The trait.
    """
    unit = f" {trait_unit(by)}" if by in TRAITS else ""
    told = {group: f": {ends}{unit}" if ends else "" for group, ends in group_ends(rows).items()}
    return {row.group: f"{row.group}{told[row.group]}{users_told(row.n_users)}" for row in rows}


def group_ends(rows: Sequence[GroupResult]) -> dict[str, str]:
    """Return group -> its least and most without their unit; empty for named groups."""
    return {
        row.group: "" if row.from_ is None or row.to is None else ends_of(row.from_, row.to) for row in rows
    }


def users_told(n_users: int | None) -> str:
    """Return how many users a group has, to stand behind its name; empty where it is not told.

    Examples
    --------
    >>> users_told(1234), users_told(1), users_told(None)
    (' (1,234 users)', ' (1 user)', '')
    """
    if n_users is None:
        return ""
    return f" ({n_users:,} user{'' if n_users == 1 else 's'})"


def _tables(summary: Summary, by: str, budget: str, metrics: Sequence[str]) -> Iterator[Table]:
    """Yield tables of two metrics each; by names, which are many, of one each."""
    rows = [r for r in summary.groups if (r.by, r.budget, r.slice) == (by, budget, FIRST_TIME)]
    if not rows:
        return
    place = f"First-time items, {budget_name(budget, summary.about.budgets[budget])}"
    if any(row.from_ is not None for row in rows):
        for first in range(0, len(metrics), _N_METRICS):
            prefixes = {m: f"{metric_name(m)}, " for m in metrics[first : first + _N_METRICS]}
            yield _table(summary, rows, prefixes, f"By {trait_name(by)}. {place}")
        return
    for metric in metrics:
        yield _table(summary, rows, {metric: ""}, f"{metric_name(metric)} by {trait_name(by)}. {place}")


def _table(
    summary: Summary, rows: Sequence[GroupResult], prefix_of: Mapping[str, str], caption: str
) -> Table:
    """Return a table of the metrics of ``prefix_of``, whose columns are called by prefix and group."""
    names = group_names(rows, rows[0].by)
    arms = [arm for arm in summary.arms if any(row.arm == arm for row in rows)]
    apart = [arm in summary.oracles for arm in arms]
    found = {(row.group, row.arm): row.metrics for row in rows}
    columns, heads = [], []
    for metric, prefix in prefix_of.items():
        for group, name in names.items():
            figures = [found.get((group, arm), {}).get(metric, Figure()) for arm in arms]
            columns.append(mark_best(cells_of(figures), figures, better(metric), apart))
            heads.append(f"{prefix}{name}")
    return Table(caption, "Arm", heads, arm_rows(summary, arms, columns))

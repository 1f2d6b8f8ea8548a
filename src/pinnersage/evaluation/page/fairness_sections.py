"""Gaps between groups of users, and how good the interests are."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage.evaluation.page.additions import UtilityGap
from pinnersage.evaluation.page.blocks import Block, Folded, Row, Section, Table, Text
from pinnersage.evaluation.page.columns import arm_rows, cells_of, mark_against
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.numbers import count_of
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import budget_name, metric_name, trait_name

_QUALITY = {
    "n_interests_per_user": ("Interests per user", ""),
    "silhouette": (
        "Silhouette",
        "how much nearer actions are to their own cluster than to the next; 1 is best",
    ),
    "purity": ("Purity", "share of a cluster's actions in its main category"),
    "purity_at_random": ("Purity at random", "the same with categories dealt at random"),
    "normalized_mutual_information": ("Mutual information", "of clusters and categories, normalized"),
    "stability": (
        "Stability",
        "how far the clusters stay when actions are left out; 1 is not changed at all",
    ),
    "found_again": ("Found again", "share of the interests that are met again when actions are left out"),
}


def gaps_section(summary: Summary) -> Section | None:
    """Return, per trait, the gap of each arm and metric; None where no gaps were measured."""
    if not summary.utility_gaps:
        return None
    blocks: list[Block] = [
        Text(
            "What one group of users gets less what another gets. ▲: the whole interval is above 0, the "
            "first-named group is served better; ▼: it is below, served worse."
        )
    ]
    budgets = dict.fromkeys(gap.budget for gap in summary.utility_gaps)
    for budget in sorted(budgets, key=lambda label: label != summary.budget):
        gaps = [gap for gap in summary.utility_gaps if gap.budget == budget]
        tables = [
            _gap_table(summary, [g for g in gaps if (g.by, g.high_group, g.low_group) == key])
            for key in dict.fromkeys((gap.by, gap.high_group, gap.low_group) for gap in gaps)
        ]
        name = budget_name(budget, summary.about.budgets.get(budget, 0))
        blocks += tables if budget == summary.budget else [Folded(name, tables)]
    return Section("gaps", "Gaps between groups of users", blocks)


def _gap_table(summary: Summary, gaps: Sequence[UtilityGap]) -> Table:
    arms, metrics = (list(dict.fromkeys(getattr(gap, key) for gap in gaps)) for key in ("arm", "metric"))
    found = {(gap.arm, gap.metric): gap.gap for gap in gaps}
    columns = []
    for metric in metrics:
        figures = [found.get((arm, metric), Figure()) for arm in arms]
        columns.append(mark_against(cells_of(figures), figures, 0.0))
    first = gaps[0]
    place = budget_name(first.budget, summary.about.budgets.get(first.budget, 0))
    caption = (
        f"By {trait_name(first.by)}: {first.high_group} less {first.low_group}. First-time items, {place}"
    )
    return Table(caption, "Arm", [metric_name(m) for m in metrics], arm_rows(summary, arms, columns))


def quality_section(summary: Summary) -> Section | None:
    """Return silhouette, purity and stability of the interests; None where they were not measured."""
    quality = summary.interest_quality
    if quality is None:
        return None
    rows = []
    figures = quality.figures()
    order = [*(key for key in _QUALITY if key in figures), *(key for key in figures if key not in _QUALITY)]
    for key, figure in ((key, figures[key]) for key in order):
        name, note = _QUALITY.get(key, (metric_name(key), ""))
        cell = cells_of([figure or Figure()])
        rows.append(Row(name, cell, note=note if figure else f"{note}; not measured".removeprefix("; ")))
    caption = f"Interests of {count_of(quality.n_users)} users"
    return Section("quality", "Quality of the interests", [Table(caption, "Measure", ["Mean"], rows)])

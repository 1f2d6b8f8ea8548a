"""Gaps between groups of users, and how good the interests are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pinnersage.evaluation.page.additions import UtilityGap
from pinnersage.evaluation.page.blocks import Block, Folded, Row, Section, Table, Text, some_folded
from pinnersage.evaluation.page.columns import arm_rows, cells_of, mark_against
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.groups_section import own_columns, users_told
from pinnersage.evaluation.page.numbers import count_of
from pinnersage.evaluation.page.summary import Summary
from pinnersage.evaluation.page.words import budget_name, metric_name, trait_name
from pinnersage.evaluation.user_groups import ALL_OTHERS, LEAST_USERS, UNKNOWN

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
    "gone_without_first": (
        "Goes without the first interest",
        "share of a balanced list that other items take when the most important interest is left out",
    ),
    "gone_without_second": ("Goes without the second", "the same for the second most important interest"),
    "gone_without_third": ("Goes without the third", "the same for the third"),
}


def gaps_section(summary: Summary) -> Section | None:
    """Return, per trait, the gap of each arm and metric; None where no gaps were measured."""
    if not summary.utility_gaps:
        return None
    blocks: list[Block] = [
        Text(
            "What one group of users gets less what another gets. ▲: the whole interval is above 0, the "
            "first-named group is served better; ▼: it is below, served worse. Of many intervals a few lie "
            "beside 0 by chance: one in twenty where there is no difference at all."
        )
    ]
    blocks += [Text(note) for by in own_columns(summary) if (note := _not_compared(summary, by))]
    budgets = dict.fromkeys(gap.budget for gap in summary.utility_gaps)
    for budget in sorted(budgets, key=lambda label: label != summary.budget):
        gaps = [gap for gap in summary.utility_gaps if gap.budget == budget]
        tables = list(_gap_tables(summary, gaps))
        name = budget_name(budget, summary.about.budgets.get(budget, 0))
        blocks += some_folded(tables) if budget == summary.budget else [Folded(name, tables)]
    return Section("gaps", "Gaps between groups of users", blocks)


def _not_compared(summary: Summary, by: str) -> str:
    """Return which groups have no gap and why; empty where all have one that should."""
    gaps = [gap for gap in summary.utility_gaps or () if gap.by == by]
    compared = {group for gap in gaps for group in (gap.low_group, gap.high_group)}
    rows = {row.group: row for row in summary.groups if row.by == by}
    left_out = [group for group in rows if group not in compared]
    of_ends = bool(gaps) and any(row.from_ is not None for row in rows.values())
    small = [group for group in left_out if group != UNKNOWN and not of_ends]
    told = []
    if small:
        few = f"fewer than {LEAST_USERS} users that act on something new, in the group or beside it"
        told.append(f"{', '.join(small)}: {few}")
    if UNKNOWN in left_out:
        told.append(f"{UNKNOWN}: no value in the table of users")
    return f"Not compared by {trait_name(by)}: {'; '.join(told)}." if told else ""


def _gap_tables(summary: Summary, gaps: Sequence[UtilityGap]) -> Iterator[Table]:
    """Yield a table for each pair of groups; of names, which are many, one for each metric."""
    pairs = dict.fromkeys((gap.by, gap.high_group, gap.low_group) for gap in gaps)
    for by, high, low in pairs:
        if low != ALL_OTHERS:
            own = [gap for gap in gaps if (gap.by, gap.high_group, gap.low_group) == (by, high, low)]
            caption = f"By {trait_name(by)}: {_group(own[0])} less {low}{users_told(own[0].n_low_users)}"
            yield _gap_table(summary, own, _metric, caption)
    for by in dict.fromkeys(by for by, _, low in pairs if low == ALL_OTHERS):
        of_column = [gap for gap in gaps if gap.by == by]
        for metric in dict.fromkeys(gap.metric for gap in of_column):
            caption = f"{metric_name(metric)} by {trait_name(by)}: each group less all others"
            own = [gap for gap in of_column if gap.metric == metric]
            yield _gap_table(summary, own, _group, caption)


def _group(gap: UtilityGap) -> str:
    return f"{gap.high_group}{users_told(gap.n_high_users)}"


def _metric(gap: UtilityGap) -> str:
    return metric_name(gap.metric)


def _gap_table(
    summary: Summary, gaps: Sequence[UtilityGap], name_of: Callable[[UtilityGap], str], caption: str
) -> Table:
    """Return a table of arms by what ``name_of`` tells of a gap."""
    arms, names = list(dict.fromkeys(gap.arm for gap in gaps)), list(dict.fromkeys(map(name_of, gaps)))
    found = {(gap.arm, name_of(gap)): gap.gap for gap in gaps}
    columns = []
    for name in names:
        figures = [found.get((arm, name), Figure()) for arm in arms]
        columns.append(mark_against(cells_of(figures), figures, 0.0))
    place = budget_name(gaps[0].budget, summary.about.budgets.get(gaps[0].budget, 0))
    caption = f"{caption}. First-time items, {place}"
    return Table(caption, "Arm", names, arm_rows(summary, arms, columns))


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

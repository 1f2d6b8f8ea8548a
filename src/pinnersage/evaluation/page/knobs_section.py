"""What each knob of diversity and quota does: to figures, to groups of items and users, to interests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pinnersage.evaluation.page.additions import KnobRow
from pinnersage.evaluation.page.blocks import Block, Folded, Plot, Plots, Row, Section, Table, Text
from pinnersage.evaluation.page.charts_more import rank_name
from pinnersage.evaluation.page.columns import cells_of, mark_against
from pinnersage.evaluation.page.figures import Figure, as_figure, between
from pinnersage.evaluation.page.numbers import count_of
from pinnersage.evaluation.page.summary import FIRST_TIME, Summary
from pinnersage.evaluation.page.words import budget_name, metric_name, trait_name
from pinnersage.evaluation.user_groups import ALL_OTHERS

KNOB_FIELDS = ("relevance", "recall", "diversity", "calibration", "coverage", "gini", "popularity_lift")
_KNOBS = {
    "n_interests": "How many interests are asked, at most.",
    "sharing": "How a list is shared among the interests: in proportion to importance, or equally.",
    "near_duplicate_cosine": "No two items of a list lie at or above this cosine.",
    "saturation": "How soon a balanced list has enough of one direction.",
}
"""Knob -> what it turns."""
_GAP_METRICS = ("recall", "relevance")
_INTRO = (
    "Below the plots, for each knob: what share of the lists each group of items has, how groups of users "
    "differ (▲: the whole interval is above 0, the first-named group is served better; ▼: below, worse), and "
    "what share of a list belongs to the users' first, second, third ... interest."
)


def knobs_section(summary: Summary) -> Section | None:
    """Return what diversity and quota knobs do; None where none was turned."""
    if not summary.knobs:
        return None
    plots = Plots([_plot(summary, knob) for knob in knobs(summary)])
    told = {knob: list(_fairness_tables(summary, knob_rows(summary, knob))) for knob in knobs(summary)}
    folded = [
        Folded(f"{knob}: groups of items, groups of users, interests", tables)
        for knob, tables in told.items()
        if tables
    ]
    blocks: list[Block] = [Text(_INTRO), plots, *folded] if folded else [plots]
    return Section("knobs", "What the knobs do", blocks)


def knobs(summary: Summary) -> list[str]:
    """Return the knobs that were turned."""
    return list(dict.fromkeys(row.knob for row in summary.knobs or []))


def knob_rows(summary: Summary, knob: str) -> list[KnobRow]:
    """Return the settings of one knob, in the order measured."""
    return [row for row in summary.knobs or [] if row.knob == knob]


def _plot(summary: Summary, knob: str) -> Plot:
    rows = knob_rows(summary, knob)
    text = " ".join(
        filter(None, [_KNOBS.get(knob), f"Every measure as {knob} is turned; each has a scale of its own."])
    )
    columns = {metric_name(key): [as_figure(getattr(row, key)) for row in rows] for key in KNOB_FIELDS}
    table = _table(rows, f"Settings of {knob}{_place(summary, rows[0])}", columns)
    return Plot(f"knob-{knobs(summary).index(knob)}", f"What {knob} does", text, table)


def _place(summary: Summary, row: KnobRow) -> str:
    if row.budget is None:
        return ""
    return f". First-time items, {budget_name(row.budget, summary.about.budgets.get(row.budget, 0))}"


def _table(rows: Sequence[KnobRow], caption: str, columns: dict[str, list[Figure]]) -> Table:
    cells = [cells_of(figures) for figures in columns.values()]
    heads = [
        Row(count_of(row.value), [column[i] for column in cells], note=row.arm) for i, row in enumerate(rows)
    ]
    return Table(caption, "Value and arm", list(columns), heads)


def _fairness_tables(summary: Summary, rows: Sequence[KnobRow]) -> Iterator[Table]:
    yield from _shares(summary, rows)
    yield from _gaps(summary, rows)
    yield from _interests(summary, rows)


def _shares(summary: Summary, rows: Sequence[KnobRow]) -> Iterator[Table]:
    """Yield, per kind of group, each group's share of the lists of every setting."""
    found = {
        row.arm: {(group.by, group.group): between(group.share, group.interval) for group in row.groups}
        for row in summary.exposure or []
        if (row.budget, row.slice) == (rows[0].budget, FIRST_TIME)
    }
    groups = dict.fromkeys(group for row in rows for group in found.get(row.arm, {}))
    for kind in dict.fromkeys(by for by, _ in groups):
        columns = {
            name: [found.get(row.arm, {}).get((kind, name), Figure()) for row in rows]
            for by, name in groups
            if by == kind
        }
        yield _table(rows, f"Share of the lists by {kind}{_place(summary, rows[0])}", columns)


def _gaps(summary: Summary, rows: Sequence[KnobRow]) -> Iterator[Table]:
    """Yield, per metric, the gaps between the ends of each trait; marked where they are not in doubt."""
    gaps = [gap for gap in summary.utility_gaps or [] if gap.budget == rows[0].budget]
    ends = [gap for gap in gaps if gap.low_group != ALL_OTHERS]
    for metric in _GAP_METRICS:
        found = {(gap.by, gap.arm): gap for gap in ends if gap.metric == metric}
        there = dict.fromkeys(by for by, arm in found if any(row.arm == arm for row in rows))
        columns = {}
        for by in there:
            told = [found.get((by, row.arm)) for row in rows]
            first = next(gap for gap in told if gap)
            name = f"By {trait_name(by)}: {first.high_group} less {first.low_group}"
            columns[name] = [gap.gap if gap else Figure() for gap in told]
        if columns:
            caption = f"Gaps of {metric_name(metric).lower()} between users{_place(summary, rows[0])}"
            yield _marked(_table(rows, caption, columns), list(columns.values()))


def _marked(table: Table, columns: Sequence[Sequence[Figure]]) -> Table:
    cells = [mark_against([row.cells[i] for row in table.rows], c, 0.0) for i, c in enumerate(columns)]
    rows = [replace(row, cells=[column[i] for column in cells]) for i, row in enumerate(table.rows)]
    return replace(table, rows=rows)


def _interests(summary: Summary, rows: Sequence[KnobRow]) -> Iterator[Table]:
    """Yield the share of the list by rank of the interest, above them what the importances would give."""
    found = {
        row.arm: {share.rank: share for share in row.rows}
        for row in summary.interest_calibration or []
        if row.budget == rows[0].budget
    }
    there = [row for row in rows if found.get(row.arm)]
    if not there:
        return
    of_one = found[there[0].arm]
    columns = {
        rank_name(rank): [Figure(value=share.importance_share)]
        + [Figure(value=found[row.arm][rank].list_share) for row in there]
        for rank, share in of_one.items()
    }
    wanted = KnobRow(knob=there[0].knob, value="by importance", arm="")
    caption = f"Share of the list by rank of the interest{_place(summary, rows[0])}"
    yield _table([wanted, *there], caption, columns)

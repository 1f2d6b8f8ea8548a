"""Who is shown: how arms spread their recommendations over items, categories and providers."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage.evaluation.page.additions import ExposureGroup, ExposureRow
from pinnersage.evaluation.page.blocks import Block, Folded, Row, Section, Table, Text
from pinnersage.evaluation.page.columns import arm_rows, cells_of
from pinnersage.evaluation.page.figures import between
from pinnersage.evaluation.page.summary import FIRST_TIME, Summary
from pinnersage.evaluation.page.words import SLICES, budget_name, metric_name, slice_name

_MEASURES = ("gini", "coverage", "popularity_lift", "top_1_percent_share")
_SHARES = {
    "share": "Share of the lists",
    "pool_share": "Share of the pool",
    "history_share": "Share of the history",
}
_INTRO = (
    "How the places in all lists are spread over the items. Gini: 0 when every item is shown as often, 1 "
    "when one has all. Popularity lift: how much more popular listed items are than what users act on "
    "themselves; 0 is as popular, 1 twice as popular, -0.5 half as. Top 1 % of items: the share of the "
    "places that the most shown hundredth of the pool has. Intervals (95 %) leave groups of users out in "
    "turn; coverage has none, for it grows with the number of users."
)


def exposure_section(summary: Summary) -> Section | None:
    """Return a table per budget, and per arm the groups of items; None where exposure was not measured."""
    if not summary.exposure:
        return None
    blocks: list[Block] = [Text(_INTRO)]
    for budget, part in _places(summary, summary.exposure):
        rows = [row for row in summary.exposure if (row.budget, row.slice) == (budget, part)]
        place = f"{slice_name(part)}, {budget_name(budget, summary.about.budgets.get(budget, 0))}"
        own: list[Block] = [_spread(summary, rows, place), *_by_group(rows, place)]
        first = (budget, part) == (summary.budget, FIRST_TIME)
        blocks += own if first else [Folded(place, own)]
    return Section("exposure", "Exposure of items", blocks)


def _places(summary: Summary, rows: Sequence[ExposureRow]) -> list[tuple[str, str]]:
    found = dict.fromkeys((row.budget, row.slice) for row in rows)
    order = list(SLICES)
    return sorted(
        found,
        key=lambda p: (p != (summary.budget, FIRST_TIME), order.index(p[1]) if p[1] in order else len(order)),
    )


def _spread(summary: Summary, rows: Sequence[ExposureRow], place: str) -> Table:
    columns = [
        cells_of([between(getattr(row, key), row.intervals.get(key)) for row in rows]) for key in _MEASURES
    ]
    names = [metric_name(key) for key in _MEASURES]
    return Table(f"Spread. {place}", "Arm", names, arm_rows(summary, [row.arm for row in rows], columns))


def _by_group(rows: Sequence[ExposureRow], place: str) -> list[Folded]:
    """Return per arm a table of each kind of group, folded."""
    folded = []
    for row in rows:
        kinds = dict.fromkeys(group.by for group in row.groups)
        tables = [_groups(row, kind, [g for g in row.groups if g.by == kind], place) for kind in kinds]
        if tables:
            folded.append(Folded(f"{row.arm}: by {', '.join(kinds)}", tables))
    return [Folded("By group of items, for each arm", folded)] if folded else []


def _groups(row: ExposureRow, kind: str, groups: Sequence[ExposureGroup], place: str) -> Table:
    columns = [
        cells_of([between(getattr(g, key), g.interval if key == "share" else None) for g in groups])
        for key in _SHARES
    ]
    rows = [Row(group.group, [column[i] for column in columns]) for i, group in enumerate(groups)]
    return Table(f"{row.arm} by {kind}. {place}", kind.capitalize(), list(_SHARES.values()), rows)

"""Lift over one baseline by group of users, as figures and words."""

from __future__ import annotations

import re
from typing import NamedTuple

from pinnersage.evaluation.page.blanks import ZERO, Blanks, Reason, blanks_told, reason_of
from pinnersage.evaluation.page.blocks import Plot, Table
from pinnersage.evaluation.page.charts import place_of
from pinnersage.evaluation.page.columns import arm_rows, cells_of
from pinnersage.evaluation.page.families import family_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.groups_section import group_ends, group_names, users_told
from pinnersage.evaluation.page.summary import FIRST_TIME, GroupResult, Summary
from pinnersage.evaluation.page.words import TRAITS, metric_name, trait_name

LIFTED = ("relevance", "recall")
_BASES = ("mean-0.01", "last-item")
_FIRST_OF = (
    ("sampled-3",),
    ("top-20", "top-40", "all-interests"),
    ("balanced-40",),
    ("top-40-ranked", "all-interests-ranked"),
)
_FAMILIES_ADDED = ("popularity", "trained", "second-stage")
_MAX_LINES = 6


class GroupLift(NamedTuple):
    """Lines of one plot.

    Attributes
    ----------
    base
        The arm that others are divided by.
    groups
        Group -> its name in words, from low to high.
    n_users
        Group -> how many users it has; None: not told.
    ends
        Group -> its least and most, without their unit.
    lines
        Metric -> arm -> lift in each group.
    blanks
        Metric -> group in which no arm has a lift -> why.
    """

    base: str
    groups: dict[str, str]
    n_users: dict[str, int | None]
    ends: dict[str, str]
    lines: dict[str, dict[str, list[Figure]]]
    blanks: Blanks

    @property
    def names(self) -> dict[str, str]:
        """Group -> its name and how many users it has."""
        return {group: f"{group}{users_told(n)}" for group, n in self.n_users.items()}

    @property
    def figures(self) -> list[Figure]:
        """All lifts, of both metrics."""
        return [figure for lines in self.lines.values() for line in lines.values() for figure in line]


def base_of(summary: Summary) -> str | None:
    """Return the decayed mean, else the first baseline there is; None where there is neither."""
    over = list(dict.fromkeys(row.over for row in summary.lifts))
    known = [arm for arm in _BASES if arm in summary.arms]
    return known[0] if known else over[0] if over else None


def shown_arms(summary: Summary, base: str) -> list[str]:
    """Return a few arms, named beforehand and not by how they did: some of ours, one of each other family."""
    arms = [arm for arm in summary.arms if arm != base and arm not in summary.oracles]
    ours = [next((arm for arm in names if arm in arms), None) for names in _FIRST_OF]
    over = [row.over for row in summary.lifts]
    family = {arm: family_of(summary.costs.get(arm)) for arm in arms}
    others = []
    for wanted in _FAMILIES_ADDED:
        own = [arm for arm in arms if family[arm] == wanted]
        others.append(next((arm for arm in own if arm in over), own[0] if own else None))
    chosen = set(ours) | {arm for arm in others if arm}
    if not any(ours):
        chosen |= set(arms[:_MAX_LINES])
    return [arm for arm in arms if arm in chosen][:_MAX_LINES]


def group_lift(summary: Summary, by: str) -> GroupLift | None:
    """Return the lifts from low to high; None without such groups, or with nothing to draw.

    With ``group_lifts`` in the summary they have intervals; else they are ratios of the groups' means.
    """
    found = _group_lift(summary, by)
    if found is None or len(found.groups) < 2:
        return None
    return found if any(figure.value is not None for figure in found.figures) else None


def undrawn_told(summary: Summary, by: str) -> str:
    """Return why there is no plot of lifts by a trait that users are grouped by; empty where there is one."""
    found = _group_lift(summary, by)
    if found is None or group_lift(summary, by):
        return ""
    start = f"Lift by {trait_name(by)} is not drawn"
    if len(found.groups) < 2:
        return f"{start}: all users are one group ({next(iter(found.groups.values()))})."
    return f"{start}. {blanks_told(found.blanks, found.names, found.base)}"


def _group_lift(summary: Summary, by: str) -> GroupLift | None:
    base = base_of(summary)
    rows = [r for r in summary.groups if (r.by, r.budget, r.slice) == (by, summary.budget, FIRST_TIME)]
    rows = [row for row in rows if row.from_ is not None]
    if base is None or not any(row.arm == base for row in rows):
        return None
    groups = group_names(rows, by)
    arms = [arm for arm in shown_arms(summary, base) if any(row.arm == arm for row in rows)]
    lines = {
        m: {arm: [_lift(summary, rows, arm, base, g, m) for g in groups] for arm in arms} for m in LIFTED
    }
    n_users = {row.group: row.n_users for row in rows}
    of_base = {row.group: row.metrics for row in rows if row.arm == base}
    blanks: dict[str, dict[str, Reason]] = {}
    for metric, line in lines.items():
        for i, group in enumerate(groups):
            own = of_base.get(group, {}).get(metric, Figure())
            reason = reason_of((figures[i] for figures in line.values()), own)
            if reason is not None:
                blanks.setdefault(metric, {})[group] = reason
    return GroupLift(base, groups, n_users, group_ends(rows), lines, blanks)


def _lift(summary: Summary, rows: list[GroupResult], arm: str, base: str, group: str, metric: str) -> Figure:
    for row in summary.group_lifts:
        if (row.by, row.group, row.budget, row.slice, row.arm, row.over) == (
            rows[0].by, group, summary.budget, FIRST_TIME, arm, base,
        ):  # fmt: skip
            return row.metrics.get(metric, Figure())
    found = {row.arm: row.metrics.get(metric, Figure()).value for row in rows if row.group == group}
    top, bottom = found.get(arm), found.get(base)
    return Figure(value=top / bottom) if top is not None and bottom else Figure()


def lift_plot(summary: Summary, by: str) -> Plot | None:
    """Return the plot of lifts by one trait."""
    found = group_lift(summary, by)
    if found is None:
        return None
    arms = list(found.lines[LIFTED[0]])
    columns, heads = [], []
    for metric in LIFTED:
        for i, name in enumerate(found.groups.values()):
            columns.append(cells_of([found.lines[metric][arm][i] for arm in arms]))
            heads.append(f"{metric_name(metric)}, {name}")
    title = f"Lift by {trait_name(by)}"
    caption = f"{title}, over {found.base}. {place_of(summary)}"
    table = Table(caption, "Arm", heads, arm_rows(summary, arms, columns))
    return Plot(f"lift-{lift_slugs(summary)[by]}", title, f"{_text(found)}{_left_out(summary, by)}", table)


def _text(found: GroupLift) -> str:
    has_interval = any(figure.low is not None for figure in found.figures)
    told = [
        f"Each group's mean divided by that of {found.base} in the same group; above 1 is better.",
        "Bars are paired 95 % intervals." if has_interval else "Ratios of means; they have no intervals.",
        ZERO if any(figure.value == 0 for figure in found.figures) else "",
        blanks_told(found.blanks, found.names, found.base),
    ]
    return " ".join(filter(None, told))


def _left_out(summary: Summary, by: str) -> str:
    """Return which groups have no place from low to high; empty where all have one."""
    rows = [r for r in summary.groups if (r.by, r.budget, r.slice) == (by, summary.budget, FIRST_TIME)]
    names = group_names([row for row in rows if row.from_ is None], by).values()
    return f" Left out, for they have no place from low to high: {' and '.join(names)}." if names else ""


def lift_slugs(summary: Summary) -> dict[str, str]:
    """Return what users are grouped by -> a word that may be part of an id on the page, each its own."""
    traits = dict.fromkeys([*TRAITS, *(row.by for row in summary.groups)])
    plain = [by for by in traits if re.fullmatch(r"\w+", by, re.ASCII)]
    others = [by for by in traits if by not in plain]
    # A dash stands in none of the plain ones.
    return {by: by for by in plain} | {by: f"column-{i}" for i, by in enumerate(others)}

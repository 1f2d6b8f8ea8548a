"""The tables of a report that are about fairness: exposure, gaps, calibration by interest, knobs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnersage._arrays import Float64s, Int32s
from pinnersage.evaluation.arms.knobs import SETTINGS
from pinnersage.evaluation.cosines import N_RANKS
from pinnersage.evaluation.exposure import Grouping, coverage, gini, popularity_lift, top_share
from pinnersage.evaluation.exposure_errors import MEASURES
from pinnersage.evaluation.gaps import gaps, thirds
from pinnersage.evaluation.user_groups import LEAST_USERS, Comparison

if TYPE_CHECKING:
    from pinnersage.evaluation.report import Report

Row = dict[str, Any]
GAP_METRICS = ("recall", "relevance", "ndcg")
KNOB_METRICS = ("relevance", "recall", "diversity", "calibration")
_SHARES = ("share", "pool_share", "history_share")
_PARTS = ("first_time", "all")


def fairness_tables(report: Report) -> dict[str, Any]:
    """Return the tables as ``metrics.json`` holds them; those that need the log are empty without it."""
    return {
        "exposure": list(exposure_rows(report)),
        "utility_gaps": list(gap_rows(report)),
        "interest_quality": report.quality,
        "interest_calibration": list(calibration_rows(report)),
        "knobs": list(knob_rows(report)),
    }


def exposure_of(report: Report, arm: str, *, budget: str, part: str = "first_time") -> Row:
    """Return Gini, coverage, popularity lift and the share of the top 1 % of one arm; NaN becomes None.

    Parameters
    ----------
    report
        With a basis.
    arm
        Name.
    budget
        Label.
    part
        ``first_time`` or ``all``.
    """
    counts, basis = report.exposed(arm, budget=budget, part=part), report.basis
    of_pool = counts[report.pool]
    lift = math.nan if basis is None else popularity_lift(counts, basis.popularity, basis.history)
    return {
        "gini": _told(gini(of_pool)),
        "coverage": _told(coverage(counts, report.pool)),
        "popularity_lift": _told(lift),
        "top_1_percent_share": _told(top_share(of_pool)),
    }


def exposure_rows(report: Report) -> Iterator[Row]:
    """Yield the exposure of every arm, budget and kind of list, with its share by group of items."""
    if report.basis is None:
        return
    pool, history = report.basis.pool, report.basis.history
    groups = [(g, g.shares(pool), g.shares(history)) for g in report.basis.groupings]
    for budget in report.budgets:
        for part in _PARTS:
            for arm in report.arms:
                counts = report.exposed(arm, budget=budget, part=part)
                rows = [row for grouping, *shares in groups for row in _group_rows(counts, grouping, *shares)]
                found = exposure_of(report, arm, budget=budget, part=part)
                widths = report.exposure_errors(arm, budget=budget, part=part)
                found["intervals"] = intervals_of(found, widths[: len(MEASURES)])
                for row, width in zip(rows, widths[len(MEASURES) :], strict=False):
                    row["interval"] = _interval(row["share"], width, 0.0, 1.0)
                told = [row for row in rows if any(row[share] for share in _SHARES)]
                yield {"arm": arm, "budget": budget, "slice": part} | found | {"groups": told}


def intervals_of(found: Row, widths: Float64s) -> dict[str, list[float]]:
    """Return the 95 % intervals of the measures that have one."""
    told = {}
    for name, width in zip(MEASURES, widths, strict=False):
        bounds = (-math.inf, math.inf) if name == "popularity_lift" else (0.0, 1.0)
        interval = _interval(found[name], width, *bounds)
        if interval is not None:
            told[name] = interval
    return told


def _interval(value: float | None, width: float, least: float, most: float) -> list[float] | None:
    if value is None or not math.isfinite(width):
        return None
    return [round(max(least, value - float(width)), 6), round(min(most, value + float(width)), 6)]


def _group_rows(
    counts: Int32s, grouping: Grouping, pool_shares: Float64s, history_shares: Float64s
) -> Iterator[Row]:
    columns = zip(grouping.names, grouping.shares(counts), pool_shares, history_shares, strict=True)
    for name, share, of_pool, of_history in columns:
        shares = {"share": share, "pool_share": of_pool, "history_share": of_history}
        yield {"by": grouping.by, "group": name} | {n: _told(x) for n, x in shares.items()}


def gap_rows(report: Report) -> Iterator[Row]:
    """Yield how much better, or worse, one group of users is served than another, on first-time items.

    The high third against the low third by each trait of the report, and of its basis where there is one;
    then the groups of the caller's own columns, where both sides have users enough with such items.
    """
    for budget in report.budgets:
        columns = [(arm, metric) for arm in report.arms for metric in GAP_METRICS]
        values = np.stack([report.values(arm, metric, budget=budget) for arm, metric in columns], axis=1)
        there = np.isfinite(values).any(axis=1)
        for by, compared, least_users in _comparisons(report):
            counts = {
                "n_low_users": int((compared.low & there).sum()),
                "n_high_users": int((compared.high & there).sum()),
            }
            if min(counts.values()) < least_users:
                continue
            found = gaps(values, compared.low, compared.high, report.draws)
            for (arm, metric), gap in zip(columns, found, strict=True):
                figures = gap.to_dict()
                yield {
                    "arm": arm, "budget": budget, "metric": metric, "by": by,
                    "low_group": compared.low_name, "high_group": compared.high_name, **counts,
                    "gap": {name: figures[name] for name in ("value", "low", "high")},
                }  # fmt: skip


def _comparisons(report: Report) -> Iterator[tuple[str, Comparison, int]]:
    """Yield by what, which groups, and how many users both need."""
    traits = report.traits | (report.basis.traits if report.basis else {})
    for by, trait in traits.items():
        groups = thirds(trait)
        if len(groups) > 1:
            yield by, Comparison(*groups[0], *groups[-1]), 0
    for by, column in report.user_columns.items():
        for compared in column.comparisons():
            yield by, compared, LEAST_USERS


def calibration_rows(report: Report) -> Iterator[Row]:
    """Yield, by rank of interest, mean shares of importance, of the list and of first-time targets.

    Items and targets belong to the nearest of the user's interests, as the evaluation's own settings
    make them, for arms of every kind. Rank 11 holds all interests beyond the tenth.
    """
    for budget in report.budgets:
        for arm in report.arms:
            shares = report.by_rank(arm, budget=budget)
            if np.isfinite(shares).all():
                rows = [
                    {"rank": rank + 1, "importance_share": _told(row[0]), "list_share": _told(row[1])}
                    | {"target_share": _told(row[2])}
                    for rank, row in enumerate(shares[:N_RANKS].tolist())
                ]
                yield {"arm": arm, "budget": budget, "rows": rows}


def knob_rows(report: Report) -> Iterator[Row]:
    """Yield what the settings of a knob do, where two or more were measured.

    At the report's main budget, on first-time items; figures with their intervals, as far as they have one.
    """
    budget = report.main_budget
    there = [setting for setting in SETTINGS if setting.arm in report.arms]
    n_measured = Counter(setting.knob for setting in there)
    for setting in there:
        if n_measured[setting.knob] > 1:
            yield setting._asdict() | {"budget": budget} | _knob_figures(report, setting.arm, budget)


def _knob_figures(report: Report, arm: str, budget: str) -> Row:
    means = {m: report.mean(arm, m, budget=budget).to_dict() for m in KNOB_METRICS}
    exposure = exposure_of(report, arm, budget=budget)
    intervals = intervals_of(exposure, report.exposure_errors(arm, budget=budget))
    for name in ("coverage", "gini", "popularity_lift"):
        low, high = intervals.get(name, (None, None))
        means[name] = {"value": exposure[name], "low": low, "high": high}
    return means


def _told(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None

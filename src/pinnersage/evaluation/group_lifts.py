"""Arms divided by a baseline within groups of users, with paired intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnersage.evaluation.bootstrap import ratio_of, resampled_means, within

if TYPE_CHECKING:
    from pinnersage._arrays import Float64s
    from pinnersage.evaluation.report import Report

GROUP_LIFT_METRICS = ("relevance", "recall")
_PREFERRED = "mean-0.01"


def group_lifts(report: Report, baselines: Sequence[str]) -> list[dict[str, Any]]:
    """Return the lift of every arm over the decayed mean, by group of users; first-time items.

    Parameters
    ----------
    report
        Of all arms.
    baselines
        The first stands in where the decayed mean was not measured; none: no lifts.

    Returns
    -------
    One row per trait or column, group, budget and arm: ``by, group, from, to, n_users, budget, slice, arm,
    over, metrics``.
    """
    base = _PREFERRED if _PREFERRED in report.arms else next(iter(baselines), None)
    if base is None:
        return []
    return [row for budget in report.budgets for row in _rows(report, base, budget)]


def trait_means(report: Report) -> dict[str, float]:
    """Return the users' mean of what they are grouped by: actions, days of history, interests."""
    return {by: round(float(values.mean()), 3) for by, values in report.traits.items() if len(values)}


def _rows(report: Report, base: str, budget: str) -> Iterator[dict[str, Any]]:
    arms = [base, *(arm for arm in report.arms if arm != base)]
    columns = [(arm, metric) for arm in arms for metric in GROUP_LIFT_METRICS]
    values = np.stack([report.values(arm, metric, budget=budget) for arm, metric in columns], axis=1)
    for by in report.grouped_by:
        for group, least, most, users in report.groups(by):
            found = _lifts(*within(values, report.draws, users))
            n_users = int(users.sum())
            who = {"by": by, "group": group, "from": least, "to": most, "n_users": n_users, "budget": budget}
            for i, arm in enumerate(arms[1:], 1):
                metrics = {metric: found[i][m] for m, metric in enumerate(GROUP_LIFT_METRICS)}
                yield who | {"slice": "first_time", "arm": arm, "over": base, "metrics": metrics}


def _lifts(values: Float64s, draws: Float64s) -> list[list[dict[str, Any]]]:
    """Return per arm and metric the mean over the users of a group divided by the first arm's.

    Users count for a metric where every arm has a figure: all lists answer the same targets.
    """
    n_metrics = len(GROUP_LIFT_METRICS)
    table = values.reshape(len(values), -1, n_metrics)
    table = np.where(np.isfinite(table).all(axis=1, keepdims=True), table, np.nan)
    resampled = resampled_means(table.reshape(len(values), -1), draws).reshape(len(draws), -1, n_metrics)
    return [
        [ratio_of(table[:, [i, 0], m], resampled[:, [i, 0], m]).to_dict() for m in range(n_metrics)]
        for i in range(table.shape[1])
    ]

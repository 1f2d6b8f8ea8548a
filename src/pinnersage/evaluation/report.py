"""All arms beside each other: figures with intervals, ratios, groups of users, costs, a verdict."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pinnersage._arrays import Bools, Float64s, Int32s
from pinnersage.errors import NotFoundError
from pinnersage.evaluation.basis import FairnessBasis
from pinnersage.evaluation.bootstrap import (
    Estimate,
    means,
    ratio,
    ratio_of,
    resampled_means,
    resamples,
    within,
)
from pinnersage.evaluation.contexts import MODES
from pinnersage.evaluation.exposure import coverage
from pinnersage.evaluation.fairness import fairness_tables
from pinnersage.evaluation.group_lifts import group_lifts, trait_means
from pinnersage.evaluation.measures import METRICS, SLICES
from pinnersage.evaluation.page.writing import write_page
from pinnersage.evaluation.saved import FORMAT, METRICS_JSON, ArmResult, write_json
from pinnersage.evaluation.settings import main_budget
from pinnersage.evaluation.user_groups import Group, UserColumn, third_groups, users_found

LIFTED_METRICS = ("relevance", "recall", "ndcg", "r_precision", "reciprocal_rank")


@dataclass(frozen=True, repr=False)
class Report:
    """What an evaluation found.

    Attributes
    ----------
    about
        Data, span, budgets, settings, versions, seeds.
    budgets
        Label -> items per list.
    arms
        In the order of the tables.
    traits
        What users are grouped by -> float64 ``(n_users,)``, all from before the first day.
    pool
        bool ``(n_items,)``: items that were in the pool on any day.
    n_resamples, seed
        Of the intervals.
    basis
        What exposure and utility gaps are held against; None: not told.
    quality
        How good the users' interests are as clusters; None: not told.
    user_columns
        What the caller groups users by besides: a column of their own table each, of the users measured.
    """

    about: dict[str, Any]
    budgets: dict[str, int]
    arms: dict[str, ArmResult]
    traits: dict[str, Float64s]
    pool: Bools
    n_resamples: int
    seed: int
    basis: FairnessBasis | None = None
    quality: dict[str, Any] | None = None
    user_columns: dict[str, UserColumn] = field(default_factory=dict)
    _tables: dict[tuple[str, str], tuple[Float64s, Float64s]] = field(default_factory=dict, repr=False)

    @functools.cached_property
    def draws(self) -> Float64s:
        """How often each user is drawn in each resample, float64 ``(n_resamples, n_users)``."""
        n_users = len(next(iter(self.traits.values())))
        return resamples(n_users, self.n_resamples, self.seed)

    @property
    def main_budget(self) -> str:
        """The budget told first; see :func:`~pinnersage.evaluation.settings.main_budget`."""
        return main_budget(self.budgets, int(self.pool.sum()))

    def __repr__(self) -> str:
        n_users = len(next(iter(self.traits.values()), ()))
        return f"Report({n_users:,} users, arms {list(self.arms)}, budgets {self.budgets})"

    def values(self, arm: str, metric: str, *, budget: str, part: str = "first_time") -> Float64s:
        """Return each user's figure, pooled over their days; NaN for those without one.

        Parameters
        ----------
        arm, metric
            Names.
        budget
            Label, for example ``"400"`` or ``"1%"``.
        part
            ``first_time``, ``repeat`` or ``all``.
        """
        at, p = _place("budget", budget, self.budgets), _place("part", part, SLICES)
        sums = self._result(arm).sums[:, at, p, _place("metric", metric, METRICS)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan), np.float64)

    def mean(self, arm: str, metric: str, *, budget: str, part: str = "first_time") -> Estimate:
        """Return the mean over users with its 95 % interval."""
        values, resampled = self._table(budget, part)
        i, m = _place("arm", arm, self.arms), _place("metric", metric, METRICS)
        return means(values[:, i, [m]], self.draws, resampled[:, i, [m]])[0]

    def lift(self, a: str, b: str, metric: str, *, budget: str, part: str = "first_time") -> Estimate:
        """Return mean of ``a`` / mean of ``b`` with its paired 95 % interval."""
        values, resampled = self._table(budget, part)
        at = [(_place("arm", arm, self.arms), _place("metric", metric, METRICS)) for arm in (a, b)]
        pair = np.stack([values[:, i, m] for i, m in at], axis=1)
        there = np.isfinite(pair)
        if (there[:, 0] != there[:, 1]).any():
            return ratio(pair[:, 0], pair[:, 1], self.draws)
        return ratio_of(pair, np.stack([resampled[:, i, m] for i, m in at], axis=1))

    def coverage(self, arm: str, *, budget: str, part: str = "first_time") -> float:
        """Return the share of the pool (of any day) that was recommended to anyone."""
        return coverage(self.exposed(arm, budget=budget, part=part), self.pool)

    def mean_n_listed(self, arm: str, *, budget: str, part: str = "first_time") -> float | None:
        """Return how many items a list holds on average; None where the number of lists is not told."""
        n_lists = self.about.get("measured", {}).get("n_user_days")
        total = int(self.exposed(arm, budget=budget, part=part).sum(dtype=np.int64))
        return round(total / n_lists, 3) if n_lists else None

    def exposed(self, arm: str, *, budget: str, part: str = "first_time") -> Int32s:
        """Return how many lists each item stood in, int32 ``(n_items,)``."""
        found: Int32s = self._result(arm).exposed[_place("budget", budget, self.budgets), _mode(part)]
        return found

    def exposure_errors(self, arm: str, *, budget: str, part: str = "first_time") -> Float64s:
        """Return half of the 95 % interval of each figure of exposure; empty where not told.

        See :func:`~pinnersage.evaluation.exposure_errors.half_widths`.
        """
        found: Float64s = self._result(arm).exposure_errors[
            _place("budget", budget, self.budgets), _mode(part)
        ]
        return found

    def by_rank(self, arm: str, *, budget: str, part: str = "first_time") -> Float64s:
        """Return mean shares of importance, list and targets by rank of interest, ``(N_RANKS, 3)``.

        Over the lists of users who have interests and targets; each column sums to 1. All NaN without.
        """
        sums = self._result(arm).by_rank[_place("budget", budget, self.budgets), _mode(part)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums / sums.sum(axis=0), np.float64)

    @property
    def grouped_by(self) -> list[str]:
        """What :meth:`groups` are there by: traits, and the columns of the caller's own."""
        return [*self.traits, *self.user_columns]

    def groups(self, by: str) -> list[Group]:
        """Return (name, least, most, users) of the thirds by a trait, or of the groups by a column.

        Named groups have no least and most (None).
        """
        if by in self.user_columns:
            return self.user_columns[by].groups()
        if by not in self.traits:
            raise NotFoundError(f"no groups by {by!r} in this report; there are {', '.join(self.grouped_by)}")
        return third_groups(self.traits[by])

    def summary(self, verdict: list[str]) -> dict[str, Any]:
        """Return the part that fits a screen: facts, verdict, figures of all arms, costs."""
        return {
            "format": FORMAT,
            "about": self.about | {"main_budget": self.main_budget} | users_found(self.user_columns),
            "verdict": verdict,
            "results": [
                row for budget in self.budgets for part in SLICES for row in self._rows(budget, part)
            ],
            "costs": {
                name: {"oracle": arm.is_oracle, **arm.cost, "settings": arm.settings}
                for name, arm in self.arms.items()
            },
        }

    def to_dict(
        self, verdict: list[str], baselines: list[str], pairs: Sequence[tuple[str, str]] = ()
    ) -> dict[str, Any]:
        """Return all that ``metrics.json`` holds.

        Parameters
        ----------
        verdict
            Sentences.
        baselines
            Arms that every other arm is divided by.
        pairs
            Two arms each, of which the first is divided by the second on first-time items.
        """
        tables = {
            "lifts": [
                row
                for budget in self.budgets
                for part in SLICES
                for base in baselines
                for row in self._lifts(base, budget, part)
            ],
            "pairs": [self._lift(a, b, budget, "first_time") for budget in self.budgets for a, b in pairs],
            "groups": [
                row
                for budget in self.budgets
                for by in self.grouped_by
                for row in self._group_rows(by, budget)
            ],
            "group_lifts": group_lifts(self, baselines),
            "trait_means": trait_means(self),
        }
        return self.summary(verdict) | tables | fairness_tables(self)

    def write(self, directory: Path, values: dict[str, Any], *, page: bool = True) -> None:
        """Write ``metrics.json``, and ``report.html`` from its values.

        Parameters
        ----------
        directory
            Where to.
        values
            From :meth:`to_dict`.
        page
            Whether to write the page.
        """
        write_json(directory / METRICS_JSON, values)
        if page:
            write_page(directory, values)

    def _table(self, budget: str, part: str) -> tuple[Float64s, Float64s]:
        """Return all figures of all users, ``(n_users, n_arms, n_metrics)``, and their resampled means."""
        if (budget, part) not in self._tables:
            columns = [
                self.values(arm, metric, budget=budget, part=part) for arm in self.arms for metric in METRICS
            ]
            values = np.stack(columns, axis=1)
            resampled = resampled_means(values, self.draws)
            shape = (len(self.arms), len(METRICS))
            self._tables[budget, part] = values.reshape(-1, *shape), resampled.reshape(-1, *shape)
        return self._tables[budget, part]

    def _rows(self, budget: str, part: str) -> list[dict[str, Any]]:
        rows = []
        for name, arm in self.arms.items():
            figures = {m: self.mean(name, m, budget=budget, part=part).to_dict() for m in METRICS}
            figures["coverage"] = {"value": round(self.coverage(name, budget=budget, part=part), 6)}
            rows.append(
                {"arm": name, "oracle": arm.is_oracle, "budget": budget, "n_items": self.budgets[budget]}
                | {"mean_n_listed": self.mean_n_listed(name, budget=budget, part=part)}
                | {"slice": part, "metrics": figures}
            )
        return rows

    def _lifts(self, base: str, budget: str, part: str) -> list[dict[str, Any]]:
        return [self._lift(name, base, budget, part) for name in self.arms if name != base]

    def _lift(self, name: str, base: str, budget: str, part: str) -> dict[str, Any]:
        figures = {
            metric: self.lift(name, base, metric, budget=budget, part=part).to_dict()
            for metric in LIFTED_METRICS
        }
        return {"arm": name, "over": base, "budget": budget, "slice": part, "metrics": figures}

    def _group_rows(self, by: str, budget: str) -> list[dict[str, Any]]:
        rows = []
        for group, least, most, chosen in self.groups(by):
            n_users = int(chosen.sum())
            who = {"by": by, "group": group, "from": least, "to": most, "n_users": n_users, "budget": budget}
            for part in SLICES:
                values = self._table(budget, part)[0].reshape(len(chosen), -1)
                found = iter(means(*within(values, self.draws, chosen)))  # no copy of draws outlives its use
                for name in self.arms:
                    figures = {metric: next(found).to_dict() for metric in METRICS}
                    rows.append(who | {"slice": part, "arm": name, "metrics": figures})
        return rows

    def _result(self, arm: str) -> ArmResult:
        return list(self.arms.values())[_place("arm", arm, self.arms)]


def _place(what: str, name: str, names: Iterable[str]) -> int:
    if name not in (known := list(names)):
        raise NotFoundError(f"no {what} {name!r} in this report; there are {', '.join(known)}")
    return known.index(name)


def _mode(part: str) -> int:
    return MODES.index("first_time" if part == "first_time" else "all")

"""What an evaluation measures, as frozen values."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pinnersage.errors import UsageError

DEFAULT_BUDGETS: tuple[int | float, ...] = (400, 0.01, 0.05)
MIN_RESAMPLES = 20
"""Fewer tell nothing of the ends of a 95 % interval; of one, the interval has no width at all."""


class EvaluationConfig(BaseModel):
    """How arms are measured.

    Attributes
    ----------
    budgets
        Items per list: a whole number from 1 on, or a share of the pool of the first day, below 1.
    relevance_cosine
        A target counts as met from this cosine to a recommended item on.
    n_impressions_per_action
        Items each target is ranked against.
    min_actions
        A user is measured on a day when this many actions are in the window before it.
    n_resamples
        Of the users, for 95 % intervals; 20 at least, and for figures to go by many more.
    seed
        Of draws, impressions and resamples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budgets: tuple[int | float, ...] = DEFAULT_BUDGETS
    relevance_cosine: float = Field(default=0.8, ge=-1, le=1)
    n_impressions_per_action: int = Field(default=20, ge=1)
    min_actions: int = Field(default=1, ge=1)
    n_resamples: int = Field(default=1_000, ge=MIN_RESAMPLES)
    seed: int = Field(default=0, ge=0)

    @field_validator("budgets")
    @classmethod
    def _at_least_one(cls, budgets: tuple[int | float, ...]) -> tuple[int | float, ...]:
        for budget in budgets:
            label(budget)
        if not budgets:
            raise ValueError("expected at least one budget, for example 400 or 0.01")
        return budgets


def label(budget: int | float) -> str:
    """Return how a budget is written in results.

    Raises
    ------
    UsageError
        It is neither a whole number from 1 on nor a share between 0 and 1.

    Examples
    --------
    >>> label(400), label(0.01), label(0.005)
    ('400', '1%', '0.5%')
    """
    if isinstance(budget, int) and budget >= 1:
        return str(budget)
    if isinstance(budget, float) and 0 < budget < 1:
        return f"{100 * budget:g}%"
    raise UsageError(f"expected a budget like 400 (items) or 0.01 (share of the pool), got {budget!r}")


def judged_budgets(budgets: Mapping[str, int], n_pool: int) -> list[str]:
    """Return the budgets that are compared in words: lists of less than half the pool, or all if none is.

    In a list of half the pool or more every arm finds nearly everything.

    Examples
    --------
    >>> judged_budgets({"400": 400, "1%": 6}, 600)
    ['1%']
    """
    small = [label for label, n_items in budgets.items() if 2 * n_items < n_pool]
    return small or list(budgets)


def main_budget(budgets: Mapping[str, int], n_pool: int) -> str:
    """Return the budget told first: of those judged the smallest share of the pool, else the first.

    Examples
    --------
    >>> main_budget({"400": 400, "5%": 100, "1%": 20}, 2_000)
    '1%'
    """
    judged = judged_budgets(budgets, n_pool)
    shares = [budget for budget in judged if budget.endswith("%")]
    return min(shares, key=budgets.__getitem__) if shares else judged[0]


def n_items_of(budget: int | float, n_pool: int) -> int:
    """Return how many items a budget is in a pool.

    Examples
    --------
    >>> n_items_of(0.01, 1_234), n_items_of(400, 60)
    (12, 60)
    """
    n = budget if isinstance(budget, int) else math.floor(budget * n_pool)
    return max(1, min(n, n_pool))

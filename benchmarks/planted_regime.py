"""Properties that act together: combinations of what the worlds of one property at a time have shown to help.

All combinations have users who act seldom and have interests without rests, as they may be where a decay
of 0.01 a day was found best, tight topics and no outliers. What else is combined is tried in worlds of
100,000 items; the combination that shows most orderings is then drawn anew with a million.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

TRIED_SEED, TOLD_SEED = 10, 11
SHARED: dict[str, Any] = {
    "sessions_per_day": 0.15, "lifetime_days": 120.0, "idle_days": 0.0, "outlier_share": 0.0,
    "spread": 0.35, "n_users": 400, "n_crowd": 0,
}  # fmt: skip
CHOICES: dict[str, dict[str, dict[str, Any]]] = {
    "interests at a time": {"3 to 12": {}, "2 to 5": {"n_interests": (2, 5)}},
    "interests in one field": {"30%": {}, "80%": {"sibling_share": 0.8}},
    "largest cost of a merge": {"default": {}, "6": {"limit": 6.0}},
}


def combinations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what to call a combination, and what it changes."""
    for values in itertools.product(*(choices.items() for choices in CHOICES.values())):
        named = zip(CHOICES, values, strict=True)
        changes = {name: value for _, (_, changed) in named for name, value in changed.items()}
        told = ", ".join(f"{what} {value}" for what, (value, _) in zip(CHOICES, values, strict=True))
        yield told, SHARED | changes


def score(facts: dict[str, Any], metric: str = "relevance") -> tuple[int, float]:
    """Return how many orderings a world shows, less those it reverses; then how large they are together."""
    told = [found[metric] for found in facts["ratios"].values()]
    n_shown = sum(low > 1 for _, low, _ in told) - sum(high < 1 for _, _, high in told)
    return n_shown, sum(math.log(value) for value, _, _ in told)

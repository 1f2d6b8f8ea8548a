"""What second stages go by: each feature's share of the gain, from the settings that an arm fitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pinnersage.evaluation.page.summary import Summary


class FeatureGain(NamedTuple):
    """How much of a second stage's gain a feature brings; all of a stage sum to 1."""

    feature: str
    gain: float


class Gains(NamedTuple):
    """Features with a gain of an arm's second stage for first-time or all items, the largest first."""

    arm: str
    slice: str
    features: list[FeatureGain]


def gains_of(summary: Summary) -> list[Gains]:
    """Return the gains of every second stage measured, in the order of the tables."""
    return [
        Gains(arm, part, features)
        for arm in summary.arms
        for part, fitted in _fitted(summary, arm)
        if (features := _features(fitted))
    ]


def _fitted(summary: Summary, arm: str) -> Iterator[tuple[str, Any]]:
    cost = summary.costs.get(arm)
    fitted = cost.settings.get("fitted") if cost else None
    if isinstance(fitted, dict):
        yield from fitted.items()


def _features(fitted: Any) -> list[FeatureGain]:
    """Return what a ranker tells; nothing where something else was fitted."""
    gains = fitted.get("gains") if isinstance(fitted, dict) else None
    if not isinstance(gains, dict):
        return []
    told = [FeatureGain(name, gain) for name, gain in gains.items() if isinstance(gain, float) and gain > 0]
    return sorted(told, key=lambda feature: -feature.gain)

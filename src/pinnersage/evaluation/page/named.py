"""Which dots of a crowded plot bear a name: chosen by rule, so that names do not lie on each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.page.charts_lift import base_of, shown_arms
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.summary import Summary

CROWDED = 14
"""Up to so many dots all have their name and their interval."""

NAMING = (
    " Named, and drawn with 95 % intervals: what is configured, the arms of the lifts below, the best of "
    "each kind, and those that no other beats both ways. The others are small marks, which tell their name "
    "when pointed at. The figures below hold all arms."
)


class Point(NamedTuple):
    """An arm in a plane; ``y`` with its interval."""

    arm: str
    family: str
    x: Figure
    y: Figure


Goodness = Callable[[Point], tuple[float, float]]
"""From a dot to how good it is: first what it is chosen by within its kind, then the other way."""


def named_arms(summary: Summary, points: Sequence[Point], goodness: Goodness) -> set[str]:
    """Return the arms whose dots bear a name: all of them where there are few.

    Parameters
    ----------
    summary
        Whose lifts tell a few arms that were named beforehand.
    points
        Of the plane; with a value each.
    goodness
        More is better in both.
    """
    if len(points) <= CROWDED:
        return {point.arm for point in points}
    base = base_of(summary)
    wanted = {*GROUPS["configured"], *([base, *shown_arms(summary, base)] if base else [])}
    named = {point.arm for point in points if point.arm in wanted}
    for family in {point.family for point in points}:
        own = [point for point in points if point.family == family]
        named.add(max(own, key=goodness).arm)
    return named | {point.arm for point in points if not any(_beats(goodness, q, point) for q in points)}


def _beats(goodness: Goodness, one: Point, other: Point) -> bool:
    """Tell whether one is as good both ways and better in one."""
    pairs = list(zip(goodness(one), goodness(other), strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

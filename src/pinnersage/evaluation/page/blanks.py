"""Why a lift is blank, which is something else than zero, and what to say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.words import metric_name


class Reason(NamedTuple):
    """Why there is no lift: in the plot, in two short lines, and in a sentence below it."""

    drawn: str
    told: str


NOBODY = Reason("nobody acts on\nanything new", "none of its users acts on an item new to them")
NOTHING = Reason("the baseline\nfinds nothing", "{base} finds nothing there, so nothing can be divided by it")
MISSING = Reason("not\nmeasured", "it was not measured there")
ZERO = "An open mark on the lower edge: the arm finds nothing there, its lift is 0."

Blanks = Mapping[str, Mapping[str, Reason]]
"""Metric -> group without any lift -> why."""


def reason_of(lifts: Iterable[Figure], of_base: Figure) -> Reason | None:
    """Return why a group has no lift at all; None where an arm has one.

    Parameters
    ----------
    lifts
        Of the arms, in one group.
    of_base
        The baseline's own figure in it.
    """
    if any(lift.value is not None for lift in lifts):
        return None
    if of_base.value is None:
        return NOBODY if of_base.n_users == 0 else MISSING
    return NOTHING if of_base.value == 0 else MISSING


def blanks_told(blanks: Blanks, groups: Mapping[str, str], base: str) -> str:
    """Return which groups are blank and why, as sentences; empty where none is.

    Parameters
    ----------
    blanks
        By metric.
    groups
        Group -> its name in words.
    base
        What lifts are over.
    """
    places: dict[tuple[Reason, str], list[str]] = {}
    for metric, reasons in blanks.items():
        for why in dict.fromkeys(reasons.values()):
            names = " and ".join(groups[group] for group, own in reasons.items() if own == why)
            places.setdefault((why, names), []).append(metric_name(metric))
    told = [
        f"{' and '.join(metrics)} of {names}: {why.told.format(base=base)}."
        for (why, names), metrics in places.items()
    ]
    return " ".join(["Blank, which does not mean zero:", *told]) if told else ""

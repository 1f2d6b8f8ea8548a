"""Arms of one kind have one colour and one mark, in every table and plot."""

from __future__ import annotations

from typing import NamedTuple

from pinnersage.evaluation.page.summary import Cost


class Family(NamedTuple):
    """Arms of one kind.

    Attributes
    ----------
    name
        For people.
    sign
        Stands before an arm's name.
    marker
        The same sign, as matplotlib calls it.
    color
        On a light ground, told apart by the colour-blind (after Okabe and Ito); the style sheet has
        the colour on a dark one.
    """

    name: str
    sign: str
    marker: str
    color: str


FAMILIES: dict[str, Family] = {
    "one-vector": Family("One vector", "■", "s", "#c65102"),
    "popularity": Family("Popularity", "▲", "^", "#a8508c"),
    "pinnersage": Family("PinnerSage", "●", "o", "#0068ad"),
    "second-stage": Family("Second stage", "◆", "D", "#00815d"),
    "trained": Family("Trained", "✚", "P", "#946a00"),
    "oracle": Family("Oracle (sees the targets)", "✖", "X", "#737b85"),
    "other": Family("Other", "▼", "v", "#43505c"),
}
_KINDS = {
    "LastItem": "one-vector",
    "DecayedMean": "one-vector",
    "Popular": "popularity",
    "PopularInCategory": "popularity",
    "Interests": "pinnersage",
    "MatchedInterests": "pinnersage",
    "Balanced": "pinnersage",
    "Spread": "pinnersage",
    "ServedInterests": "pinnersage",
    "Ranked": "second-stage",
    "ServedRanked": "second-stage",
    "EaseArm": "trained",
    "ItemItemArm": "trained",
    "AlsArm": "trained",
    "SequenceArm": "trained",
    "TunedArm": "trained",
}


def family_of(cost: Cost | None) -> str:
    """Return the family of an arm, by the kind that its settings name."""
    if cost is None:
        return "other"
    return "oracle" if cost.oracle else _KINDS.get(str(cost.settings.get("kind")), "other")

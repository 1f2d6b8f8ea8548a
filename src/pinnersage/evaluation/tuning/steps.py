"""What the races of a search decided, and how each option came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pinnersage.evaluation.bootstrap import Estimate


@dataclass(frozen=True)
class Tried:
    """One option of a group, as it came out.

    Attributes
    ----------
    values
        What was set.
    mean
        Of the metric, over the users it was asked about; NaN where it could not be asked.
    gain
        Over what stood then, on the same users; None of what stood then itself.
    n_users
        Asked; fewer than all where it dropped out.
    problem
        Why it could not be asked.
    at_once
        The gain with an interval that holds for all that stayed in the race at once; None where it did not.
    """

    values: dict[str, Any]
    mean: float
    gain: Estimate | None
    n_users: int
    problem: str | None = None
    at_once: Estimate | None = None


@dataclass(frozen=True)
class Step:
    """What one race decided.

    Attributes
    ----------
    group
        Its name.
    before, after
        Values of the group's keys.
    gain
        Of the best other option over what stood; its interval holds for all that stayed in
        the race at once.
    why
        In words.
    tried
        All options, what stood first.
    """

    group: str
    before: dict[str, Any]
    after: dict[str, Any]
    gain: Estimate | None
    why: str
    tried: tuple[Tried, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was changed."""
        return self.before != self.after

"""What a verification found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pinnersage._ids import UserId
from pinnersage.interests.record import UserRecord

MAX_EXAMPLES = 10


@dataclass(slots=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    n_users
        Records looked at.
    n_journal_actions
        Actions of the journal that were looked for.
    n_behind
        Journal entries that were not in the records: a killed writer or a rollback left them so. They were
        folded in when the model was opened, or right before the comparison.
    n_not_in_model
        Users of the tables given of whom the model holds nothing: erased since, or new in these tables.
        No fault.
    n_waiting_for_build
        Users of whom items were taken out, or actions taken back, at the most actions that count: older ones
        count in their place, which only the log of the build has, and so the next build. No fault. Only the
        tables tell.
    differences
        Reason -> number of records it concerns.
    examples
        The first few records that differ, as ``{"user_id", "reason"}``.
    """

    n_users: int = 0
    n_journal_actions: int = 0
    n_behind: int = 0
    n_not_in_model: int = 0
    n_waiting_for_build: int = 0
    differences: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    _differing: set[UserId] = field(default_factory=set, repr=False)

    @property
    def n_differing(self) -> int:
        """Number of records that differ; 0 is what is expected."""
        return len(self._differing)

    def note(self, user_id: UserId, reasons: Sequence[str]) -> None:
        """Count what differs about a user."""
        for reason in reasons:
            self.differences[reason] = self.differences.get(reason, 0) + 1
        if reasons and user_id not in self._differing and len(self.examples) < MAX_EXAMPLES:
            self.examples.append({"user_id": user_id, "reason": ", ".join(reasons)})
        if reasons:
            self._differing.add(user_id)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "ok": self.n_differing == 0,
            "n_users": self.n_users,
            "n_journal_actions": self.n_journal_actions,
            "n_behind": self.n_behind,
            "n_not_in_model": self.n_not_in_model,
            "n_waiting_for_build": self.n_waiting_for_build,
            "n_differing": self.n_differing,
            "differences": dict(self.differences),
            "examples": list(self.examples),
        }


def differing(a: UserRecord, b: UserRecord) -> list[str]:
    """Return the names of the parts in which two records differ, bit for bit; ``untied`` is none."""
    return [
        name
        for name in UserRecord.__dataclass_fields__
        if name != "untied"
        and np.asarray(getattr(a, name)).tobytes() != np.asarray(getattr(b, name)).tobytes()
    ]

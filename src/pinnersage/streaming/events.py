"""One new action, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pinnersage._ids import ItemId, UserId

Status = Literal["accepted", "duplicate", "parked", "rejected"]


@dataclass(frozen=True, slots=True)
class NewAction:
    """An action as a caller gives it."""

    user_id: UserId
    item_id: ItemId
    time_ms: int
    kind: str = ""
    weight: float = 1.0
    event_id: str | int | None = None
    retract: bool = False


class Outcome(NamedTuple):
    """What became of an action."""

    status: Status
    reason: str | None = None

"""What comes in one at a time: an action, or one taken back; and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pinnersage._ids import ItemId, UserId

MAX_AHEAD_S = 600.0
"""Actions further ahead of this machine's clock are in the future: one of them would move "now"."""

FIRST_MS = 315_532_800_000
"""1980: a time before it, in milliseconds, is one of our days in seconds."""

Status = Literal["accepted", "duplicate", "parked", "rejected"]


@dataclass(frozen=True, slots=True)
class NewAction:
    """One action as it arrives, with external ids.

    Attributes
    ----------
    user_id, item_id
        Text or 64-bit integers, as in the model's tables.
    time_ms
        When it happened, milliseconds since 1970 in UTC.
    kind
        The column ``action``; empty for none.
    weight
        Finite, >= 0.
    event_id
        Two actions of a user with the same id are the same action, whatever else differs.
    retract
        Take the action back: the one with this ``event_id``, or without one the one equal in all
        other columns. What has been taken back never counts again, also if it arrives later.
    """

    user_id: UserId
    item_id: ItemId
    time_ms: int
    kind: str = ""
    weight: float = 1.0
    event_id: str | int | None = None
    retract: bool = False


class Outcome(NamedTuple):
    """What became of one action.

    Attributes
    ----------
    status
        ``accepted``: on the disk and in the user's record. ``duplicate``: known before; of two that
        differ under one event id one counts, the same in whatever order they come. ``parked``: on the
        disk, applied once its item appears. ``rejected``: nothing kept.
    reason
        Why it was rejected, or parked; or from when on an accepted one counts, where that is not now, or
        why it never does: a word, or the field it is about, a colon, and a word or a sentence.
    """

    status: Status
    reason: str | None = None


ACCEPTED = Outcome("accepted")
DUPLICATE = Outcome("duplicate")
TAKEN_BACK = Outcome(
    "accepted", "taken_back: it was taken back, here or in the build's log, and does not count"
)
TOO_MANY_PARKED = Outcome("rejected", "item_id: too_many_parked")
"""For now: there is room again once items come."""

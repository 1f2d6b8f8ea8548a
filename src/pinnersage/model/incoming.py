"""What arrives from outside, checked one by one: an entry for the journal, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from pinnersage._ids import ItemId, UserId
from pinnersage.errors import UsageError, UserNotFoundError
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.entries import ActionEntry, action_entry
from pinnersage.streaming.events import FIRST_MS, NewAction, Outcome
from pinnersage.streaming.kinds import MAX_KINDS

MAX_ID_BYTES = 1_024
MAX_KIND_BYTES = 256
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def incoming(
    opened: OpenedGeneration,
    actions: Sequence[NewAction],
    known_kinds: Iterable[str],
    received_ms: int,
    max_ahead_ms: int,
) -> list[ActionEntry | Outcome]:
    """Return, for each action, what goes into the journal, or the outcome ``rejected`` with its reason.

    Integers and floats of numpy are taken for Python's.

    Parameters
    ----------
    known_kinds
        The values of the column ``action`` so far.
    received_ms
        Time of the call.
    max_ahead_ms
        Actions further ahead of that are in the future.

    Raises
    ------
    UsageError
        A single action, not a list of them.
    """
    if isinstance(actions, NewAction):
        raise UsageError("actions: expected a list of NewAction, got a single one: put it in a list")
    kinds = set(known_kinds)
    # Of a log that is all before 1980 nobody can tell.
    times_ms = (FIRST_MS if opened.now_ms >= FIRST_MS else 0, received_ms + max_ahead_ms)
    return [_checked(opened, action, received_ms, times_ms, kinds) for action in actions]


def outcomes_of(checked: Iterable[ActionEntry | Outcome], found: Iterable[Outcome]) -> list[Outcome]:
    """Return an outcome for each action: those refused at once, and in their order those of the entries."""
    left = iter(found)
    return [next(left) if isinstance(one, ActionEntry) else one for one in checked]


def _checked(
    opened: OpenedGeneration,
    action: NewAction,
    received_ms: int,
    times_ms: tuple[int, int],
    kinds: set[str],
) -> ActionEntry | Outcome:
    reason = _fault(action, times_ms, kinds)
    if reason is not None:
        if not isinstance(action, NewAction):
            return Outcome("rejected", reason)
        action = _plain(action)
        reason = _fault(action, times_ms, kinds)
    if reason is not None:
        return Outcome("rejected", reason)
    try:
        user_id = opened.user_of(action.user_id)
    except UserNotFoundError:
        return Outcome("rejected", "user_id: expected an integer, as in the model's log")
    if not action.retract:
        kinds.add(action.kind)
    item_id = opened.items.vocabulary.as_own(action.item_id)
    return action_entry(action, received_ms, user_id=user_id, item_id=item_id)


def _fault(action: NewAction, times_ms: tuple[int, int], kinds: set[str]) -> str | None:
    """Return what is wrong with an action, None if nothing is."""
    if not isinstance(action, NewAction):
        return f"action: expected a NewAction, got {type(action).__name__}"
    if not isinstance(action.retract, bool):
        return "retract: expected True or False"
    return (
        id_fault("user_id", action.user_id)
        or id_fault("item_id", action.item_id)
        or (None if _is_none(action.event_id) else id_fault("event_id", action.event_id))
        or _time_fault(action, *times_ms)
        or _weight_fault(action.weight)
        or _kind_fault(action, kinds)
    )


def _is_none(event_id: str | int | None) -> bool:
    return event_id is None or (isinstance(event_id, str) and not event_id)


def _plain(action: NewAction) -> NewAction:
    """Return an action with Python's numbers in the place of numpy's."""
    values = {name: getattr(action, name) for name in NewAction.__slots__}
    return replace(action, **{n: v.item() for n, v in values.items() if isinstance(v, (np.number, np.bool_))})


def id_fault(name: str, value: UserId | ItemId | None) -> str | None:
    """Return what is wrong with an id, None if nothing is."""
    if type(value) is str and value.isascii() and 0 < len(value) <= MAX_ID_BYTES:
        return None  # Nearly all of them.
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return f"{name}: expected text or an integer"
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else f"{name}: expected an integer of 64 bits"
    if not value:
        return f"{name}: expected an id, got an empty one"
    try:
        n_bytes = len(value.encode())
    except UnicodeEncodeError:
        return f"{name}: holds half a surrogate pair, which UTF-8 cannot"
    return None if n_bytes <= MAX_ID_BYTES else f"{name}: longer than {MAX_ID_BYTES:,} bytes"


def _time_fault(action: NewAction, first_ms: int, last_ms: int) -> str | None:
    time_ms = action.time_ms
    if isinstance(time_ms, bool) or not isinstance(time_ms, int):
        return f"timestamp: expected integer milliseconds since 1970, got {type(time_ms).__name__}"
    if time_ms < 0:
        return "timestamp: time_before_1970"
    if time_ms < first_ms and not action.retract:  # Whoever took such a time in before may take it back.
        return "timestamp: time_before_1980: expected milliseconds, are these seconds?"
    return "timestamp: time_in_future" if time_ms > last_ms else None


def _weight_fault(weight: float) -> str | None:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        return f"weight: expected a number, got {type(weight).__name__}"
    if not -_FLOAT32_MAX <= weight <= _FLOAT32_MAX:  # Not a number is neither.
        return "weight: weight_not_finite"
    return "weight: weight_negative" if weight < 0 else None


def _kind_fault(action: NewAction, kinds: set[str]) -> str | None:
    if not isinstance(action.kind, str):
        return f"action: expected text, got {type(action.kind).__name__}"
    try:
        if len(action.kind.encode()) > MAX_KIND_BYTES or "\x00" in action.kind:
            return f"action: expected at most {MAX_KIND_BYTES} bytes without a zero byte"
    except UnicodeEncodeError:
        return "action: holds half a surrogate pair, which UTF-8 cannot"
    if action.retract or action.kind in kinds or len(kinds) < MAX_KINDS:
        return None
    return f"action: a model has at most {MAX_KINDS} kinds of action"

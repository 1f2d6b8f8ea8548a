"""What arrives from outside, checked one by one: an entry for the journal, or why there is none."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pinnersage._ids import ItemId, UserId
from pinnersage.errors import UsageError, UserNotFoundError
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.entries import EMBEDDING_VERSION, ActionEntry, action_entry
from pinnersage.streaming.events import NewAction, Outcome
from pinnersage.streaming.kinds import MAX_KINDS

MAX_ID_BYTES = 1_024
MAX_KIND_BYTES = 256
MAX_ATTRIBUTES_BYTES = 65_536
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def incoming(
    opened: OpenedGeneration,
    actions: Sequence[NewAction],
    known_kinds: Iterable[str],
    received_ms: int,
    max_ahead_ms: int,
) -> list[ActionEntry | Outcome]:
    """Return, for each action, what goes into the journal, or the outcome ``rejected`` with its reason.

    Parameters
    ----------
    known_kinds
        The values of the column ``action`` so far.
    received_ms
        Time of the call.
    max_ahead_ms
        Actions further ahead of that are in the future.
    """
    kinds = set(known_kinds)
    return [_checked(opened, action, received_ms, max_ahead_ms, kinds) for action in actions]


def _checked(
    opened: OpenedGeneration, action: NewAction, received_ms: int, max_ahead_ms: int, kinds: set[str]
) -> ActionEntry | Outcome:
    reason = (
        id_fault("user_id", action.user_id)
        or id_fault("item_id", action.item_id)
        or (id_fault("event_id", action.event_id) if action.event_id not in (None, "") else None)
        or _time_fault(action.time_ms, received_ms + max_ahead_ms)
        or _weight_fault(action.weight)
        or _kind_fault(action, kinds)
    )
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


def attributes_fault(attributes: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the attributes of an item, None if nothing is."""
    try:
        n_bytes = {name: len(json.dumps(value)) for name, value in attributes.items()}
    except (TypeError, ValueError, RecursionError) as error:
        return f"attributes: expected values that JSON can hold, {error}"
    total, largest = sum(n_bytes.values()), max(n_bytes, key=n_bytes.__getitem__, default="")
    if total <= MAX_ATTRIBUTES_BYTES:
        return None
    return (
        f"attributes: expected at most {MAX_ATTRIBUTES_BYTES:,} bytes of JSON for all of an item, "
        f"got {total:,}; {largest[:100]!r} is the largest with {n_bytes[largest]:,}, shorten it"
    )


def with_version(opened: OpenedGeneration, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an item, the name of the model's embeddings among them, if they have one.

    Raises
    ------
    UsageError
        The embedding is said to be of another version.
    """
    version = opened.config.imports.embedding_version
    given = attributes.get(EMBEDDING_VERSION, version)
    if given != version:
        own = "no name for its embeddings" if version is None else repr(version)
        raise UsageError(
            f"{EMBEDDING_VERSION}: the model has {own}, got {given!r}; build it anew with embeddings of that "
            "version first (--embedding-version)"
        )
    rest = {name: value for name, value in attributes.items() if name != EMBEDDING_VERSION}
    return rest if version is None else rest | {EMBEDDING_VERSION: version}


def _time_fault(time_ms: int, last_ms: int) -> str | None:
    if time_ms < 0:
        return "timestamp: time_before_1970"
    return "timestamp: time_in_future" if time_ms > last_ms else None


def _weight_fault(weight: float) -> str | None:
    if not math.isfinite(weight) or weight > _FLOAT32_MAX:
        return "weight: weight_not_finite"
    return "weight: weight_negative" if weight < 0 else None


def _kind_fault(action: NewAction, kinds: set[str]) -> str | None:
    try:
        if len(action.kind.encode()) > MAX_KIND_BYTES or "\x00" in action.kind:
            return f"action: expected at most {MAX_KIND_BYTES} bytes without a zero byte"
    except UnicodeEncodeError:
        return "action: holds half a surrogate pair, which UTF-8 cannot"
    if action.retract or action.kind in kinds or len(kinds) < MAX_KINDS:
        return None
    return f"action: a model has at most {MAX_KINDS} kinds of action"

"""What a store remembers of the events in its records: the moment, the kinds of action, the watermark."""

from __future__ import annotations

import json
import logging

from pinnersage._ids import UserId
from pinnersage._times import rfc3339
from pinnersage.interests.record import UserRecord
from pinnersage.store.base import InterestStore

NOW_META = "now_ms"
KINDS_META = "kinds"
APPLIED_META = "applied"
_log = logging.getLogger(__name__)


def store_state(store: InterestStore, built_ms: int, built_kinds: list[str]) -> tuple[int, list[str], int]:
    """Return :func:`store_now_ms`, :func:`store_kinds` and :func:`store_applied`, all of one moment."""
    now, kinds, applied = store.get_metas((NOW_META, KINDS_META, APPLIED_META))
    return _now_ms(now, built_ms), _kinds(kinds, built_kinds), 0 if applied is None else int(applied)


def record_and_state(
    store: InterestStore, user_id: UserId, built_ms: int, built_kinds: list[str]
) -> tuple[UserRecord | None, int, list[str], int]:
    """Return a user's record with what :func:`store_state` returns of its store, read at once."""
    record, (now, kinds, applied) = store.get_with_meta(user_id, (NOW_META, KINDS_META, APPLIED_META))
    return record, _now_ms(now, built_ms), _kinds(kinds, built_kinds), 0 if applied is None else int(applied)


def store_now_ms(store: InterestStore, built_ms: int) -> int:
    """Return the moment the store's interests refer to: the build's, or a later action's."""
    return _now_ms(store.get_meta(NOW_META), built_ms)


def store_kinds(store: InterestStore, built: list[str]) -> list[str]:
    """Return the vocabulary of action kinds, those that came later at its end."""
    return _kinds(store.get_meta(KINDS_META), built)


def store_applied(store: InterestStore) -> int:
    """Return the watermark: the last journal entry in the records, 0 for none."""
    value = store.get_meta(APPLIED_META)
    return 0 if value is None else int(value)


def _now_ms(value: bytes | None, built_ms: int) -> int:
    return built_ms if value is None else int(value)


def _kinds(value: bytes | None, built: list[str]) -> list[str]:
    if value is None:
        return built
    kinds: list[str] = json.loads(value)
    return kinds


def warn_of_a_leap(before_ms: int, now_ms: int, window_ms: int) -> None:
    """Log it when "now", the time of the newest action, leaves the whole window before it behind.

    That is right for who acted since, and empties all others: on old data, one action of today does.
    """
    if now_ms - before_ms >= window_ms:
        _log.warning(
            "the newest action was of %s and is now of %s: all of the window before has passed, so whoever "
            "has not acted since has no interests",
            rfc3339(before_ms), rfc3339(now_ms),
        )  # fmt: skip

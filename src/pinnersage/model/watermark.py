"""What a store remembers of the events in its records: the moment, the kinds of action, the watermark."""

from __future__ import annotations

from pinnersage.store.base import InterestStore

NOW_META = "now_ms"
KINDS_META = "kinds"
APPLIED_META = "applied"
SEPARATOR = "\x00"


def store_state(store: InterestStore, built_ms: int, built_kinds: list[str]) -> tuple[int, list[str], int]:
    """Return :func:`store_now_ms`, :func:`store_kinds` and :func:`store_applied`, all of one moment."""
    now_ms, kinds, applied = store.get_metas((NOW_META, KINDS_META, APPLIED_META))
    return (
        built_ms if now_ms is None else int(now_ms),
        built_kinds if kinds is None else kinds.decode().split(SEPARATOR),
        0 if applied is None else int(applied),
    )


def store_now_ms(store: InterestStore, built_ms: int) -> int:
    """Return the moment the store's interests refer to: the build's, or a later action's."""
    value = store.get_meta(NOW_META)
    return built_ms if value is None else int(value)


def store_kinds(store: InterestStore, built: list[str]) -> list[str]:
    """Return the vocabulary of action kinds, those that came later at its end."""
    value = store.get_meta(KINDS_META)
    return built if value is None else value.decode().split(SEPARATOR)


def store_applied(store: InterestStore) -> int:
    """Return the watermark: the last journal entry in the records, 0 for none."""
    value = store.get_meta(APPLIED_META)
    return 0 if value is None else int(value)

"""Which of some new actions came before: the journal tells what the records do not.

In each function ``look_back`` says how many newest entries of a user are looked at; None: all.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

from pinnersage._ids import UserId
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.folding import Known
from pinnersage.streaming.journal import Journal

NEWEST_LOOKED_AT = 1_000
"""Of a user whose actions come one by one: it bounds what one of them costs."""


def in_journal(
    journal: Journal, entries: Sequence[ActionEntry], repeats: Set[int], look_back: int | None
) -> set[int]:
    """Return which of the repeats the newest entries hold already; the others the journal must take.

    What only the records have came from the log of a build: the log of the next may not hold it.
    """
    held: dict[UserId, set[ActionEntry]] = {}
    for user_id in {entries[position].user_id for position in repeats}:
        own = journal.of_user(user_id, newest=look_back)
        held[user_id] = {replace(entry, user_id=user_id, received_ms=0) for _, entry in own}
    found = set()
    for position, entry in enumerate(entries):
        if entry.user_id in held:
            timeless = replace(entry, received_ms=0)
            if position in repeats and timeless in held[entry.user_id]:
                found.add(position)
            held[entry.user_id].add(timeless)
    return found


def not_in_records(
    opened: OpenedGeneration, entries: Sequence[ActionEntry], known: Known, now_ms: int
) -> list[int]:
    """Return the positions of entries of which a record does not tell whether it knew them before.

    That are all in mode ``recent``, and otherwise those older than the window or beyond the cap.
    """
    if opened.config.online.online == "recent":
        return list(range(len(entries)))
    config = opened.config.interests
    full = {user_id: r for user_id, r in known.records.items() if r.n_actions >= config.max_actions}
    return [
        i
        for i, entry in enumerate(entries)
        if entry.time_ms <= now_ms - config.window_ms
        or (entry.user_id in full and entry.time_ms <= full[entry.user_id].times_ms[0])
    ]


def repeated_in(
    journal: Journal, entries: Sequence[ActionEntry], positions: Sequence[int], look_back: int | None
) -> set[int]:
    """Return which of the positions hold an action that the newest entries have, or one before them."""
    held: dict[UserId, set[tuple[Any, ...]]] = {}
    found = set()
    for position in positions:
        entry = entries[position]
        if entry.user_id not in held:
            own = journal.of_user(entry.user_id, newest=look_back)
            held[entry.user_id] = {(old.retract, *old.identity) for _, old in own}
        identity = (entry.retract, *entry.identity)
        if identity in held[entry.user_id]:
            found.add(position)
        held[entry.user_id].add(identity)
    return found

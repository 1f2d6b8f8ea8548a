"""Removing a user from every generation of a model, down to the freed pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pinnersage._ids import UserId
from pinnersage.errors import UserNotFoundError
from pinnersage.model.building import STORE
from pinnersage.store.lmdb import LmdbStore
from pinnersage.streaming.journal import Forgotten, Journal


def erase_everywhere(
    generations: list[Path], user_id: UserId, journal: Journal | None = None
) -> dict[str, Any]:
    """Delete a user's record from every generation and from the journal, and compact both.

    Every store is compacted, also one without the record: an erasure killed between the two steps is
    completed by asking again.

    Returns
    -------
    receipt
        What was removed, per generation, and from the journal.

    Raises
    ------
    UserNotFoundError
        No generation holds the user.
    """
    removed = []
    for generation in generations:
        with LmdbStore(generation / STORE, create=False) as store:
            record = store.get(user_id)
            store.delete(user_id)
            store.compact()
        if record is not None:
            removed.append(
                {
                    "generation": generation.name,
                    "n_actions": record.n_actions,
                    "n_interests": record.n_interests,
                    "n_seen_items": len(record.seen_rows),
                }
            )
    forgotten = Forgotten(0, 0)
    if journal is not None:
        forgotten = journal.forget(user_id)
        journal.compact()
    if not removed and not any(forgotten):
        raise UserNotFoundError(
            "erase: expected a user of the model, no generation holds a record; "
            "check the id (what an earlier, interrupted erasure left has been removed now)"
        )
    return {
        "user_id": user_id,
        "erased": True,
        "removed": removed,
        "journal": forgotten._asdict(),
        "compacted": True,
    }

"""Removing a user from every generation of a model, down to the freed pages."""

from __future__ import annotations

from typing import Any

from pinnersage._ids import UserId, exact_integer
from pinnersage.errors import UserNotFoundError
from pinnersage.model.building import STORE
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.lmdb import LmdbStore
from pinnersage.streaming.journal import Journal


def erase_everywhere(directory: GenerationDirectory, user_id: UserId, journal: Journal) -> dict[str, Any]:
    """Delete a user's record from every generation and from the journal, and compact both.

    Every store is compacted, also one without the record: an erasure killed between the two steps is
    completed by asking again. What a killed build left is removed as well; one that is running is told
    by the journal, and lands without the user.

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
    for generation in directory.list():
        with LmdbStore(generation / STORE, create=False) as store:
            records = [store.get(own) for own in _spellings(user_id)]
            for own in _spellings(user_id):
                store.delete(own)
            store.compact()
        removed += [
            {
                "generation": generation.name,
                "n_actions": record.n_actions,
                "n_interests": record.n_interests,
                "n_seen_items": len(record.seen_rows),
            }
            for record in records
            if record is not None
        ]
    forgotten = journal.forget(user_id)
    if directory.remove_leftovers():
        journal.forget_erasures()
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


def _spellings(user_id: UserId) -> list[UserId]:
    """Return an id as text and as the integer it may be: the logs of two generations may differ in that."""
    number = exact_integer(user_id)
    return [str(user_id)] if number is None else [str(user_id), number]

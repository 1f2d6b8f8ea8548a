"""Removing a user from every generation of a model, down to the freed pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from pinnersage._ids import UserId, exact_integer
from pinnersage.errors import UserNotFoundError
from pinnersage.model.building import STORE
from pinnersage.model.home import journal_path
from pinnersage.model.taken_back import taken_back_in
from pinnersage.store._durable import write_whole
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.lmdb import LmdbStore
from pinnersage.streaming.journal import Journal

ERASING = ".erasing"
"""In the journal's directory while an erasure is at work; empty, for it may not name the user."""


def erase_everywhere(directory: GenerationDirectory, user_id: UserId, journal: Journal) -> dict[str, Any]:
    """Delete a user's record from every generation and from the journal, and compact both.

    Where nothing is held of the user, nothing is rewritten. An erasure that is killed leaves a mark, by
    which :func:`finish_erasure` knows that records and the pages they leave are still to be removed. What a
    killed build left is removed as well; a build that is running is told by the journal, and lands without
    the user.

    Returns
    -------
    receipt
        What was removed, per generation, and from the journal.

    Raises
    ------
    UserNotFoundError
        Nothing is held of the user.
    """
    removed = _held(directory, user_id)
    if removed or journal.of_user(user_id, newest=1) or journal.preferences(user_id):
        write_whole(_mark(directory), b"")
    # From here on the journal remembers the erasure, and whoever opens the model next can finish it.
    forgotten = journal.forget(user_id)
    for generation in directory.list() if removed else ():
        _delete(generation, [user_id])
    if directory.remove_leftovers():
        journal.forget_erasures()
    finish_erasure(directory, journal)
    if not removed and not any(forgotten):
        raise UserNotFoundError(
            "erase: nothing is held of such a user, in no generation and not in the journal; check the id"
        )
    return {
        "user_id": user_id,
        "erased": True,
        "removed": removed,
        "journal": forgotten._asdict(),
        "compacted": True,
    }


def finish_erasure(directory: GenerationDirectory, journal: Journal) -> None:
    """Bring an erasure that has begun and not ended to its end: records, and the pages they leave."""
    mark = _mark(directory)
    if not mark.exists():
        return
    for generation in directory.list():
        with LmdbStore(generation / STORE, create=False) as store, taken_back_in(generation) as log:
            known = chain(store.user_ids(), log.user_ids() if log is not None else ())
            _delete(generation, _not_back(known, journal))
            store.compact()
            if log is not None:
                log.compact()
    journal.compact()
    mark.unlink()


def erase_before(directory: GenerationDirectory, user_ids: Iterable[UserId], journal: Journal) -> None:
    """Delete what an erasure that was killed left of users, before they act again.

    Later it could not be told from what they did since. The pages go when the erasure is finished.
    """
    if not has_unfinished_erasure(directory):
        return
    erased = _not_back(dict.fromkeys(user_ids), journal)
    for generation in directory.list() if erased else ():
        _delete(generation, erased)


def has_unfinished_erasure(directory: GenerationDirectory) -> bool:
    """Tell whether :func:`finish_erasure` has something to do."""
    return _mark(directory).exists()


def _not_back(user_ids: Iterable[UserId], journal: Journal) -> list[UserId]:
    """Return those who were erased and have not acted since."""
    return [user_id for user_id in journal.erased_of(user_ids) if not journal.of_user(user_id, newest=1)]


def _mark(directory: GenerationDirectory) -> Path:
    return _mark_in(directory.path)


@cache
def _mark_in(home: Path) -> Path:
    return journal_path(home) / ERASING


def _held(directory: GenerationDirectory, user_id: UserId) -> list[dict[str, Any]]:
    """Return what the generations hold of a user."""
    held = []
    for generation in directory.list():
        with LmdbStore(generation / STORE, create=False) as store, taken_back_in(generation) as log:
            records = [record for own in _spellings(user_id) if (record := store.get(own)) is not None]
            n_back = 0 if log is None else len(log.of_user(user_id))
        if records or n_back:
            held.append(
                {
                    "generation": generation.name,
                    "n_actions": sum(record.n_actions for record in records),
                    "n_interests": sum(record.n_interests for record in records),
                    "n_seen_items": sum(len(record.seen_rows) for record in records),
                    "n_log_retractions": n_back,
                }
            )
    return held


def _delete(generation: Path, user_ids: Sequence[UserId]) -> None:
    """Delete users' records, however their ids are spelled, and what the log takes back of them."""
    with LmdbStore(generation / STORE, create=False) as store, taken_back_in(generation) as log:
        for own in [own for user_id in user_ids for own in _spellings(user_id)]:
            store.delete(own)
        if log is not None:
            log.forget(user_ids)


def _spellings(user_id: UserId) -> list[UserId]:
    """Return an id as text and as the integer it may be: the logs of two generations may differ in that."""
    number = exact_integer(user_id)
    return [str(user_id)] if number is None else [str(user_id), number]

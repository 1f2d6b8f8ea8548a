"""Is what is served what a batch would build? The journal replayed against every record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pinnersage._ids import UserId
from pinnersage._tables.engine import Progress
from pinnersage.interests.extend import nothing_new
from pinnersage.interests.record import UserRecord
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.turns import Turn, in_turns
from pinnersage.model.verification import Verification, differing
from pinnersage.model.watermark import store_applied
from pinnersage.model.writing import of_this_log
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.extending import extended
from pinnersage.streaming.journal import Journal
from pinnersage.streaming.kinds import codes_of
from pinnersage.streaming.rows import as_rows, marked, order_of, order_of_first

_USERS_PER_REPORT = 1_000


def verify_against_journal(
    turn: Turn, journal: Journal, progress: Progress | None = None
) -> Verification | None:
    """Check every record against the journal and against a batch over the record's own actions.

    Every user with an action in the journal must have a record. Every action of the journal must be in its
    user's record exactly once, or among what was seen when it is older than the window, or than all that
    are in a record that holds as many as count; what was taken back must not. Clusters, medoids and
    importances must be, bit for bit, those a batch builds of the record's actions.

    Others write meanwhile: each user is looked at in a moment of their own, with all that was acknowledged
    until then.

    Returns
    -------
    None when a generation landed meanwhile: verify that one.
    """
    found = Verification()
    with turn() as opened:
        applied, n_users = store_applied(opened.store), len(opened.store)

    def check(opened: OpenedGeneration, user_id: UserId) -> None:
        record = opened.store.get(user_id)
        if record is None:  # Erased meanwhile, or lost: then the journal tells.
            return
        entries = entries_of(opened, journal, user_id)
        found.n_journal_actions += len(entries)
        again = _rebuilt(opened, record)
        reasons = [f"{name} differ from a batch" for name in differing(record, again)]
        found.note(user_id, reasons + _missing(opened, user_id, record, entries))
        found.n_users += 1
        if progress and found.n_users % _USERS_PER_REPORT == 0:
            progress("verifying", found.n_users, n_users)

    def check_lost(opened: OpenedGeneration, user_id: UserId) -> None:
        if opened.store.get(user_id) is None:
            entries = entries_of(opened, journal, user_id)
            found.n_journal_actions += len(entries)
            if any_counts(opened, user_id, entries):
                found.note(user_id, ["no record, though the journal has actions"])

    if not in_turns(turn, opened, opened.store.user_ids(), check):
        return None
    if not in_turns(turn, opened, _without_record(opened, journal, applied), check_lost):
        return None
    return found


def entries_of(opened: OpenedGeneration, journal: Journal, user_id: UserId) -> list[ActionEntry]:
    """Return what the journal has of a user and the records, too."""
    applied = store_applied(opened.store)
    return [entry for at, entry in journal.of_user(user_id) if at <= applied]


def _rebuilt(opened: OpenedGeneration, record: UserRecord) -> UserRecord:
    """Return what a batch builds of a record's own actions, at its own moment."""
    rows = np.concatenate((record.item_rows, record.seen_rows))
    if (opened.items.current_rows[rows] != rows).any():
        return record  # The catalogue changed under it: its next read builds it anew.
    config, kinds = opened.config.interests, opened.kinds
    doubted = replace(record, untied=False)  # So that every cluster is made again.
    return extended([doubted], nothing_new(0), opened.items, kinds, config, record.as_of_ms)[0]


def _without_record(opened: OpenedGeneration, journal: Journal, applied: int) -> list[UserId]:
    """Return the users who are in the journal and have no record; nobody needs to wait for this."""
    found: set[UserId] = set()
    after = 0
    while read := journal.read(after):
        after = read[-1][0]
        actions = [(at, e) for at, e in read if at <= applied and isinstance(e, ActionEntry)]
        users = list(dict.fromkeys(entry.user_id for _, entry in of_this_log(opened, actions)))
        records = opened.store.get_many(users)
        found |= {user_id for user_id, record in zip(users, records, strict=True) if record is None}
    return sorted(found, key=str)


def any_counts(opened: OpenedGeneration, user_id: UserId, entries: Sequence[ActionEntry]) -> bool:
    """Tell whether any entry of a user is on an item that is known, and not taken back."""
    taken_back = _taken_back(opened, user_id, entries)
    rows = as_rows(entries, opened.items, codes_of(opened.kinds))
    return any(row.item_row != UNKNOWN and row.entry.identity not in taken_back for row in rows)


def _taken_back(opened: OpenedGeneration, user_id: UserId, entries: Sequence[ActionEntry]) -> set[Any]:
    """Return the identities of what journal and log take back, of these entries."""
    found = [entry for entry in entries if entry.retract]
    if opened.log_retractions is not None:
        found += opened.log_retractions.among({user_id: entries}).get(user_id, ())
    return {entry.identity for entry in found}


def _missing(
    opened: OpenedGeneration, user_id: UserId, record: UserRecord, entries: Sequence[ActionEntry]
) -> list[str]:
    """Return what is wrong with the journalled actions of a user."""
    kinds, max_actions = opened.kinds, opened.config.interests.max_actions
    if record.n_actions >= max_actions:
        record = opened.record(user_id)  # As it is served: with older actions where newer ones are out.
    taken_back = _taken_back(opened, user_id, entries)
    reasons = []
    held = opened.items.current_rows[record.item_rows]
    seen = opened.items.current_rows[record.seen_rows]
    oldest_ms = record.as_of_ms - opened.config.interests.window_ms
    first = order_of_first(record, opened.items, kinds) if record.n_actions >= max_actions else None
    for row in as_rows(entries, opened.items, codes_of(kinds)):
        if row.item_row == UNKNOWN:
            continue
        n = int(marked(record, row, opened.items).sum())
        counts = row.entry.time_ms > oldest_ms and (
            first is None or order_of(row, opened.items, kinds) > first
        )
        if row.entry.identity in taken_back:
            reasons += ["an action taken back still counts"] if n else []
        elif counts and not n:
            reasons.append("a journalled action is missing")
        elif n > 1:
            reasons.append("a journalled action counts twice")
        elif not n and row.item_row not in seen and row.item_row not in held:
            reasons.append("an item acted on is not known as seen")
    return list(dict.fromkeys(reasons))

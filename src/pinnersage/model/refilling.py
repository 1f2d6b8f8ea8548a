"""Older actions that count again when newer ones go: the journal has them, a record at the cap does not.

A record keeps the newest ``max_actions``. When items are taken out, or actions taken back, older ones have
room again. The next reading of the record, or the next fold into it, looks for them in the journal. What only
the log of a build had is not found there, and counts again from the next build on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pinnersage._ids import UserId
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import InterestConfig
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import LiveItems
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.extending import has_room
from pinnersage.streaming.journal import Journal
from pinnersage.streaming.log_retractions import LogRetractions, retractions_among
from pinnersage.streaming.rows import as_batch, counted


def refill_of(
    items: LiveItems,
    kinds: Sequence[str],
    journal: Journal,
    log: LogRetractions | None,
    user_id: UserId,
    applied: int,
) -> ActionBatch:
    """Return all actions that the journal has of a user up to a sequence number, and that count.

    ``log`` is what the log of the build takes back.
    """
    own = [entry for at, entry in journal.of_user(user_id) if at <= applied]
    retractions = retractions_among(journal, log, {user_id: own}).get(user_id, ())
    return as_batch([user_id], [counted(own, retractions, items, kinds)])


def journalled_for(
    journal: Journal,
    items: LiveItems,
    config: InterestConfig,
    entries: Iterable[ActionEntry],
    records: Mapping[UserId, UserRecord],
) -> dict[UserId, Sequence[ActionEntry]]:
    """Return what the journal has of the users whose record may lack what counts once ``entries`` are in.

    What is on items that are not there cannot join now. The journal is told to find it by its item: when
    that is put, it may be newer than what joins now.
    """
    users = dict.fromkeys(entry.user_id for entry in entries if entry.retract)
    users |= dict.fromkeys(user for user, record in records.items() if has_room(record, items, config))
    own = {user_id: journal.of_user(user_id) for user_id in users}
    flat = [(at, entry) for found in own.values() for at, entry in found if not entry.retract]
    rows = items.vocabulary.rows_of([entry.item_id for _, entry in flat]).tolist() if flat else []
    journal.set_parked(find=[at for (at, _), row in zip(flat, rows, strict=True) if row == UNKNOWN])
    return {user_id: [entry for _, entry in found] for user_id, found in own.items()}

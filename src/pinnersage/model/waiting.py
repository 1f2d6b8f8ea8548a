"""Which records wait for the next build: older actions count again that only the log of a build has.

A record keeps the newest ``max_actions``. When some of them stop to count, older ones do in their place; of
those, an online model finds what its journal has.
"""

from __future__ import annotations

from dataclasses import replace

from pinnersage._arrays import Bools
from pinnersage._ids import UserId
from pinnersage.interests.extend import nothing_new
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import GONE
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.verification import differing
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.extending import live_record
from pinnersage.streaming.journal import Journal

_Named = tuple[int, str, str, float, int]


def n_held_back(opened: OpenedGeneration, journal: Journal) -> int:
    """Return how many actions of a user stopped to count at most, where others may count in their place."""
    most = 0
    for user_id in opened.store.user_ids():
        record = opened.store.get(user_id)
        if record is not None:
            n = int(_gone(record, opened).sum()) + len(journal.retractions([user_id]).get(user_id, ()))
            most = max(most, n if record.n_actions + n >= opened.config.interests.max_actions else 0)
    return most


def waits_for_build(
    online: UserRecord,
    opened: OpenedGeneration,
    built: UserRecord,
    batch: OpenedGeneration,
    journal: Journal,
    user_id: UserId,
) -> bool:
    """Tell whether a record differs from a batch's by nothing but older actions that only the log has.

    They must have been beyond the most that count: with what stopped to count since, as many are newer. And
    the record must be what a batch builds of its own actions.
    """
    here, there = _named(online, opened), _named(built, batch)
    missing, instead = there - here, here - there
    held = journal.of_user(user_id)
    journalled = {_identity(_of_entry(entry)) for _, entry in held if not entry.retract}
    if not missing or len(instead) > len(missing) or any(_identity(one) in journalled for one in missing):
        return False
    if any(_identity(one) not in journalled for one in instead):
        return False
    stored, newest_ms = opened.store.get(user_id), max(missing)[0]
    n_newer = sum(one[0] >= newest_ms for one in here)
    n_newer += sum(entry.retract and entry.time_ms >= newest_ms for _, entry in held)
    if stored is not None:
        n_newer += int((_gone(stored, opened) & (stored.times_ms >= newest_ms)).sum())
    config = opened.config.interests
    doubted = replace(online, untied=False)  # So that every cluster is made again.
    own = live_record(doubted, opened.items, opened.kinds, config, online.as_of_ms, nothing_new(0))
    return n_newer >= config.max_actions and not differing(online, own)


def _gone(record: UserRecord, opened: OpenedGeneration) -> Bools:
    found: Bools = opened.items.current_rows[record.item_rows] == GONE
    return found


def _named(record: UserRecord, opened: OpenedGeneration) -> set[_Named]:
    """Return the actions of a record in ids and names."""
    items, kinds = opened.items.vocabulary.ids_of(record.item_rows), opened.kinds
    columns = zip(
        record.times_ms.tolist(), map(str, items), [kinds[code] for code in record.kinds.tolist()],
        record.weights.tolist(), record.event_keys.tolist(), strict=True,
    )  # fmt: skip
    return set(columns)


def _of_entry(entry: ActionEntry) -> _Named:
    return entry.time_ms, str(entry.item_id), entry.kind, entry.weight, entry.event_key


def _identity(action: _Named) -> int | _Named:
    """Equal for two that are the same action."""
    return action[-1] or action

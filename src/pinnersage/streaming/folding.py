"""Events into records: a pure function from what is known and what comes to what is to be written.

The state of a user is a set of actions, so order, repetition and grouping of events do not matter:
however they come, the record is the one a batch over their union builds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from pinnersage._ids import UserId
from pinnersage.config import InterestConfig
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import LiveItems
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.events import ACCEPTED, DUPLICATE, TAKEN_BACK, Outcome
from pinnersage.streaming.extending import extended, without
from pinnersage.streaming.kinds import Codes, codes_of, with_new_kinds
from pinnersage.streaming.rows import Row, RowColumns, as_batch, as_rows, joinable, marked


@dataclass(frozen=True, slots=True)
class State:
    """What holds for a whole store.

    Attributes
    ----------
    now_ms
        The moment interests refer to: the newest action, or the build's "now" if that is later.
    kinds
        The values of the column ``action``; the position is the code. Codes never change.
    applied
        Sequence number of the last journal entry in the records: the watermark.
    """

    now_ms: int
    kinds: tuple[str, ...]
    applied: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal and the store hold of the users that events concern.

    Attributes
    ----------
    records
        As stored; users without one are missing.
    retractions
        What users took back earlier; users without any are missing.
    journalled
        All that the journal has of users whose record may have forgotten what counts again: they take
        something back now, so that an older action is the first on its item or one of those that the most
        per user leaves room for; or items were taken out, and left such room.
    """

    records: Mapping[UserId, UserRecord]
    retractions: Mapping[UserId, Sequence[ActionEntry]] = field(default_factory=dict)
    journalled: Mapping[UserId, Sequence[ActionEntry]] = field(default_factory=dict)


@dataclass(slots=True)
class Change:
    """One user's record to start from, and the actions that join it."""

    record: UserRecord | None
    joining: list[Row]


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of events: all that can be said before any record is made.

    Attributes
    ----------
    state
        Once the events are taken in.
    outcomes
        One per event, in their order.
    needless
        Positions of events that repeat a known one in every column: the journal can do without.
    changes
        What to make the records of; users whose record stays are missing.
    """

    state: State
    outcomes: Sequence[Outcome]
    needless: frozenset[int]
    changes: Mapping[UserId, Change]


@dataclass(frozen=True, slots=True)
class Writes:
    """What a fold wants written.

    Attributes
    ----------
    records
        Of the users whose record changed.
    outcomes, needless
        As in :class:`Judged`.
    """

    records: Mapping[UserId, UserRecord]
    outcomes: Sequence[Outcome]
    needless: frozenset[int]


def fold(
    state: State,
    events: Sequence[ActionEntry],
    known: Known,
    items: LiveItems,
    config: InterestConfig,
) -> tuple[State, Writes]:
    """Return the state and what to write once ``events`` are taken in.

    That is :func:`judge`, then :func:`records_of`.

    Parameters
    ----------
    state, events, known, items
        As in :func:`judge`.
    config
        How actions become interests.
    """
    judged = judge(state, events, known, items)
    records = records_of(judged, items, config)
    return judged.state, Writes(records, judged.outcomes, judged.needless)


def judge(state: State, events: Sequence[ActionEntry], known: Known, items: LiveItems) -> Judged:
    """Return what becomes of each event, and what the records change by.

    Kinds of action beyond the most a model may have count as :data:`OTHER_KIND`: what a journal holds is
    never refused.

    Parameters
    ----------
    state
        Before the events; ``applied`` is left to the caller, who numbers them.
    events
        In the order of the journal.
    known
        Everything held of the users of ``events``.
    items
        The catalogue as it is.
    """
    outcomes: list[Outcome] = [ACCEPTED] * len(events)
    rows = items.vocabulary.rows_of([event.item_id for event in events])
    kinds = with_new_kinds(state.kinds, events, rows)
    code = codes_of(kinds)
    by_user: dict[UserId, list[Row]] = {}
    placed: list[tuple[int, Row]] = []
    before: dict[tuple[UserId, bool, int | RowColumns], set[RowColumns]] = {}
    needless: set[int] = set()
    for position, (event, row) in enumerate(zip(events, rows.tolist(), strict=True)):
        if row == UNKNOWN and not (event.retract and event.event_key):
            outcomes[position] = Outcome("parked", "unknown_item")
            continue
        mine = Row(row, code[event.kind], event)
        key = (event.user_id, event.retract, mine.action)
        same = _known_same(mine, before.get(key), known, items)
        if same is not None:
            outcomes[position] = DUPLICATE
            needless |= {position} if same else set()
        before.setdefault(key, set()).add(mine.columns)
        by_user.setdefault(event.user_id, []).append(mine)
        placed.append((position, mine))
    taken_back = _taken_back(by_user, known, items, code)
    for position, mine in placed if taken_back else ():
        if not mine.entry.retract and mine.action in taken_back.get(mine.entry.user_id, ()):
            outcomes[position] = TAKEN_BACK
    changed = _changed(by_user, taken_back, known, items, code)
    taken = [row.entry.time_ms for own in by_user.values() for row in own if not row.entry.retract]
    now_ms = max([state.now_ms, *taken])
    return Judged(State(now_ms, kinds, state.applied), outcomes, frozenset(needless), changed)


def records_of(judged: Judged, items: LiveItems, config: InterestConfig) -> dict[UserId, UserRecord]:
    """Return the records of the users whose record changes, on the catalogue that was judged by."""
    if not judged.changes:
        return {}
    users, changes = list(judged.changes), judged.changes.values()
    batch = as_batch(users, [change.joining for change in changes])
    state = judged.state
    records = [change.record for change in changes]
    return dict(zip(users, extended(records, batch, items, state.kinds, config, state.now_ms), strict=True))


def _taken_back(
    by_user: Mapping[UserId, list[Row]], known: Known, items: LiveItems, code: Codes
) -> dict[UserId, dict[int | RowColumns, Row]]:
    """Return what these users ever took back, now or earlier; users without any are missing."""
    found = {}
    for user_id, own in by_user.items():
        earlier = as_rows(known.retractions.get(user_id, ()), items, code)
        rows = [row for row in own if row.entry.retract] + earlier
        if rows:
            found[user_id] = {row.action: row for row in rows}
    return found


def _changed(
    by_user: Mapping[UserId, list[Row]],
    taken_back: Mapping[UserId, Mapping[int | RowColumns, Row]],
    known: Known,
    items: LiveItems,
    code: Codes,
) -> dict[UserId, Change]:
    """Return what each user starts from, with all that was ever taken back left out."""
    changes = {}
    for user_id, own in by_user.items():
        record, gone = known.records.get(user_id), taken_back.get(user_id)
        again = as_rows(known.journalled.get(user_id, ()), items, code)
        joining = joinable(again) + [row for row in own if not row.entry.retract]
        if gone:
            joining = [row for row in joining if row.action not in gone]
            record = record and _without_taken_back(record, gone.values(), items)
        if joining or record is not known.records.get(user_id):
            changes[user_id] = Change(record, joining)
    return changes


def _known_same(row: Row, before: Set[RowColumns] | None, known: Known, items: LiveItems) -> bool | None:
    """Tell whether an event repeats a known one in every column, or only its event id; None if neither.

    ``before``: the columns of those that came with it and are the same action.
    """
    if before:
        return row.columns in before
    if row.entry.retract:
        earlier = known.retractions.get(row.entry.user_id, ())
        return True if any(row.entry.identity == other.identity for other in earlier) else None
    record = known.records.get(row.entry.user_id)
    if record is None:
        return None
    found = marked(record, row, items).nonzero()[0]
    if not len(found):
        return None
    at = int(found[0])
    return (int(items.current_rows[record.item_rows[at]]), int(record.kinds[at]),
            int(record.times_ms[at]), float(record.weights[at])) == row.columns  # fmt: skip


def _without_taken_back(record: UserRecord, taken_back: Iterable[Row], items: LiveItems) -> UserRecord:
    gone = np.zeros(record.n_actions, np.bool_)
    for row in taken_back:
        gone |= marked(record, row, items)
    return without(record, gone)

"""The driver of :mod:`pinnersage.streaming`: moves events between journal, fold and store.

All of this happens under the write lock of the model. The order makes it safe to be killed anywhere:
an event is in the journal before it is in a record, and what is in the journal but not yet in the
records is folded in by whoever comes next (:func:`catch_up`). The watermark says how far that is. It
is acknowledged in between, so readers compare the watermark with the journal before they answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from pinnersage._arrays import Float32s
from pinnersage._ids import ItemId, UserId
from pinnersage._tables.engine import Progress
from pinnersage.errors import UserNotFoundError
from pinnersage.interests.record import UserRecord
from pinnersage.model.online import waiting_for_build
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.refilling import journalled_for
from pinnersage.model.repeats import NEWEST_LOOKED_AT, in_journal, not_in_records, repeated_in
from pinnersage.model.taken_back import by_user
from pinnersage.model.watermark import (
    APPLIED_META,
    KINDS_META,
    NOW_META,
    store_applied,
    store_state,
    warn_of_a_leap,
)
from pinnersage.store.base import InterestStore
from pinnersage.streaming.entries import ActionEntry, Entry, ItemEntry
from pinnersage.streaming.events import ACCEPTED, DUPLICATE, TAKEN_BACK, TOO_MANY_PARKED, Outcome
from pinnersage.streaming.folding import Known, State, fold, judge, records_of
from pinnersage.streaming.journal import Heads, Journal
from pinnersage.streaming.log_retractions import retractions_among

CHUNK = 50_000

NEXT_BUILD = Outcome(
    "accepted",
    "counts_from_next_build: this model keeps interests, not the actions from before its build; one that is "
    "taken back stays in its interest until the next build leaves it out",
)


def state_of(opened: OpenedGeneration) -> State:
    """Return what holds for a generation's whole store."""
    now_ms, kinds, applied = store_state(opened.store, opened.manifest["now_ms"], opened.manifest["kinds"])
    return State(now_ms, tuple(kinds), applied)


def add_entries(
    opened: OpenedGeneration,
    journal: Journal,
    entries: Sequence[ActionEntry],
    before: State | None = None,
    *,
    max_parked: int,
    look_back: int | None = NEWEST_LOOKED_AT,
    acknowledged: Callable[[list[Outcome]], None] | None = None,
) -> list[Outcome]:
    """Make actions durable and visible; return what became of each.

    Parameters
    ----------
    entries
        Checked; ids in the types of the model.
    before
        What :func:`state_of` returns now, where it is known already.
    max_parked
        More actions on unknown items than this are not taken.
    look_back
        Where a record does not tell, repeats are looked for among so many newest entries of its user; None:
        all.
    acknowledged
        Called with what will be returned once the journal has the actions; their records are made after.
        Without it they are made before, so that readers need not wait for them.
    """
    known, before = _known(opened, journal, entries), before or state_of(opened)
    judged = judge(before, entries, known, opened.items)
    state, outcomes = judged.state, list(judged.outcomes)
    waiting = {i for i, outcome in enumerate(outcomes) if outcome.status == "parked"}
    back = {i for i, outcome in enumerate(outcomes) if outcome == TAKEN_BACK}  # No record has these.
    untold = sorted(back.union(not_in_records(opened, entries, known, state.now_ms)))
    repeated = repeated_in(journal, entries, untold, look_back)
    # What differs under an event id that is known may be the one that counts: that is no needless repeat.
    needless = in_journal(journal, entries, judged.needless | waiting | repeated, look_back)
    again = repeated - waiting
    outcomes = [DUPLICATE if i in again and o != TAKEN_BACK else o for i, o in enumerate(outcomes)]
    if waiting - needless:
        outcomes = _bounded(outcomes, waiting - needless, max_parked - journal.n_parked())
    kept = [i for i, outcome in enumerate(outcomes) if outcome.status != "rejected" and i not in needless]
    is_recent = opened.config.online.online == "recent"
    if is_recent:
        late = waiting_for_build(opened, journal, entries)
        outcomes = [NEXT_BUILD if o == ACCEPTED and i in late else o for i, o in enumerate(outcomes)]
    make = partial(records_of, judged, opened.items, opened.config.interests)
    records, head = make() if acknowledged is None and not is_recent else None, 0
    if kept:
        parked = {at for at, i in enumerate(kept) if outcomes[i].status == "parked"}
        head = journal.append([entries[i] for i in kept], parked=parked, often_asked=is_recent)
    if head and not is_recent:
        warn_of_a_leap(before.now_ms, state.now_ms, opened.config.interests.window_ms)
    if acknowledged is not None:
        acknowledged(outcomes)
    if head and not is_recent:
        _put(opened.store, replace(state, applied=head), make() if records is None else records)
    return outcomes


def put_item(
    opened: OpenedGeneration, journal: Journal, item_id: ItemId, embedding: Float32s,
    attributes: dict[str, Any], received_ms: int,
) -> tuple[bool, int]:  # fmt: skip
    """Put an item into the catalogue; return whether it is new, and how many parked actions it got."""
    is_new = opened.items.vocabulary.row_of(item_id) is None
    entry = ItemEntry(opened.items.vocabulary.as_own(item_id), embedding, received_ms, attributes)
    head = _append_item(opened, journal, entry)
    n_applied = _apply_parked(opened, journal, entry.item_id)
    _mark(opened, head)
    return is_new, n_applied


def remove_item(opened: OpenedGeneration, journal: Journal, item_id: ItemId, received_ms: int) -> None:
    """Take an item out of the catalogue.

    Raises
    ------
    ItemNotFoundError
        There is no such item.
    """
    own = opened.items.vocabulary.id_of(opened.row_of(item_id))
    _mark(opened, _append_item(opened, journal, ItemEntry(own, None, received_ms)))


def catch_up(
    opened: OpenedGeneration,
    journal: Journal,
    heads: Heads | None = None,
    *,
    landing: bool = False,
    alone: bool = True,
    progress: Progress | None = None,
) -> int:
    """Fold in what the journal holds beyond the records' watermark; return how many entries that were.

    In mode ``recent`` only a ``landing`` build does so; what comes after it is read from the journal.
    Which actions wait for their item is told to the journal, unless another generation tells it (``alone``
    is False).
    """
    heads, applied = heads or journal.heads(), store_applied(opened.store)
    if heads.items > opened.catalogue.applied:
        opened.catalogue.replay(journal.read_items(opened.catalogue.applied))
    if applied > heads.all:
        # A power cut took the end of a journal that was not on the disk: what comes now has its numbers.
        opened.store.put_meta(APPLIED_META, str(heads.all).encode())
        return 0
    if opened.config.online.online == "recent" and not landing:
        return 0
    n_folded, first = 0, applied
    while applied < heads.all:
        read = journal.read(applied, CHUNK)
        # An erasure or a trim may have left nothing at the end.
        applied = read[-1][0] if read else heads.all
        fold_again(opened, journal, read, applied, alone=alone)
        n_folded += len(read)
        if progress:
            progress("taking in the journal", applied - first, heads.all - first)
    return n_folded


def fold_again(
    opened: OpenedGeneration,
    journal: Journal,
    read: Sequence[tuple[int, Entry]],
    applied: int,
    *,
    alone: bool = True,
) -> None:
    """Fold entries that are in the journal already, on the catalogue as it is now."""
    actions = of_this_log(opened, [(at, entry) for at, entry in read if isinstance(entry, ActionEntry)])
    entries = [entry for _, entry in actions]
    known = _known(opened, journal, entries)
    state, writes = fold(state_of(opened), entries, known, opened.items, opened.config.interests)
    parked = [at for (at, _), o in zip(actions, writes.outcomes, strict=True) if o.status == "parked"]
    others = [at for (at, _), o in zip(actions, writes.outcomes, strict=True) if o.status != "parked"]
    if alone:
        journal.set_parked(add=parked, remove=others if journal.n_parked() else ())
    else:
        # Another generation may know their items: then they wait for nothing, and only this one lacks them.
        journal.set_parked(find=parked)
    items = dict.fromkeys(e.item_id for _, e in read if isinstance(e, ItemEntry))
    # The watermark passes an item only once what waited for it is folded in.
    _put(opened.store, state if items else replace(state, applied=applied), writes.records)
    for item_id in items:
        _apply_parked(opened, journal, item_id, alone=alone)
    if items:
        opened.store.put_meta(APPLIED_META, str(applied).encode())


def _append_item(opened: OpenedGeneration, journal: Journal, entry: ItemEntry) -> int:
    head = journal.append([entry])
    opened.catalogue.replay([(head, entry)])
    return head


def _apply_parked(opened: OpenedGeneration, journal: Journal, item_id: ItemId, *, alone: bool = True) -> int:
    """Fold in the actions that waited for an item, if it is here now."""
    waiting = of_this_log(opened, journal.parked_of(item_id))
    if opened.config.online.online == "recent":  # What waited through a build is known to the next.
        applied = store_applied(opened.store)
        waiting = [(at, entry) for at, entry in waiting if at > applied]
    if not waiting or opened.items.vocabulary.row_of(item_id) is None:
        return 0
    if opened.config.online.online == "exact":
        entries = [entry for _, entry in waiting]
        known = _known(opened, journal, entries)
        state, writes = fold(state_of(opened), entries, known, opened.items, opened.config.interests)
        _put(opened.store, state, writes.records)
    if alone:
        journal.set_parked(remove=[at for at, _ in waiting])
    return len(waiting)


def of_this_log(
    opened: OpenedGeneration, entries: Sequence[tuple[int, ActionEntry]]
) -> list[tuple[int, ActionEntry]]:
    """Return the entries with their users' ids in the type of this generation's log.

    Rolled back to a log of integers, the journal may hold users who are none of its: they are left out.
    """
    found = []
    for at, entry in entries:
        with suppress(UserNotFoundError):
            user_id = opened.user_of(entry.user_id)
            found.append((at, entry if user_id is entry.user_id else replace(entry, user_id=user_id)))
    return found


def _known(opened: OpenedGeneration, journal: Journal, entries: Sequence[ActionEntry]) -> Known:
    user_ids = list(dict.fromkeys(entry.user_id for entry in entries))
    found = dict(zip(user_ids, opened.store.get_many(user_ids), strict=True))
    records = {user_id: record for user_id, record in found.items() if record is not None}
    again = journalled_for(journal, opened.items, opened.config.interests, entries, records)
    asked = {user_id: [*own, *again.get(user_id, ())] for user_id, own in by_user(entries).items()}
    return Known(records, retractions_among(journal, opened.log_retractions, asked), again)


def _bounded(outcomes: Sequence[Outcome], waiting: set[int], n_room: int) -> list[Outcome]:
    """Reject those of the parked actions for which there is no room."""
    refused = set(sorted(waiting)[max(0, n_room) :])
    return [TOO_MANY_PARKED if i in refused else outcome for i, outcome in enumerate(outcomes)]


def _put(store: InterestStore, state: State, records: Mapping[UserId, UserRecord]) -> None:
    meta = {
        NOW_META: str(state.now_ms).encode(),
        KINDS_META: json.dumps(state.kinds).encode(),
        APPLIED_META: str(state.applied).encode(),
    }
    store.put_many(records.items(), meta=meta)


def _mark(opened: OpenedGeneration, applied: int) -> None:
    if opened.config.online.online == "exact":
        opened.store.put_meta(APPLIED_META, str(applied).encode())

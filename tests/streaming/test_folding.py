"""However events come, folding them ends where one batch over their union would."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.streaming.worlds import N_ITEMS, WINDOW, batch_records, entry, live_items, told

from pinnersage._ids import UserId
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import LiveItems
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.events import ACCEPTED, DUPLICATE, TAKEN_BACK, Outcome
from pinnersage.streaming.extending import live_record
from pinnersage.streaming.folding import Known, State, fold
from pinnersage.streaming.kinds import MAX_KINDS, OTHER_KIND

DAYS = [0.0, 0.5, 1.0, 7.0, 11.5, 12.0]
KINDS = ["", "click", "save"]


class Folded:
    """A store in a dictionary, fed by ``fold``."""

    def __init__(self, items: LiveItems, kinds: Sequence[str] = ()) -> None:
        self.items = items
        self.state = State(0, tuple(kinds))
        self.records: dict[UserId, UserRecord] = {}
        self.retractions: dict[UserId, list[ActionEntry]] = {}

    def take(self, events: Sequence[ActionEntry]) -> list[Outcome]:
        known = Known(dict(self.records), dict(self.retractions))
        self.state, writes = fold(self.state, events, known, self.items, WINDOW)
        self.records |= writes.records
        for event in events:
            if event.retract:
                self.retractions.setdefault(event.user_id, []).append(event)
        return list(writes.outcomes)

    def told(self) -> dict[UserId, dict[str, object]]:
        return {
            user: told(
                live_record(record, self.items, self.state.kinds, WINDOW, self.state.now_ms),
                self.items, self.state.kinds,
            )
            for user, record in self.records.items()
        }  # fmt: skip


@st.composite
def events(draw: st.DrawFn, max_size: int = 25) -> list[ActionEntry]:
    """Draw actions: few items, times and weights, so that ties and repeats are common.

    Where they have event ids, those of one id are about one item and time, but may be corrected in
    kind and weight. (Beyond the window a record remembers no event ids.)
    """
    one = st.builds(
        entry, st.sampled_from(["u", "v"]), st.integers(0, N_ITEMS - 1), st.sampled_from(DAYS),
        st.sampled_from(KINDS), st.sampled_from([0.0, 0.5, 1.0]),
    )  # fmt: skip
    drawn = draw(st.lists(one, min_size=1, max_size=max_size))
    if draw(st.booleans()):
        return drawn
    return [replace(e, event_key=1 + crc32(repr((e.item_id, e.time_ms)).encode())) for e in drawn]


def groups(data: st.DataObject, events: Sequence[ActionEntry]) -> list[list[ActionEntry]]:
    """Draw a grouping of events in a drawn order, some of them twice."""
    again = data.draw(st.lists(st.sampled_from(list(events)), max_size=5))
    order = data.draw(st.permutations([*events, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=6)))
    return [list(order[a:b]) for a, b in itertools.pairwise([0, *cuts, len(order)])]


def expected(entries: Sequence[ActionEntry]) -> dict[UserId, dict[str, object]]:
    now_ms = max(e.time_ms for e in entries)
    kinds = sorted({e.kind for e in entries})
    whole = live_items()
    built = batch_records(entries, kinds, WINDOW, now_ms)
    return {user: told(record, whole, kinds) for user, record in built.items()}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_grouping_and_repetition_ends_in_the_batch(data: st.DataObject) -> None:
    all_events = data.draw(events())
    folded = Folded(live_items())
    for group in groups(data, all_events):
        folded.take(group)
    assert folded.told() == expected(all_events)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_items_that_come_later_are_numbered_as_if_they_had_been_there(data: st.DataObject) -> None:
    all_events = data.draw(events())
    late = data.draw(st.sets(st.integers(0, N_ITEMS - 1), max_size=5))
    items = live_items([n for n in range(N_ITEMS) if n not in late])
    whole = live_items()
    for number in data.draw(st.permutations(sorted(late))):
        items.put(f"i{number:02d}", whole.embeddings[number], {})
    folded = Folded(items, data.draw(st.permutations(KINDS)))
    for group in groups(data, all_events):
        folded.take(group)
    assert folded.told() == expected(all_events)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_taken_back_never_was(data: st.DataObject) -> None:
    all_events = data.draw(events())
    gone = data.draw(st.lists(st.sampled_from(all_events), max_size=4))
    back = [
        ActionEntry(e.user_id, e.item_id, e.time_ms, e.kind, e.weight, e.event_key, 0, True) for e in gone
    ]
    folded = Folded(live_items())
    for group in groups(data, [*all_events, *back]):
        folded.take(group)
    left = [e for e in all_events if all((e.user_id, e.identity) != (g.user_id, g.identity) for g in gone)]
    # What was seen before the window is not forgotten again, and "now" does not go back.
    if left and folded.state.now_ms == max(e.time_ms for e in left):
        found, wanted = folded.told(), expected(left)
        for user in wanted:
            assert found[user] | {"seen": []} == wanted[user] | {"seen": []}


def test_a_retraction_before_its_action_counts() -> None:
    folded = Folded(live_items())
    folded.take([entry("u", 1, 1.0), entry("u", 2, 1.0, retract=True)])
    assert folded.take([entry("u", 2, 1.0), entry("u", 1, 2.0)]) == [TAKEN_BACK, ACCEPTED]
    assert folded.told()["u"]["items"] == ["i01", "i01"]


def test_an_action_taken_back_is_told_so_whenever_it_comes_again() -> None:
    folded = Folded(live_items())
    folded.take([entry("u", 1, 1.0, key=7), entry("v", 1, 1.0, key=7)])
    retraction = entry("u", 1, 1.0, key=7, retract=True)
    assert folded.take([retraction, entry("u", 3, 2.0, key=7)]) == [ACCEPTED, TAKEN_BACK]
    assert folded.take([entry("u", 1, 1.0, key=7)]) == [TAKEN_BACK]
    assert folded.take([entry("v", 1, 1.0, key=7)]) == [DUPLICATE]  # another user's
    assert (folded.told()["u"]["items"], folded.told()["v"]["items"]) == ([], ["i01"])


def test_taking_back_the_last_action_leaves_an_empty_user() -> None:
    folded = Folded(live_items())
    folded.take([entry("u", 1, 1.0)])
    folded.take([entry("u", 1, 1.0, retract=True)])
    assert (folded.told()["u"]["items"], folded.told()["u"]["seen"]) == ([], [])


def test_outcomes_say_what_became_of_each() -> None:
    folded = Folded(live_items())
    unknown = ActionEntry("u", "no-such", 5, "", 1.0, 0, 0)
    first = folded.take([entry("u", 1, 1.0), entry("u", 1, 1.0), unknown, entry("v", 1, 1.0)])
    assert first == [ACCEPTED, DUPLICATE, Outcome("parked", "unknown_item"), ACCEPTED]
    assert folded.take([entry("u", 1, 1.0), entry("u", 1, 1.0, "save")]) == [DUPLICATE, ACCEPTED]


def test_repeats_need_no_journal_but_corrections_do() -> None:
    items, first = live_items(), entry("u", 1, 1.0, key=5)
    state, writes = fold(State(0, ()), [first], Known({}), items, WINDOW)
    corrected = entry("u", 2, 2.0, key=5)
    _, again = fold(state, [first, corrected], Known(writes.records), items, WINDOW)
    assert (list(again.outcomes), again.needless) == ([DUPLICATE, DUPLICATE], frozenset({0}))
    assert again.records["u"].item_rows.tolist() == [2]


def test_nothing_new_writes_nothing() -> None:
    items, first = live_items(), entry("u", 1, 1.0)
    state, writes = fold(State(0, ()), [first], Known({}), items, WINDOW)
    unchanged = fold(state, [], Known(writes.records), items, WINDOW)
    assert (unchanged[0], dict(unchanged[1].records)) == (state, {})


def test_kinds_beyond_the_most_count_as_one() -> None:
    """What a journal holds is never refused, whatever was parked before."""
    many = [entry("u", 1, 1.0 + n / 1_000, f"kind {n}") for n in range(MAX_KINDS + 9)]
    state, writes = fold(State(0, ()), many, Known({}), live_items(), WINDOW)
    assert state.kinds == (*(f"kind {n}" for n in range(MAX_KINDS)), OTHER_KIND)
    record = writes.records["u"]
    assert sorted(record.kinds.tolist()) == sorted([*range(MAX_KINDS), *[MAX_KINDS] * 9])
    more = [entry("u", 2, 2.0, "yet another"), replace(many[-1], retract=True)]
    again, writes = fold(state, more, Known(dict(writes.records)), live_items(), WINDOW)
    assert again.kinds == state.kinds
    assert writes.records["u"].n_actions == len(many)


def test_an_item_taken_out_counts_again_when_it_returns() -> None:
    items = live_items()
    folded = Folded(items)
    actions = [entry("u", n, 1.0 + n) for n in range(5)]
    folded.take(actions)
    before = folded.told()
    vector = np.array(items.embeddings[2])
    items.remove("i02")
    assert folded.told()["u"]["items"] == ["i00", "i01", "i03", "i04"]
    without = expected([a for a in actions if a.item_id != "i02"])
    assert folded.told()["u"]["importances"] == without["u"]["importances"]
    folded.take([entry("u", 7, 5.5)])
    assert folded.told()["u"]["items"] == ["i00", "i01", "i03", "i04", "i07"]
    items.put("i02", vector, {})
    assert folded.told() == expected([*actions, entry("u", 7, 5.5)])
    assert before["u"]["items"] == ["i00", "i01", "i02", "i03", "i04"]


def test_a_new_embedding_moves_the_users_who_have_the_item() -> None:
    items = live_items()
    folded = Folded(items)
    folded.take([entry("u", n, 1.0 + n) for n in range(5)] + [entry("u", 9, -20.0)])
    items.put("i02", np.array(items.embeddings[8]), {})
    items.put("i09", np.array(items.embeddings[0]), {})
    record = live_record(folded.records["u"], items, folded.state.kinds, WINDOW, folded.state.now_ms)
    row = items.vocabulary.row_of("i02")
    assert row in record.item_rows
    assert items.vocabulary.row_of("i09") in record.seen_rows
    assert items.embeddings[row].tolist() == items.embeddings[8].tolist()

"""What every journal must do: subclass this in the tests of a backend.

::

    class TestMyJournal(JournalConformance):
        persistent = True

        @staticmethod
        def open_journal(path):
            return MyJournal(path)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinnersage.errors import UsageError
from pinnersage.streaming.entries import ActionEntry, Entry, ItemEntry
from pinnersage.streaming.journal import Forgotten, Heads, Journal
from pinnersage.streaming.memory_journal import MemoryJournal

USERS: list[str | int] = ["u", "v", 7, "7", "é" * 700]
ITEMS: list[str | int] = ["a", "b", 3]


def action(
    user_id: str | int = "u", item_id: str | int = "a", received_ms: int = 0, *, retract: bool = False
) -> ActionEntry:
    """Return an entry about an action."""
    return ActionEntry(user_id, item_id, 1_000, "save", 0.5, 11, received_ms, retract)


def item(item_id: str | int = "a", received_ms: int = 0) -> ItemEntry:
    """Return an entry about an item."""
    return ItemEntry(item_id, np.array([0.6, -0.8], np.float32), received_ms, {"title": "é"})


@st.composite
def operations(draw: st.DrawFn) -> list[tuple[str, object]]:
    """Draw what is done to a journal."""
    entries = st.one_of(
        st.builds(
            action, st.sampled_from(USERS), st.sampled_from(ITEMS), st.integers(0, 5), retract=st.booleans()
        ),
        st.builds(item, st.sampled_from(ITEMS), st.integers(0, 5)),
    )
    appends = st.tuples(st.just("append"), st.lists(entries, max_size=4))
    forgets = st.tuples(st.just("forget"), st.sampled_from(USERS))
    trims = st.tuples(st.sampled_from(["trim", "trim items"]), st.integers(0, 5))
    prefers = st.tuples(st.just("prefer"), st.sampled_from(USERS))
    unparks = st.tuples(st.just("unpark"), st.integers(1, 12))
    others = st.tuples(st.sampled_from(["begin", "settle"]), st.none())
    return draw(st.lists(st.one_of(appends, forgets, trims, prefers, unparks, others), max_size=12))


def view(journal: Journal) -> list[object]:
    """Return all that can be asked of a journal, comparable."""
    return [
        journal.heads(),
        [(at, comparable(entry)) for at, entry in journal.heads_and_newest()[1]],
        [(at, comparable(entry)) for at, entry in journal.read(0)],
        [(at, comparable(entry)) for at, entry in journal.read_items(0)],
        [journal.of_user(user) for user in USERS],
        [journal.of_user(user, newest=newest) for user in USERS for newest in (0, 2)],
        [journal.of_user(user, after=3) for user in USERS],
        [journal.of_user(user, newest=2, after=3) for user in USERS],
        [journal.parked_of(one) for one in ITEMS],
        journal.n_parked(),
        journal.retractions(USERS),
        [journal.preferences(user) for user in USERS],
        (journal.has_erasures(), journal.erased_of(USERS)),
    ]


def comparable(entry: Entry) -> object:
    """Return an entry as a value that ``==`` compares."""
    if isinstance(entry, ActionEntry):
        return entry
    embedding = None if entry.embedding is None else entry.embedding.tolist()
    return (entry.item_id, embedding, entry.received_ms, dict(entry.attributes))


def apply(journal: Journal, step: tuple[str, object]) -> object:
    """Do one of :func:`operations`; actions on ``b`` are parked."""
    name, value = step
    if name == "append":
        assert isinstance(value, list)
        parked = [i for i, e in enumerate(value) if isinstance(e, ActionEntry) and e.item_id == "b"]
        return journal.append(value, parked=parked, often_asked=len(value) == 1)
    if name == "trim":
        assert isinstance(value, int)
        return journal.trim(value, journal.heads().all)
    if name == "trim items":
        assert isinstance(value, int)
        return journal.trim_items(value)
    if name == "unpark":
        assert isinstance(value, int)
        return journal.set_parked(remove=[at for at, _ in journal.parked_of("b")][:value])
    if name == "begin":
        return journal.forget_erasures()
    if name == "settle":
        journal.settle()
        return None
    assert isinstance(value, (str, int))
    if name == "prefer":
        kept = {"a": "muted", "b": {"preference": "pinned", "item_ids": ["b", "é"]}}
        return journal.set_preferences(value, {} if journal.preferences(value) else kept)
    return journal.forget(value)


class JournalConformance:
    """Tests of :class:`~pinnersage.streaming.journal.Journal`; nothing here depends on the backend.

    Attributes
    ----------
    persistent
        Whether another journal opened on the same path later sees the entries.
    """

    persistent: ClassVar[bool] = True

    @staticmethod
    def open_journal(path: Path) -> Journal:
        """Open a journal kept under ``path``."""
        raise NotImplementedError

    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        """Yield an empty journal."""
        with self.open_journal(tmp_path / "journal") as journal:
            yield journal

    def test_an_empty_journal_holds_nothing(self, journal: Journal) -> None:
        """No entries, and appending none changes nothing."""
        assert view(journal)[:3] == [Heads(0, 0), [], []]
        assert journal.append([]) == 0

    def test_entries_are_numbered_in_order(self, journal: Journal) -> None:
        """From 1 on, and every question keeps the order."""
        assert journal.append([action("u"), item("a")]) == 2
        assert journal.append([action("v")]) == 3
        assert journal.heads() == Heads(3, 2)
        assert journal.heads_and_newest() == (Heads(3, 2), [(3, action("v"))])
        assert [at for at, _ in journal.read(1, limit=1)] == [2]
        assert [at for at, _ in journal.of_user("u")] == [1]
        assert [at for at, _ in journal.read_items(2)] == []

    def test_numbers_are_never_used_twice(self, journal: Journal) -> None:
        """Also when the last entries are forgotten."""
        journal.append([action("u"), action("u")])
        assert journal.forget("u").n_entries == 2
        assert journal.read(0) == []
        assert journal.append([action("v")]) == 3

    def test_a_user_is_known_by_the_text_of_the_id(self, journal: Journal) -> None:
        """7 and "7" are one user: the next log may hold as text what this one holds as integers."""
        journal.append([action(7), action("7"), action("7", retract=True)])
        assert [at for at, _ in journal.of_user(7)] == [at for at, _ in journal.of_user("7")] == [1, 2, 3]
        assert len(journal.retractions([7])[7]) == 1
        journal.set_preferences(7, {"a": "muted"})
        assert journal.forget("7") == Forgotten(3, 1)

    def test_an_erasure_is_remembered_without_the_id(self, journal: Journal) -> None:
        """Until it need not be any more; also of a user of whom nothing was held."""
        assert journal.erased_of(USERS) == []
        journal.append([action("u")])
        journal.forget("u")
        journal.forget(7)
        assert journal.erased_of(USERS) == ["u", 7, "7"]
        journal.forget_erasures()
        assert journal.erased_of(USERS) == []

    def test_parked_actions_are_found_by_their_item(self, journal: Journal) -> None:
        """Also once they are applied: another generation may still need them."""
        journal.append([action(item_id="a"), action(item_id="b")], parked=[1])
        assert ([at for at, _ in journal.parked_of("b")], journal.n_parked()) == ([2], 1)
        assert journal.parked_of("a") == []
        journal.set_parked(remove=[1, 2])
        assert ([at for at, _ in journal.parked_of("b")], journal.n_parked()) == ([2], 0)
        assert journal.parked_of("a") == []
        journal.set_parked(add=[1, 2, 2])
        assert ([at for at, _ in journal.parked_of("a")], journal.n_parked()) == ([1], 2)

    def test_actions_that_do_not_wait_can_be_found_by_their_item(self, journal: Journal) -> None:
        """One that waits goes on waiting."""
        journal.append([action(item_id="a"), action(item_id="b"), action(item_id="a")], parked=[1])
        journal.set_parked(find=[1, 2])
        assert [[at for at, _ in journal.parked_of(one)] for one in ("a", "b")] == [[1], [2]]
        assert journal.n_parked() == 1
        journal.set_parked(find=[1], remove=[2])
        assert journal.n_parked() == 0

    def test_a_trim_keeps_what_is_needed(self, journal: Journal) -> None:
        """Items, what was taken back, and what came later."""
        journal.append([action("u", "a", 1), action("u", "b", 1), item("a", 1)])
        journal.append([action("u", "a", 1, retract=True), action("u", "a", 9), action("u", "a", 1)])
        assert journal.trim(5, applied=4) == 2
        assert [at for at, _ in journal.read(0)] == [3, 4, 5, 6]
        assert len(journal.retractions(["u"])["u"]) == 1

    def test_a_trim_ends_waiting(self, journal: Journal) -> None:
        """Of parked actions as old as the others that go, and of what was taken back, which stays."""
        entries = [action("u", "b", 1), action("u", "b", 1, retract=True), action("u", "b", 9)]
        journal.append(entries, parked=[0, 1, 2])
        assert journal.trim(5, applied=0) == 0
        assert journal.n_parked() == 3
        assert journal.trim(5, applied=3) == 1
        assert journal.n_parked() == 1
        assert [at for at, _ in journal.parked_of("b")] == [at for at, _ in journal.read(0)] == [2, 3]
        assert journal.retractions(["u"]) == {"u": [entries[1]]}

    def test_a_trim_keeps_what_erased_users_did_since(self, journal: Journal) -> None:
        """As long as the erasure is remembered; it tells them from those who did not come back."""
        journal.append([action("u"), action("v")])
        journal.forget("u")
        journal.append([action("u"), action("v")])
        assert journal.trim(1, applied=4) == 2
        assert [at for at, _ in journal.read(0)] == [3]
        journal.forget_erasures()
        assert journal.trim(1, applied=4) == 1

    def test_replaced_entries_about_items_go_or_are_shortened(self, journal: Journal) -> None:
        """Of one item the last stays whole, and the last that the oldest generation is newer than."""
        attributes = {"title": "long", "available": False, "quality": 0.5}
        puts = [replace(item("a"), attributes=attributes), item("b"), item("a"), item("a")]
        journal.append([*puts, replace(item("a"), embedding=None), item("b")])
        assert journal.trim_items(before=2) == 4
        kept = {at: dict(entry.attributes) for at, entry in journal.read_items(0)}
        decisive = {"available": False, "quality": 0.5}
        assert kept == {1: decisive, 2: {}, 3: {}, 4: {}, 5: {"title": "é"}, 6: {"title": "é"}}
        assert journal.trim_items(before=3) == 1
        assert [at for at, _ in journal.read_items(0)] == [2, 3, 4, 5, 6]
        assert journal.trim_items(before=6) == 3
        assert [at for at, _ in journal.read_items(0)] == [5, 6]
        assert journal.heads() == Heads(6, 6)

    def test_a_refused_entry_leaves_nothing(self, journal: Journal) -> None:
        """Also of those before it."""
        with pytest.raises((UsageError, TypeError)):
            journal.append([action("u"), action("")])
        assert journal.read(0) == []

    def test_threads_append_whole_groups(self, journal: Journal) -> None:
        """Two threads do not mix their entries."""

        def work(user: str) -> None:
            for _ in range(5):
                journal.append([action(user), action(user)])

        threads = [threading.Thread(target=work, args=(user,)) for user in ("u", "v")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        owners = [e.user_id for _, e in journal.read(0) if isinstance(e, ActionEntry)]
        assert len(owners) == 2 * 5 * 2
        assert owners[::2] == owners[1::2]

    @settings(
        max_examples=25, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )  # fmt: skip
    @given(steps=operations())
    def test_it_does_what_the_reference_does(
        self, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]
    ) -> None:
        """Whatever is done, and again after opening it anew."""
        path, reference = tmp_path_factory.mktemp("journal"), MemoryJournal()
        journal = self.open_journal(path)
        try:
            for step in steps:
                assert apply(journal, step) == apply(reference, step)
                assert view(journal) == view(reference)
            if self.persistent:
                journal.compact()
                journal.close()
                journal = self.open_journal(path)
                assert view(journal) == view(reference)
        finally:
            journal.close()

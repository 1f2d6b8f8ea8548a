"""A state machine drives a live model on disk against plain sets of actions in memory.

Whatever happens, in whatever order - repeats, late and corrected events, actions taken back, items that
come and go, builds that land or die, generations rolled back, writers killed between journal and
record - every record is the one a batch builds of what counts.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.streaming.worlds import START_MS, embeddings, item_id, live_items, told

from pinnersage import PinnerSage
from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.event_keys import event_key
from pinnersage.config import MS_PER_DAY, BuildConfig, InterestConfig
from pinnersage.errors import ItemNotFoundError, UserNotFoundError
from pinnersage.interests.build import build_records
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.model.incoming import incoming
from pinnersage.model.live import LiveModel
from pinnersage.store.generations import GenerationDirectory, Staging
from pinnersage.streaming.entries import ActionEntry, ItemEntry
from pinnersage.streaming.events import NewAction

CONFIG = InterestConfig(window_days=10.0, max_merge_cost=0.7)
USERS = [f"person-{name}-4c1d" for name in ("ada", "bo", "cy")]
NUMBERS = range(10)
N_FIRST = 6
VECTORS = [live_items().scaled(vector) for vector in embeddings(8, seed=4)]
DAYS = [0.0, 0.5, 1.0, 7.0, 11.5, 12.0]
FUTURE_MS = 4_000_000_000_000

Item = tuple[int, int | None]
"""An item's number, and which of the vectors it has; None for one taken out."""


@dataclass
class Generation:
    """What one build was made from; ``back`` is what its log takes back."""

    actions: list[NewAction]
    back: list[NewAction]
    table: dict[int, int]
    n_item_changes: int
    """How many changes of items there were when it began."""


@dataclass
class World:
    """All that was ever told to the model, as plain values."""

    generations: dict[str, Generation] = field(default_factory=dict)
    journal: list[NewAction] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def catalogue(self, name: str) -> dict[int, int]:
        """Return the items of a generation as they are now."""
        generation = self.generations[name]
        found = dict(generation.table)
        before = dict(self.items[: generation.n_item_changes])
        for number, vector in before.items():
            if vector is None:
                found.pop(number, None)
            else:
                found.setdefault(number, vector)
        for number, vector in self.items[generation.n_item_changes :]:
            if vector is None:
                found.pop(number, None)
            else:
                found[number] = vector
        return found

    def counted(self, name: str) -> list[NewAction]:
        """Return the actions that count in a generation, repeats among them."""
        said = self.journal + self.generations[name].back
        gone = {(a.user_id, identity(a)) for a in said if a.retract}
        known = self.catalogue(name)
        every = self.generations[name].actions + [a for a in self.journal if not a.retract]
        return [a for a in every if (a.user_id, identity(a)) not in gone and number_of(a) in known]

    def all(self) -> list[NewAction]:
        """Return all actions there are, those taken back among them."""
        logs = [generation.actions for generation in self.generations.values()]
        backs = [generation.back for generation in self.generations.values()]
        named = [[replace(a, retract=False) for a in back] for back in backs]
        return [a for log in [*logs, *backs, *named, self.journal] for a in log]

    def forget(self, user: str) -> None:
        """Forget a user."""
        self.journal = [a for a in self.journal if a.user_id != user]
        for generation in self.generations.values():
            generation.actions = [a for a in generation.actions if a.user_id != user]
            generation.back = [a for a in generation.back if a.user_id != user]


def identity(action: NewAction) -> object:
    return action.event_id or (action.item_id, action.time_ms, action.kind, action.weight)


def number_of(action: NewAction) -> int:
    return int(str(action.item_id)[1:])


def with_event_id(action: NewAction) -> NewAction:
    """Give an action an id that belongs to its item and time: kind and weight may be corrected."""
    about = repr((action.user_id, action.item_id, action.time_ms)).encode()
    return replace(action, event_id=f"e{crc32(about):x}")


plain = st.builds(
    lambda user, number, day, kind, weight: NewAction(
        user, item_id(number), START_MS + round(day * MS_PER_DAY), kind, weight
    ),
    st.sampled_from(USERS), st.sampled_from(NUMBERS), st.sampled_from(DAYS),
    st.sampled_from(["", "click", "save"]), st.sampled_from([0.0, 0.5, 1.0]),
)  # fmt: skip
actions = st.one_of(plain, plain.map(with_event_id))
changes = st.tuples(st.sampled_from(NUMBERS), st.integers(0, len(VECTORS) - 1))


class LiveMachine(RuleBasedStateMachine):
    """See the module."""

    swaps_warm = False
    config = CONFIG

    @initialize(log=st.lists(actions, min_size=1, max_size=10), back=st.lists(actions, max_size=3))
    def start(self, log: list[NewAction], back: list[NewAction]) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="live-machine-")) / "model"
        self.world = World()
        self.erased: set[str] = set()
        self.build_over({number: number % len(VECTORS) for number in range(N_FIRST)}, log, back)
        self.live = self.opened_model()
        self.log_is_known(self.world.generations[self.written_to()].actions)

    def teardown(self) -> None:
        if hasattr(self, "live"):
            found = self.live.verify().to_dict()
            assert found["ok"], found
            self.live.close()
            shutil.rmtree(self.home.parent)

    # What comes in.

    @rule(events=st.lists(actions, min_size=1, max_size=6))
    def add(self, events: list[NewAction]) -> None:
        self.take(events)

    @rule(data=st.data())
    def add_known_ones_again(self, data: st.DataObject) -> None:
        self.take(data.draw(st.lists(st.sampled_from(self.ever()), min_size=1, max_size=4)))

    @rule(event=actions, events=st.lists(actions, max_size=2))
    def add_one_of_the_future(self, event: NewAction, events: list[NewAction]) -> None:
        late = replace(event, time_ms=FUTURE_MS)
        outcomes = self.live.add_actions([late, *events])
        assert outcomes[0].status == "rejected"
        self.world.journal += events
        self.erased -= {str(e.user_id) for e in events}

    @rule(data=st.data(), other=actions, pick=st.booleans())
    def take_back(self, data: st.DataObject, other: NewAction, pick: bool) -> None:
        event = data.draw(st.sampled_from(self.ever())) if pick else other
        self.take([replace(event, retract=True)])

    @rule(change=changes)
    def put(self, change: Item) -> None:
        number, vector = change
        assert vector is not None
        known = number in self.world.catalogue(self.written_to())
        answer = self.live.put_item(item_id(number), VECTORS[vector].tolist(), {})
        self.world.items.append(change)
        assert answer["created"] is not known

    @rule(number=st.sampled_from(NUMBERS))
    def delete(self, number: int) -> None:
        known = self.world.catalogue(self.written_to())
        if number not in known:
            with pytest.raises(ItemNotFoundError):
                self.live.delete_item(item_id(number))
        else:
            self.live.delete_item(item_id(number))
            self.world.items.append((number, None))

    @rule()
    def compact(self) -> None:
        self.live.compact()

    @rule(data=st.data(), preference=st.sampled_from(["muted", "pinned", None]))
    def prefer(self, data: st.DataObject, preference: str | None) -> None:
        user = data.draw(st.sampled_from(USERS))
        try:
            interests = self.live.interests(user)["interests"]
        except UserNotFoundError:
            return
        if interests:
            medoid = data.draw(st.sampled_from([i["medoid_item_id"] for i in interests]))
            self.live.set_preference(user, medoid, preference)  # type: ignore[arg-type]
            found = {i["medoid_item_id"]: i["preference"] for i in self.live.interests(user)["interests"]}
            assert found[medoid] == preference

    @rule(user=st.sampled_from(USERS))
    def erase(self, user: str) -> None:
        try:
            assert self.live.erase(user)["erased"]
        except UserNotFoundError:
            assert all(a.user_id != user for a in self.world.all())
        self.world.forget(user)
        self.erased.add(user)

    # Builds, and generations.

    @rule(data=st.data(), log=st.lists(actions, min_size=1, max_size=10), moved=st.lists(changes, max_size=3))
    def build(self, data: st.DataObject, log: list[NewAction], moved: list[Item]) -> None:
        self.build_over(*self.tables(data, log, moved))

    @rule(data=st.data(), log=st.lists(actions, min_size=1, max_size=5), moved=st.lists(changes, max_size=3))
    def a_build_is_killed_before_it_lands(
        self, data: st.DataObject, log: list[NewAction], moved: list[Item]
    ) -> None:
        with (
            patch.object(Staging, "publish", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            self.build_over(*self.tables(data, log, moved))

    @precondition(lambda self: len(GenerationDirectory(self.home).list()) > 1)
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        directory = GenerationDirectory(self.home)
        directory.rollback(data.draw(st.sampled_from([path.name for path in directory.list()])))

    # Restarts, and writers that die.

    @rule()
    def reopen(self) -> None:
        self.live.close()
        self.live = self.opened_model()

    @rule(events=st.lists(actions, min_size=1, max_size=6))
    def a_writer_dies_after_the_journal_has_its_events(self, events: list[NewAction]) -> None:
        opened = self.live.opened()
        checked = incoming(opened, events, opened.kinds, now_ms(), 0)
        entries = [entry for entry in checked if isinstance(entry, ActionEntry)]
        rows = opened.items.vocabulary.rows_of([entry.item_id for entry in entries])
        self.live.journal().append(entries, parked=[i for i, row in enumerate(rows) if row < 0])
        self.world.journal += events
        self.erased -= {str(e.user_id) for e in events}
        self.reopen()

    @rule(change=changes, is_put=st.booleans())
    def a_writer_dies_after_the_journal_has_an_item(self, change: Item, is_put: bool) -> None:
        number, vector = change
        if not is_put and number not in self.world.catalogue(self.written_to()):
            return
        value = VECTORS[vector] if is_put and vector is not None else None
        self.live.journal().append([ItemEntry(item_id(number), value, now_ms())])
        self.world.items.append((number, vector if is_put else None))
        self.reopen()

    # What must hold.

    @invariant()
    def records_are_those_of_a_batch(self) -> None:
        opened = self.live.opened()
        name = opened.path.name
        catalogue, counted = self.world.catalogue(name), self.world.counted(name)
        newest = max((a.time_ms for a in counted), default=0)
        assert newest <= opened.now_ms <= max(a.time_ms for a in [*self.ever(), *START])
        expected = batch(catalogue, counted, opened.now_ms, self.config)
        for user in USERS:
            try:
                record = opened.record(user)
            except UserNotFoundError:
                assert user not in expected
                continue
            found = told(record, opened.items, opened.kinds)
            seen = [i for i in found.pop("seen") if int(i[1:]) in catalogue]  # type: ignore[attr-defined]
            if user not in expected:
                assert found["items"] == []
                continue
            wanted_seen = expected[user].pop("seen")
            assert found == expected[user]
            # What was seen before the window and then taken back may stay seen; and taking back an action
            # in it hides what only the build's log knew of older ones on the item.
            back = self.taken_back(user)
            assert set(wanted_seen) - back <= set(seen) <= set(wanted_seen) | back  # type: ignore[call-overload]

    @invariant()
    def what_is_seen_or_gone_is_never_returned(self) -> None:
        name = self.live.opened().path.name
        catalogue, counted = self.world.catalogue(name), self.world.counted(name)
        for user in USERS:
            acted = {a.item_id for a in counted if a.user_id == user}
            try:
                items = {item["item_id"] for item in self.live.recommend(user, 20)["items"]}
            except UserNotFoundError:
                assert not acted
                continue
            assert not items & (acted - self.taken_back(user))
            assert items <= {item_id(number) for number in catalogue}
        for number in catalogue:
            neighbors = self.live.neighbors(item_id(number), 20)["neighbors"]
            assert {n["item_id"] for n in neighbors} <= {item_id(other) for other in catalogue}

    @invariant()
    def nothing_is_left_of_who_was_erased(self) -> None:
        for path in self.home.rglob("*") if self.erased else ():
            if path.is_file():
                content = path.read_bytes()
                assert not [user for user in self.erased if user.encode() in content], path

    # Helpers.

    def opened_model(self) -> LiveModel:
        """Open the model."""
        return LiveModel(self.home, durability="process", swaps_warm=self.swaps_warm)

    def written_to(self) -> str:
        """Return the name of the generation that takes writes; another one may answer."""
        return GenerationDirectory(self.home).current().name

    def taken_back(self, user: str) -> set[str]:
        """Return the items of what a user took back."""
        return {str(a.item_id) for a in self.world.journal if a.retract and a.user_id == user}

    def ever(self) -> list[NewAction]:
        """Return all actions there are, or one that never was."""
        return self.world.all() or [NewAction(USERS[0], item_id(0), START_MS)]

    def take(self, events: Sequence[NewAction]) -> None:
        outcomes = self.live.add_actions(events)
        assert {outcome.status for outcome in outcomes} <= {"accepted", "duplicate", "parked"}
        known = self.world.catalogue(self.written_to())
        for event, outcome in zip(events, outcomes, strict=True):
            if number_of(event) in known:
                assert outcome.status != "parked"
        self.world.journal += events
        self.erased -= {str(e.user_id) for e in events}

    def tables(
        self, data: st.DataObject, log: list[NewAction], moved: list[Item]
    ) -> tuple[dict[int, int], list[NewAction], list[NewAction]]:
        """Return a new table of items, a log that holds some of what came, and what it takes back."""
        table = dict(self.world.generations[self.written_to()].table)
        table |= {number: vector for number, vector in moved if vector is not None}
        left_out = data.draw(st.sets(st.sampled_from(NUMBERS), max_size=2))
        table = {n: v for n, v in table.items() if n not in left_out} or {0: 0}
        some = data.draw(st.lists(st.sampled_from(self.ever()), max_size=6))
        log = [*log, *(replace(a, retract=False) for a in some)]
        return table, log, data.draw(st.lists(st.sampled_from([*self.ever(), *log]), max_size=3))

    def build_over(self, table: dict[int, int], log: list[NewAction], back: list[NewAction]) -> None:
        only = NewAction(USERS[0], item_id(min(table)), START_MS, "the only one")
        back = [replace(a, retract=True) for a in back if a.event_id or number_of(a) in table]
        back = [a for a in back if identity(a) != identity(only)]
        gone = {(a.user_id, identity(a)) for a in back}
        usable = [a for a in log if number_of(a) in table]
        if all((a.user_id, identity(a)) in gone for a in usable):
            usable.append(only)
        if hasattr(self, "live"):
            self.log_is_known(usable)
        items = pa.table(
            {
                "item_id": [item_id(n) for n in table],
                "embedding": [VECTORS[v].tolist() for v in table.values()],
            }
        )
        every = usable + back
        rows = pa.table(
            {
                "user_id": [a.user_id for a in every],
                "item_id": [a.item_id for a in every],
                "timestamp": pa.array([a.time_ms for a in every], pa.timestamp("ms", "UTC")),
                "action": pa.array([a.kind or None for a in every], pa.string()),
                "weight": pa.array([a.weight for a in every], pa.float32()),
                "event_id": pa.array([a.event_id for a in every], pa.string()),
                "retract": pa.array([a.retract for a in every], pa.bool_()),
            }
        )
        n_changes = len(self.world.items)
        PinnerSage.build(items, rows, path=self.home, config=BuildConfig(interests=self.config)).close()
        name = GenerationDirectory(self.home).current().name
        self.world.generations[name] = Generation(usable, back, table, n_changes)
        kept = {path.name for path in GenerationDirectory(self.home).list()}
        self.world.generations = {n: g for n, g in self.world.generations.items() if n in kept}
        self.erased -= {str(a.user_id) for a in every}

    def log_is_known(self, log: list[NewAction]) -> None:
        """Do what must be done about the log of a build."""


class WarmMachine(LiveMachine):
    """Readers stay with a generation until the next is warm, while writes go to the next."""

    swaps_warm = True

    @rule()
    def refresh(self) -> None:
        landed = self.live.generation != self.written_to()
        assert self.live.refresh() or not landed
        assert self.live.generation == self.written_to()


class CappedMachine(LiveMachine):
    """Few actions count, so older ones come back when newer ones go: with their items, or taken back.

    The journal has what the logs of builds have: what only a log has does not come back before the next
    build (``test_live_capped``).
    """

    config = CONFIG.model_copy(update={"max_actions": 3})

    def log_is_known(self, log: list[NewAction]) -> None:
        self.take(log)


class WarmCappedMachine(CappedMachine, WarmMachine):
    """Both."""


MACHINES = [LiveMachine, WarmMachine, CappedMachine, WarmCappedMachine]
START = [NewAction(USERS[0], item_id(0), START_MS + round(max(DAYS) * MS_PER_DAY))]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def batch(
    catalogue: dict[int, int], counted: Sequence[NewAction], moment_ms: int, config: InterestConfig
) -> dict[object, dict[str, object]]:
    """Return what a batch builds over the items of a catalogue, in ids and names; the oracle."""
    numbers = sorted(catalogue)
    users = sorted({a.user_id for a in counted}, key=str)
    own = [a for user in users for a in counted if a.user_id == user]
    n_own = [sum(a.user_id == user for a in counted) for user in users]
    kinds = sorted({a.kind for a in counted})
    columns = ActionBatch(
        users,  # type: ignore[arg-type]
        np.concatenate(([0], np.cumsum(n_own))).astype(np.int64),
        np.array([numbers.index(number_of(a)) for a in own], np.int32),
        np.array([a.time_ms for a in own], np.int64),
        np.array([a.weight for a in own], np.float32),
        np.array([kinds.index(a.kind) for a in own], np.uint8),
        np.array([event_key(a.event_id) for a in own], np.uint64),
    )
    vectors = [VECTORS[catalogue[n]] for n in numbers]
    matrix = np.array(vectors, np.float32).reshape(len(numbers), len(VECTORS[0]))  # may be no item
    built = build_records(columns, matrix, config, moment_ms)
    ids = ItemVocabulary.from_ids([item_id(n) for n in numbers])
    names: Any = SimpleNamespace(vocabulary=ids)
    return {user: told(built.record(u), names, kinds) for u, user in enumerate(users)}


def settings_of(n_examples: int, n_steps: int) -> settings:
    return settings(
        max_examples=n_examples,
        stateful_step_count=n_steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("machine", MACHINES)
def test_a_live_model_is_what_a_batch_would_be(machine: type[LiveMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings_of(5, 20))


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_a_live_model_is_what_a_batch_would_be_at_length(machine: type[LiveMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings_of(150, 40))

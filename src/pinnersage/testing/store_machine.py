"""Any sequence of calls on a store, beside the same calls on a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pinnersage._ids import UserId
from pinnersage.interests.record import UserRecord
from pinnersage.store.base import InterestStore
from pinnersage.store.keys import user_key
from pinnersage.testing.records import random_batch, same_record, user_ids, user_records


class StoreMachine(RuleBasedStateMachine):
    """A store and what it should hold; hypothesis calls the rules in any order."""

    open_store: ClassVar[Callable[[], InterestStore]]
    users = Bundle("users")

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).open_store()
        self.expected: dict[UserId, UserRecord] = {}

    @rule(target=users, user_id=user_ids())
    def meet(self, user_id: UserId) -> UserId:
        """Make a user known to the other rules."""
        return user_id

    @rule(user_id=users, record=user_records(max_actions=5))
    def put(self, user_id: UserId, record: UserRecord) -> None:
        """Write one record."""
        self.store.put(user_id, record)
        self.expected[user_id] = record

    @rule(records=st.lists(st.tuples(users, user_records(max_actions=3)), max_size=4))
    def put_many(self, records: list[tuple[UserId, UserRecord]]) -> None:
        """Write several, the same user's perhaps twice."""
        self.store.put_many(records)
        self.expected.update(records)

    @rule(first_user=st.integers(0, 20), seed=st.integers(0, 9))
    def put_batch(self, first_user: int, seed: int) -> None:
        """Write a batch, over what is there or beside it."""
        batch = random_batch(5, seed=seed, n_actions=3, n_interests=2, first_user=first_user)
        self.store.put_batch(batch)
        self.expected.update({first_user + u: batch.record(u) for u in range(batch.n_users)})

    @rule(user_id=users)
    def delete(self, user_id: UserId) -> None:
        """Remove a record that may not be there."""
        assert self.store.delete(user_id) == (self.expected.pop(user_id, None) is not None)

    @rule()
    def compact(self) -> None:
        """Change nothing that can be seen."""
        self.store.compact()

    @invariant()
    def holds_the_same(self) -> None:
        """After every call: the same users in order, the same records."""
        ids = list(self.store.user_ids())
        assert ids == sorted(self.expected, key=user_key)
        assert len(self.store) == len(self.expected)
        found = self.store.get_many(ids)
        assert all(a and same_record(a, self.expected[i]) for i, a in zip(ids, found, strict=True))

    def teardown(self) -> None:
        """Close the store."""
        self.store.close()


def run_store_machine(open_store: Callable[[], InterestStore], *, max_examples: int = 25) -> None:
    """Compare a fresh store with a dictionary after each of many calls."""
    machine = type("Machine", (StoreMachine,), {"open_store": staticmethod(open_store)})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=max_examples, stateful_step_count=15, deadline=None)
    )

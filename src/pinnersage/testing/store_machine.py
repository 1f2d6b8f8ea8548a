"""Any sequence of calls on a store, beside the same calls on a dictionary."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pinnersage._ids import UserId
from pinnersage.interests.record import UserRecord
from pinnersage.store.base import InterestStore
from pinnersage.testing.records import random_batch, same_record, user_records


def run_store_machine(
    open_store: Callable[[], InterestStore],
    ids: st.SearchStrategy[UserId],
    order: Callable[[UserId], bytes],
    *,
    max_examples: int = 25,
) -> None:
    """Compare a fresh store with a dictionary after each of many calls; ``order`` sorts the ids."""

    class Machine(RuleBasedStateMachine):
        users = Bundle("users")

        def __init__(self) -> None:
            super().__init__()
            self.store = open_store()
            self.expected: dict[UserId, UserRecord] = {}

        @rule(target=users, user_id=ids)
        def meet(self, user_id: UserId) -> UserId:
            return user_id

        @rule(user_id=users, record=user_records(max_actions=5))
        def put(self, user_id: UserId, record: UserRecord) -> None:
            self.store.put(user_id, record)
            self.expected[user_id] = record

        @rule(records=st.lists(st.tuples(users, user_records(max_actions=3)), max_size=4))
        def put_many(self, records: list[tuple[UserId, UserRecord]]) -> None:
            self.store.put_many(records)
            self.expected.update(records)

        @rule(first_user=st.integers(0, 20), seed=st.integers(0, 9))
        def put_batch(self, first_user: int, seed: int) -> None:
            batch = random_batch(5, seed=seed, n_actions=3, n_interests=2, first_user=first_user)
            self.store.put_batch(batch)
            self.expected.update({first_user + u: batch.record(u) for u in range(batch.n_users)})

        @rule(user_id=users)
        def delete(self, user_id: UserId) -> None:
            assert self.store.delete(user_id) == (self.expected.pop(user_id, None) is not None)

        @rule()
        def compact(self) -> None:
            self.store.compact()

        @invariant()
        def holds_the_same(self) -> None:
            ids_now = list(self.store.user_ids())
            assert ids_now == sorted(self.expected, key=order)
            assert len(self.store) == len(self.expected)
            found = self.store.get_many(ids_now)
            assert all(a and same_record(a, self.expected[i]) for i, a in zip(ids_now, found, strict=True))

        def teardown(self) -> None:
            self.store.close()

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=max_examples, stateful_step_count=15, deadline=None)
    )

"""What every store must do: subclass this in the tests of a backend.

::

    class TestMyStore(StoreConformance):
        persistent = True

        @staticmethod
        def open_store(path):
            return MyStore(path)
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage._ids import UserId
from pinnersage.errors import UsageError
from pinnersage.interests.record import UserRecord
from pinnersage.store.base import InterestStore
from pinnersage.testing.records import join_records, random_batch, same_record, user_records
from pinnersage.testing.store_machine import run_store_machine

LONG_ID = "é" * 600


def _record(seed: int) -> UserRecord:
    return random_batch(1, seed=seed, n_actions=5 + seed, n_interests=3).record(0)


def _get_elsewhere(opener: Callable[[Path], InterestStore], path: Path, user_id: UserId, pipe: Any) -> None:
    with opener(path) as store:
        pipe.send(store.get(user_id))


class StoreConformance:
    """Tests of :class:`~pinnersage.store.base.InterestStore`; nothing here depends on the backend.

    Attributes
    ----------
    persistent
        Whether another store opened on the same path, later or in another process, sees the records.
    """

    persistent: ClassVar[bool] = True

    @staticmethod
    def open_store(path: Path) -> InterestStore:
        """Open a store kept under ``path``; when :attr:`persistent`, this must pickle."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[InterestStore]:
        """Yield an empty store."""
        with self.open_store(tmp_path / "store") as store:
            yield store

    def test_a_fresh_store_is_empty(self, store: InterestStore) -> None:
        """No users, no meta values."""
        assert len(store) == 0
        assert list(store.user_ids()) == []
        assert store.get("nobody") is None
        assert store.get_meta("nothing") is None
        assert not store.delete("nobody")

    @pytest.mark.parametrize("user_id", ["ada", 7, 0, -1, 2**64 - 1, -(2**63), "\0", "zoë", LONG_ID])
    def test_put_then_get(self, store: InterestStore, user_id: UserId) -> None:
        """What comes back is equal bit for bit, and so is the id."""
        store.put(user_id, _record(1))
        found = store.get(user_id)
        assert found is not None
        assert same_record(found, _record(1))
        assert list(store.user_ids()) == [user_id]

    def test_a_record_and_meta_values_at_once(self, store: InterestStore) -> None:
        """None where there is none."""
        assert store.get_with_meta("ada", ["now"]) == (None, [None])
        store.put_many([("ada", _record(1))], meta={"now": b"7"})
        found, values = store.get_with_meta("ada", ["now", "kinds"])
        assert same_record(found or _record(2), _record(1))
        assert values == [b"7", None]

    def test_ids_from_a_start_on(self, store: InterestStore) -> None:
        """The start need not be there; strings follow integers."""
        store.put_many((user_id, _record(1)) for user_id in (3, 7, "b", "ba", "c"))
        assert list(store.user_ids(start=4)) == [7, "b", "ba", "c"]

    @pytest.mark.parametrize("user_id", ["", True, 2**64, -(2**63) - 1, "\ud800"])
    def test_ids_that_cannot_be_stored_are_refused(self, store: InterestStore, user_id: UserId) -> None:
        """Nothing is written."""
        with pytest.raises(UsageError):
            store.put(user_id, _record(1))
        assert len(store) == 0

    def test_text_and_number_are_different_users(self, store: InterestStore) -> None:
        """``7`` is not ``"7"``, nor the text whose bytes equal a number's."""
        ids: list[UserId] = [7, "7", "\0" * 7 + "\7"]
        store.put_many((user_id, _record(n)) for n, user_id in enumerate(ids))
        found = store.get_many(ids)
        assert all(record and same_record(record, _record(n)) for n, record in enumerate(found))

    def test_long_ids_with_one_beginning_are_different_users(self, store: InterestStore) -> None:
        """Also beyond the size of a backend's keys."""
        ids: list[UserId] = ["a" * n for n in range(470, 530)]
        store.put_many([(user_id, _record(n)) for n, user_id in enumerate(ids)])
        found = store.get_many(ids)
        assert all(record and same_record(record, _record(n)) for n, record in enumerate(found))
        assert set(store.user_ids()) == set(ids)

    def test_get_many_keeps_the_order_asked(self, store: InterestStore) -> None:
        """Unknown users are None, repeated users repeated."""
        store.put_many([("a", _record(1)), ("b", _record(2))])
        found = store.get_many(["b", "x", "a", "b"])
        sizes = [record.n_actions if record else None for record in found]
        assert sizes == [_record(2).n_actions, None, _record(1).n_actions, _record(2).n_actions]

    def test_a_later_record_replaces(self, store: InterestStore) -> None:
        """Also within one call."""
        store.put("a", _record(1))
        store.put_many([("a", _record(2)), ("a", _record(3))])
        found = store.get("a")
        assert found is not None
        assert same_record(found, _record(3))
        assert len(store) == 1

    def test_user_ids_ascend(self, store: InterestStore) -> None:
        """Integers by value, then strings by their UTF-8 bytes, however many there are."""
        numbers = [-(2**63), -300, -1, 0, 1, 255, 256, 2**40, 2**63, 2**64 - 1]
        texts = ["A", "a", "aa", "b", "é", "\uffff", "\U00010000"]
        many = [f"user {n:05d}" for n in range(4_500)]
        expected: list[UserId] = [*numbers, *sorted(texts + many, key=str.encode)]
        store.put_many([(user_id, _record(0)) for user_id in reversed(expected)])
        assert list(store.user_ids()) == expected
        assert len(store) == len(expected)

    def test_user_ids_while_the_store_changes(self, store: InterestStore) -> None:
        """Users untouched meanwhile appear once each."""
        store.put_batch(random_batch(3_000, seed=1, n_actions=1, n_interests=1))
        seen = []
        for user_id in store.user_ids():
            seen.append(user_id)
            if user_id in (10, 2_500):
                store.delete(user_id)
                store.put(5_000, _record(1))
        assert [user_id for user_id in seen if user_id != 5_000] == list(range(3_000))

    def test_put_many_is_all_or_nothing(self, store: InterestStore) -> None:
        """A refused record, wherever it stands, keeps the others and the meta values out."""
        store.put("a", _record(1))
        descending = random_batch(1, seed=1, n_actions=4).record(0)
        descending.times_ms[:] = descending.times_ms[::-1].copy()
        for bad in (("", _record(2)), ("c", descending)):
            with pytest.raises(UsageError):
                store.put_many([("a", _record(2)), ("b", _record(2)), bad], meta={"journal": b"2"})
        found = store.get("a")
        assert found is not None
        assert same_record(found, _record(1))
        assert list(store.user_ids()) == ["a"]
        assert store.get_meta("journal") is None

    def test_put_many_of_nothing(self, store: InterestStore) -> None:
        """It changes nothing."""
        store.put_many([])
        assert len(store) == 0

    def test_meta_values_are_apart_from_users(self, store: InterestStore) -> None:
        """Written with records or alone, under any name."""
        store.put_many([("journal", _record(1))], meta={"journal": b"\0\1", "": b""})
        store.put_meta("zoë", b"z" * 10_000)
        assert [store.get_meta(name) for name in ("journal", "", "zoë")] == [b"\0\1", b"", b"z" * 10_000]
        assert list(store.user_ids()) == ["journal"]

    def test_delete(self, store: InterestStore) -> None:
        """It tells whether there was a record, and leaves the others."""
        store.put_many([(user_id, _record(1)) for user_id in ("a", "b", LONG_ID)])
        assert store.delete("a")
        assert not store.delete("a")
        assert store.delete(LONG_ID)
        assert store.get_many(["a", LONG_ID]) == [None, None]
        assert list(store.user_ids()) == ["b"]

    def test_put_batch_equals_put(self, store: InterestStore) -> None:
        """In ascending batches, in other orders, and over records that are there."""
        first, second = random_batch(50, seed=1, first_user=100), random_batch(50, seed=2, first_user=0)
        again = random_batch(60, seed=3, first_user=95)
        for batch in (first, second, again):
            store.put_batch(batch)
        expected = {100 + u: first.record(u) for u in range(50)}
        expected |= {u: second.record(u) for u in range(50)}
        expected |= {95 + u: again.record(u) for u in range(60)}
        assert list(store.user_ids()) == sorted(expected)
        found = store.get_many(list(expected))
        assert all(a and same_record(a, b) for a, b in zip(found, expected.values(), strict=True))

    def test_put_batch_of_any_records(self, store: InterestStore) -> None:
        """Empty ones, long ids, any values."""

        @settings(max_examples=15, deadline=None)
        @given(st.dictionaries(st.text("abé", min_size=1, max_size=300), user_records(), max_size=5))
        def check(records: dict[str, UserRecord]) -> None:
            ordered = {user_id: _at(records[user_id]) for user_id in sorted(records)}
            store.put_batch(join_records(17, ordered))
            found = store.get_many(list(ordered))
            assert all(a and same_record(a, b) for a, b in zip(found, ordered.values(), strict=True))

        check()

    def test_compact_keeps_what_is_there(self, store: InterestStore) -> None:
        """Records and meta values, also when it runs again, and writes go on."""
        store.put_many([(f"user {n}", _record(n)) for n in range(20)], meta={"journal": b"1"})
        store.put("user 3", _record(30))
        store.delete("user 4")
        for _ in range(2):
            store.compact()
        store.put(LONG_ID, _record(1))
        store.compact()
        found = store.get("user 3")
        assert found is not None
        assert same_record(found, _record(30))
        assert set(store.user_ids()) == {f"user {n}" for n in range(20) if n != 4} | {LONG_ID}
        assert store.get_meta("journal") == b"1"

    def test_n_bytes_grows_with_the_records(self, store: InterestStore) -> None:
        """It is at least what the records need."""
        before = store.n_bytes
        store.put_batch(random_batch(500, seed=1))
        assert store.n_bytes - before > 500 * 100

    def test_threads_share_a_store(self, store: InterestStore) -> None:
        """Each sees its own writes; none is lost."""
        problems: list[str] = []

        def work(number: int) -> None:
            for n in range(20):
                store.put(number * 100 + n, _record(n))
                found = store.get(number * 100 + n)
                if found is None or not same_record(found, _record(n)):
                    problems.append(f"thread {number}, write {n}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert len(store) == 4 * 20

    def test_close_twice(self, tmp_path: Path) -> None:
        """The second does nothing."""
        store = self.open_store(tmp_path / "store")
        store.close()
        store.close()

    def test_records_outlive_the_store(self, tmp_path: Path) -> None:
        """Another store on the path has the same users, records and meta values."""
        self._skip_unless_persistent()
        with self.open_store(tmp_path / "store") as store:
            store.put_many([("a", _record(1)), (LONG_ID, _record(2))], meta={"journal": b"9"})
            store.delete("a")
        with self.open_store(tmp_path / "store") as store:
            found = store.get(LONG_ID)
            assert found is not None
            assert same_record(found, _record(2))
            assert list(store.user_ids()) == [LONG_ID]
            assert store.get_meta("journal") == b"9"

    def test_another_process_reads_what_was_written(self, tmp_path: Path) -> None:
        """While the writer still has the store open."""
        self._skip_unless_persistent()
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        with self.open_store(tmp_path / "store") as store:
            store.put("a", _record(1))
            arguments = (self.open_store, tmp_path / "store", "a", theirs)
            process = spawn.Process(target=_get_elsewhere, args=arguments)
            process.start()
            assert ours.poll(60)
            assert same_record(ours.recv(), _record(1))
            process.join()

    def test_any_calls_equal_a_dictionary(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Hypothesis chooses the calls."""
        run_store_machine(lambda: self.open_store(tmp_path_factory.mktemp("machine")))

    def _skip_unless_persistent(self) -> None:
        if not self.persistent:
            pytest.skip("the backend keeps nothing")


def _at(record: UserRecord) -> UserRecord:
    columns = [getattr(record, name) for name in UserRecord.__slots__[1:-1]]
    return UserRecord(17, *columns)

"""A batch lands under a model whose readers stay with the one before until the next is warm."""

from __future__ import annotations

import gc
import shutil
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.model.test_live import CONFIG, batch, built, items, log, records, table

from pinnersage import PinnerSage
from pinnersage.model import current, opened, warming
from pinnersage.model.live import LiveModel
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.events import NewAction

NEWEST_MS = log()[199].time_ms
NEW = [NewAction(f"u{n % 3}", f"i{n:02d}", NEWEST_MS - n) for n in range(6)]  # "now" does not move


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return built(tmp_path / "m", log()[:200])


@pytest.fixture
def warm(home: Path) -> Iterator[LiveModel]:
    with LiveModel(home, swaps_warm=True) as live:
        yield live


def land(home: Path) -> None:
    PinnerSage.build(items(), table(log()), path=home, config=CONFIG).close()


def n_of(live: LiveModel, user: str) -> int:
    return sum(i["n_actions"] for i in live.interests(user)["interests"])


def test_a_generation_that_is_replaced_does_not_wait_for_the_collector(home: Path, warm: LiveModel) -> None:
    """A service takes what it began with out of the collector's sight."""
    warm.rehearse()
    n_of(warm, "u0"), warm.recommend("u0", 10), warm.add_actions(NEW)
    first = warm._current.opened
    gone = [weakref.ref(one) for one in (first, first.store, first.retriever)]
    del first
    land(home)
    gc.collect()
    gc.disable()
    try:
        assert warm.refresh()
        assert [one() is None for one in gone] == [True] * len(gone)
    finally:
        gc.enable()


def test_writes_by_anyone_are_seen_by_readers_of_both(home: Path, warm: LiveModel, tmp_path: Path) -> None:
    """One answers from the old batch and one from the new; each knows at once what the other took."""
    before = {user: n_of(warm, user) for user in ("u0", "u1", "u2")}
    land(home)
    with LiveModel(home) as other:
        assert (warm.generation, other.generation) == ("00000001", "00000002")
        extra = {user: n_of(other, user) - n for user, n in before.items()}
        for n, action in enumerate(NEW):
            user = str(action.user_id)
            writer, reader = (warm, other) if n % 2 else (other, warm)
            assert writer.add_actions([action])[0].status == "accepted"
            before[user] += 1
            assert n_of(warm, user) == before[user]
            assert n_of(other, user) == before[user] + extra[user]
            assert action.item_id not in {i["item_id"] for i in reader.recommend(user, 60)["items"]}
        assert warm.generation == "00000001"
        assert warm.refresh()
        assert warm.generation == "00000002"
        assert records(warm) == records(other) == batch(tmp_path, [*log(), *NEW])
        assert warm.verify().to_dict()["ok"]


def test_items_and_what_waited_for_them_are_seen_by_readers_of_the_old(home: Path, warm: LiveModel) -> None:
    land(home)
    with LiveModel(home) as other:
        new = replace(NEW[0], item_id="novel")
        assert other.add_actions([new])[0].status == "parked"
        n = n_of(warm, "u0")
        other.put_item("novel", np.ones(10).tolist())
        assert n_of(warm, "u0") == n + 1
        other.delete_item("novel")
        assert n_of(warm, "u0") == n
        assert warm.status()["journal"]["n_parked"] == 0


@pytest.mark.parametrize("rolled_back", [False, True])
def test_what_only_the_new_batch_knew_counts_in_the_old_once_it_knows_the_item(
    home: Path, warm: LiveModel, rolled_back: bool
) -> None:
    """The new one took the actions at once, so that nothing waits for the item."""
    PinnerSage.build(items([*range(50), 55]), table(log()), path=home, config=CONFIG).close()
    mine = NewAction("u0", "i55", NEWEST_MS)
    taken_back = NewAction("u0", "i55", NEWEST_MS - 1)
    found = warm.add_actions([mine, taken_back, replace(taken_back, retract=True)])
    assert [outcome.status for outcome in found] == ["accepted"] * 3
    n = n_of(warm, "u0")
    if rolled_back:
        warm.rollback()
    assert (warm.generation, warm.status()["journal"]["n_parked"]) == ("00000001", 0)
    warm.put_item("i55", np.ones(10).tolist())
    assert n_of(warm, "u0") == n + 1
    assert warm.verify().to_dict()["ok"]
    warm.rollback("00000001")
    assert warm.verify().to_dict()["ok"]


def test_a_swap_looks_up_what_was_asked_for_before(home: Path, warm: LiveModel) -> None:
    for user in ("u0", "u1", "u2"):
        warm.recommend(user, 5)
    asked = warm.status()["cache"]["n_entries"]
    land(home)
    warm.refresh()
    cache = warm.status()["cache"]
    assert cache["n_entries"] == asked > 0
    warm.recommend("u0", 5)
    assert warm.status()["cache"]["n_hits"] > cache["n_hits"]


def test_a_generation_that_is_gone_is_left_at_once(home: Path, warm: LiveModel, tmp_path: Path) -> None:
    """The builds after the next remove it."""
    land(home)
    warm.add_actions(NEW[:3])
    land(home)
    warm.add_actions(NEW[3:])
    assert not (home / "generations" / "00000001").exists()
    assert records(warm) == batch(tmp_path, [*log(), *NEW])
    assert warm.generation == "00000003"
    shutil.rmtree(home / "generations" / "00000002")
    assert records(warm) == batch(tmp_path, [*log(), *NEW])


def test_an_erased_user_is_in_neither(home: Path, warm: LiveModel) -> None:
    land(home)
    with LiveModel(home) as other:
        other.erase("u1")
        assert "u1" not in {*warm.find_users("", 99), *other.find_users("", 99)}
        warm.add_actions([NEW[1]])
        assert (n_of(warm, "u1"), n_of(other, "u1")) == (1, 1)


def test_nobody_reads_from_a_generation_that_a_swap_closed(home: Path, warm: LiveModel) -> None:
    """Many swaps under readers and a writer that the interpreter interrupts as often as it can."""
    land(home)
    ended, n_read = threading.Event(), [0]
    failures: list[Exception] = []
    taken: list[str] = []

    def until_the_end(work: Callable[[], object]) -> None:
        while not ended.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the test tells of any.
                failures.append(error)

    def read() -> None:
        warm.opened_for("u0")
        n_read[0] += 1

    def write() -> None:
        action = NewAction("writer", "i01", NEWEST_MS - len(taken))
        taken.append(warm.add_actions([action])[0].status)

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=until_the_end, args=(work,)) for work in (read, read, write)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(60):
            warm.rollback(f"{1 + turn % 2:08d}")
            warm.refresh()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval_s)
    assert failures == []
    assert n_read[0] > 0
    assert set(taken) == {"accepted"}
    assert n_of(warm, "writer") == len(taken)


def test_a_batch_that_lands_while_another_is_warmed_is_the_one_that_answers(
    home: Path, warm: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the superseded one does not know must not be told to the journal."""
    PinnerSage.build(items([*range(50), 55]), table(log()), path=home, config=CONFIG).close()
    waits = NewAction("u1", "i55", NEWEST_MS)

    def meanwhile(landed: OpenedGeneration, before: OpenedGeneration) -> int:
        if landed.path.name == "00000002":
            land(home)
            with LiveModel(home) as other:
                assert other.add_actions([waits])[0].status == "parked"
        return warming.warm(landed, before)

    monkeypatch.setattr(current, "warm", meanwhile)
    assert warm.refresh()
    assert warm.generation == "00000003"
    assert warm.status()["journal"]["n_parked"] == 1
    n = n_of(warm, "u1")
    warm.put_item("i55", np.ones(10).tolist())
    assert n_of(warm, "u1") == n + 1


def test_one_copy_answers_when_rows_run_out_while_a_batch_is_warmed(
    home: Path, warm: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "N_SPARE_ROWS", 4)
    land(home)
    rng = np.random.default_rng(3)

    def meanwhile(landed: OpenedGeneration, before: OpenedGeneration) -> int:
        if not warm.opened().items.n_new:
            for number in range(6):
                warm.put_item(f"n{number}", rng.normal(size=10).tolist())
        return warming.warm(landed, before)

    monkeypatch.setattr(current, "warm", meanwhile)
    assert warm.refresh()
    assert warm._current._answering == warm._current._newest
    assert warm.opened() is warm._current._newest[0]
    assert warm.neighbors("n5", 1)["neighbors"]

"""Between the acknowledgement of an action and its record: nothing is lost, and no answer lacks it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.model.test_live import CONFIG, VECTORS, batch, built, items, log, records, table
from tests.model.test_live_swap import NEW, land, n_of

from pinnersage import PinnerSage
from pinnersage.config import OnlineConfig
from pinnersage.errors import UnavailableError, UsageError, WouldWaitError
from pinnersage.model import turns, writing
from pinnersage.model.live import LiveModel
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming.events import NewAction, Outcome
from pinnersage.streaming.lmdb_journal import LmdbJournal

MINE, OTHER = [action for action in NEW if action.user_id == "u0"], "u1"
KILLED = """
import os, pickle, sys
from pinnersage.model.live import LiveModel

def acknowledged(outcomes):
    print(*(outcome.status for outcome in outcomes), flush=True)
    os._exit(9)

with LiveModel(sys.argv[1], swaps_warm=True) as live:
    live.add_actions(pickle.loads(bytes.fromhex(sys.argv[2])), acknowledged=acknowledged)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return built(tmp_path / "m", log()[:200])


@pytest.fixture
def live(home: Path) -> Iterator[LiveModel]:
    with LiveModel(home, swaps_warm=True) as opened:
        yield opened


def killed_after_its_acknowledgement(home: Path, actions: list[NewAction]) -> None:
    """Let another process take actions in, and die before it makes their records."""
    command = [sys.executable, "-c", KILLED, str(home), pickle.dumps(actions).hex()]
    died = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert (died.returncode, died.stdout.split()) == (9, ["accepted"] * len(actions))


def test_what_a_writer_acknowledged_before_it_was_killed_is_in_the_next_answer(
    home: Path, live: LiveModel, tmp_path: Path
) -> None:
    n = n_of(live, "u0")
    killed_after_its_acknowledgement(home, NEW)
    assert n_of(live, "u0") == n + len(MINE)
    assert records(live) == batch(tmp_path, [*log()[:200], *NEW])
    killed_after_its_acknowledgement(home, [NewAction("only here", "i01", NEW[0].time_ms)])
    assert live.find_users("only") == ["only here"]
    assert live.verify().to_dict()["ok"]


def test_readers_of_both_batches_have_it_when_one_landed(home: Path, live: LiveModel, tmp_path: Path) -> None:
    land(home)
    with LiveModel(home) as other:
        before = [n_of(model, "u0") for model in (live, other)]
        killed_after_its_acknowledgement(home, NEW)
        assert [n_of(model, "u0") for model in (live, other)] == [n + len(MINE) for n in before]
        assert (live.generation, other.generation) == ("00000001", "00000002")
    live.refresh()
    assert records(live) == batch(tmp_path, [*log(), *NEW])


def test_who_asks_for_the_user_waits_for_the_record_and_others_do_not(home: Path, live: LiveModel) -> None:
    n, counted = n_of(live, "u0"), []

    with LiveModel(home) as elsewhere, PinnerSage.open(home) as library:
        asking = [threading.Thread(target=lambda: counted.append(library.record("u0").n_actions))]
        asking += [
            threading.Thread(target=lambda model=model: counted.append(n_of(model, "u0")))
            for model in (live, elsewhere)
        ]

        def acknowledged(_: list[Outcome]) -> None:
            for model in (live, elsewhere):
                for ask in (model.interests, model.recommend):
                    with pytest.raises(WouldWaitError):
                        ask("u0", may_wait=False)
                    assert ask(OTHER, may_wait=False)["user_id"] == OTHER
                assert model.popular(3, may_wait=False)["items"]
            for thread in asking:
                thread.start()
                thread.join(0.05)
            assert counted == []

        live.add_actions(MINE, acknowledged=acknowledged)
        for thread in asking:
            thread.join()
    assert counted == [n + len(MINE)] * 3


def test_an_object_that_is_open_has_it_too_unless_its_batch_was_replaced(home: Path) -> None:
    with PinnerSage.open(home) as old:
        LiveModel(home).close()
        with PinnerSage.open(home) as model:
            n = model.record("u0").n_actions
            killed_after_its_acknowledgement(home, MINE)
            assert {i["item_id"] for i in model.recommend_dict("u0", 60)["items"]}.isdisjoint(
                action.item_id for action in MINE
            )
            assert model.record("u0").n_actions == n + len(MINE)
            land(home)
            killed_after_its_acknowledgement(home, [replace(MINE[0], item_id="i40")])
            assert model.record("u0").n_actions == old.record("u0").n_actions == n + len(MINE)
        with PinnerSage.open(home) as newest:
            assert "i40" in {i for one in newest.interests("u0")["item_ids"].to_pylist() for i in one}


def test_records_that_cannot_be_written_are_made_by_whoever_asks_next(
    home: Path, live: LiveModel, tmp_path: Path
) -> None:
    n = n_of(live, "u0")
    (store,) = home.glob("generations/*/store/records-*.mdb")
    told = []

    def acknowledged(outcomes: list[Outcome]) -> None:
        told.append([outcome.status for outcome in outcomes])
        store.rename(tmp_path / "aside")

    with pytest.raises(UnavailableError):
        live.add_actions(MINE, acknowledged=acknowledged)
    assert told == [["accepted"] * len(MINE)]
    with pytest.raises(UnavailableError):
        live.interests("u0")
    (tmp_path / "aside").rename(store)
    assert n_of(live, "u0") == n + len(MINE)
    assert {outcome.status for outcome in live.add_actions(MINE)} == {"duplicate"}


def test_an_acknowledgement_says_what_is_returned_and_comes_once(live: LiveModel) -> None:
    told: list[list[Outcome]] = []
    bad, unknown = replace(MINE[0], weight=-1.0), replace(MINE[0], item_id="nowhere")
    for actions in ([bad, MINE[0], unknown, MINE[0]], [MINE[0]], [bad], []):
        found = live.add_actions(actions, acknowledged=told.append)
        assert told.pop() == found
        assert len(found) == len(actions)
        assert not told


def test_without_windows_nobody_waits(tmp_path: Path) -> None:
    """Mode ``recent`` reads what came since the build from the journal, which has it."""
    recent = CONFIG.model_copy(update={"online": OnlineConfig(online="recent")})
    PinnerSage.build(items(), table(log()[:200]), path=tmp_path / "m", config=recent).close()
    with LiveModel(tmp_path / "m") as live:
        n = n_of(live, "u0")
        seen = []

        def acknowledged(_: list[Outcome]) -> None:
            answer = live.interests("u0", may_wait=False)
            seen.append(sum(interest["n_actions"] for interest in answer["interests"]))

        live.add_actions(MINE, acknowledged=acknowledged)
        assert seen == [n + len(MINE)]


def test_who_may_not_write_waits_for_who_may(
    home: Path, live: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, counted = n_of(live, "u0"), []
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)

    def read() -> None:
        with PinnerSage.open(home) as model:
            counted.append(model.record("u0").n_actions)

    reader = threading.Thread(target=read)

    def acknowledged(_: list[Outcome]) -> None:
        reader.start()
        reader.join(0.05)
        assert not counted

    live.add_actions(MINE, acknowledged=acknowledged)
    reader.join()
    assert counted == [n + len(MINE)]
    killed_after_its_acknowledgement(home, [replace(MINE[0], item_id="i40")])
    monkeypatch.setattr(turns, "WAIT_S", 0.05)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="pinnersage verify"):
            read()
    journal = live.journal()
    assert isinstance(journal, LmdbJournal)
    assert journal._opened().n_stores == 1  # Who could not open it has let go of it.
    assert n_of(live, "u0") == n + len(MINE) + 1
    read()
    assert counted[1:] == [n + len(MINE) + 1]


def test_a_writer_that_hangs_is_not_waited_for_without_end(
    home: Path, live: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_S", 0.05)
    seen = []

    def ask() -> None:
        with pytest.raises(UnavailableError, match="hangs, end it"):
            live.interests("u0")
        seen.append(n_of(live, OTHER))

    def acknowledged(_: list[Outcome]) -> None:
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join()

    live.add_actions(MINE, acknowledged=acknowledged)
    assert seen == [n_of(live, OTHER)]


def test_who_is_told_may_not_write_in_the_midst_of_it(live: LiveModel) -> None:
    """An erasure would be undone by the record that is made next."""
    writes = (
        lambda: live.erase("u0"),
        lambda: live.add_actions(NEW),
        lambda: live.delete_item("i01"),
        lambda: live.interests("u0"),
    )

    def acknowledged(_: list[Outcome]) -> None:
        for write in writes:
            with pytest.raises(UsageError, match="another thread"):
                write()

    live.add_actions(MINE, acknowledged=acknowledged)
    assert live.erase("u0")["erased"]


def test_an_item_that_is_put_keeps_those_waiting_only_whose_actions_waited_for_it(
    live: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.add_actions([replace(MINE[0], item_id="novel"), replace(MINE[0], user_id="parked", item_id="novel")])
    n, real, seen = n_of(live, OTHER), writing._apply_parked, []

    def apply_parked(*args: Any, **more: Any) -> int:
        for user in ("u0", "parked"):
            with pytest.raises(WouldWaitError):
                live.interests(user, may_wait=False)
        seen.append(sum(i["n_actions"] for i in live.interests(OTHER, may_wait=False)["interests"]))
        return real(*args, **more)

    monkeypatch.setattr(writing, "_apply_parked", apply_parked)
    live.put_item("novel", VECTORS[0])
    assert seen == [n]
    assert n_of(live, "parked") == 1


def test_a_way_back_in_the_midst_of_a_question_hides_nothing(
    home: Path, live: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is current then lacks what came since, and a writer is still folding it in."""
    with LiveModel(home) as reader:
        n = n_of(reader, "u0")
        land(home)
        live.refresh()
        live.add_actions(MINE)
        current, made = type(reader._current), type(reader._current)._made_whole

        def later(self: Any, *args: Any) -> Any:
            monkeypatch.setattr(current, "_made_whole", made)
            GenerationDirectory(home).rollback("00000001")
            with live._write_lock.held():
                return made(self, *args)

        monkeypatch.setattr(current, "_made_whole", later)
        with LiveModel(home) as newest:
            expected = n_of(newest, "u0")
        assert n_of(reader, "u0") == expected > n

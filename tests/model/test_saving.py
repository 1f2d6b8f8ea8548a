"""Copies of a model that others write to meanwhile: each is the model as it was at one moment."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from tests.model.test_live import DAY_MS, START_MS, VECTORS, batch, built, log, records, table
from tests.model.test_live_landing import MINE, SECRET, build, held

from pinnersage.errors import StorageFullError, UnavailableError, UsageError
from pinnersage.model import erasing
from pinnersage.model.home import WriteLock
from pinnersage.model.live import LiveModel
from pinnersage.model.saving import back_up
from pinnersage.store._environment import Environment
from pinnersage.streaming.entries import action_entry
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.lmdb_journal import LmdbJournal

LATE = [NewAction(f"u{n % 7}", f"i{n % 40:02d}", START_MS + 100 * DAY_MS + n) for n in range(400)]


@contextmanager
def just_before(owner: Any, name: str, happens: Callable[[], object], n_times: int = 1) -> Iterator[None]:
    """Let something happen right before a step, as often as asked at most."""
    real, done = getattr(owner, name), list[bool]()

    def step(*args: Any, **kwargs: Any) -> Any:
        if len(done) < n_times:
            done.append(True)
            happens()
        return real(*args, **kwargs)

    with patch.object(owner, name, step):
        yield
    assert done


def test_a_copy_has_what_was_acknowledged_before_and_agrees_with_itself(tmp_path: Path) -> None:
    """One writer after the other lets go: records and journal of a copy are of the same moment."""
    home, acknowledged, done = built(tmp_path / "m", log()), list[NewAction](), threading.Event()

    def act() -> None:
        with LiveModel(home) as live:
            for action in LATE:
                live.add_actions([action])
                acknowledged.append(action)
        done.set()

    writer = threading.Thread(target=act)
    writer.start()
    n = 0
    while not done.is_set() or not n:
        known, copy = list(acknowledged), tmp_path / f"copy{n}"
        back_up(home, copy)
        with LiveModel(copy) as live:
            assert live.verify().to_dict()["ok"]
            n_held = live.status()["journal"]["head"]
            assert len(known) <= n_held
            assert records(live) == batch(tmp_path, [*log(), *LATE[:n_held]])
            live.add_actions(LATE)
            assert records(live) == batch(tmp_path, [*log(), *LATE])
        n += 1
    writer.join()


def test_records_and_journal_are_of_one_moment(tmp_path: Path) -> None:
    """Whoever could write between their copies does."""
    home, copy, late = built(tmp_path / "m", log()), tmp_path / "copy", iter(LATE)
    with LiveModel(home) as live:
        live.add_actions([next(late)])

        def act() -> None:
            with WriteLock(home).held(waits=False) as is_free:
                if not is_free:
                    return
            live.add_actions([next(late)])

        with just_before(Environment, "copy_to", act, n_times=2):
            back_up(home, copy)
    with LiveModel(copy) as live:
        assert live.verify().to_dict()["ok"]
        n_held = live.status()["journal"]["head"]
        assert records(live) == batch(tmp_path, [*log(), *LATE[:n_held]])


def test_writers_wait_for_the_moment_and_not_for_the_copy(tmp_path: Path) -> None:
    home, copy = built(tmp_path / "m", log()), tmp_path / "copy"
    with LiveModel(home) as live:
        live.add_actions(LATE[:1])

        def act() -> None:
            with WriteLock(home).held(waits=False) as is_free:
                assert is_free
            live.add_actions(LATE[1:2])

        with just_before(shutil, "copyfile", act):
            back_up(home, copy)
        assert records(live) == batch(tmp_path, [*log(), *LATE[:2]])
    with LiveModel(copy) as live:
        assert records(live) == batch(tmp_path, [*log(), *LATE[:1]])


def test_what_the_log_takes_back_items_and_mutes_are_in_the_copy(tmp_path: Path) -> None:
    first = log()[0]
    rows = table(log()).append_column("retract", [[False] * len(log())])
    back = table([first]).append_column("retract", [[True]])
    home, copy = tmp_path / "m", tmp_path / "copy"
    build(home, pa.concat_tables([rows, back]))
    with LiveModel(home) as live:
        live.put_item("new", VECTORS[3] + VECTORS[7])
        live.delete_item("i05")
        live.set_preference("u1", "i03", "muted")
        before, told = records(live), live.interests("u1")
    back_up(home, copy)
    with LiveModel(copy) as live:
        assert records(live) == before
        assert live.interests("u1") == told
        assert "muted" in str(told)
        assert live.opened().row_of("new") >= 0
        assert live.add_actions([first])[0].reason is not None


def test_who_was_erased_is_in_no_later_copy(tmp_path: Path) -> None:
    home = tmp_path / "m"
    build(home, [*log(), *MINE[:2]])
    with LiveModel(home) as live:
        live.add_actions(MINE)
        live.erase(SECRET)
    back_up(home, tmp_path / "copy")
    assert held(tmp_path / "copy") == []


def test_an_erasure_that_was_killed_is_finished_first(tmp_path: Path) -> None:
    home = tmp_path / "m"
    build(home, [*log(), *MINE])
    child = os.fork()
    if child == 0:
        with patch.object(erasing, "_delete", lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
            LiveModel(home).erase(SECRET)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert held(home)
    back_up(home, tmp_path / "copy")
    assert held(tmp_path / "copy") == []


def test_a_generation_that_goes_meanwhile_leaves_no_copy(tmp_path: Path) -> None:
    home, copy = built(tmp_path / "m", log()), tmp_path / "copy"
    gone = home / "generations" / "00000001"
    with (
        just_before(shutil, "copyfile", lambda: shutil.rmtree(gone)),
        pytest.raises(UnavailableError, match="newer builds"),
    ):
        back_up(home, copy)
    assert not copy.exists()


def test_the_first_actions_ever_are_not_left_out(tmp_path: Path) -> None:
    home, copy = built(tmp_path / "m", log()), tmp_path / "copy"

    def act() -> None:
        with LiveModel(home) as live:
            live.add_actions(LATE[:1])

    with just_before(Environment, "copy_to", act), pytest.raises(UnavailableError, match="try again"):
        back_up(home, copy)
    assert not copy.exists()
    back_up(home, copy)
    with LiveModel(copy) as live:
        assert records(live) == batch(tmp_path, [*log(), *LATE[:1]])


def test_a_full_disk_leaves_no_copy(tmp_path: Path) -> None:
    home, copy = built(tmp_path / "m", log()), tmp_path / "copy"
    files = [path for path in home.rglob("*") if path.is_file() and "store" not in path.parts]
    largest = max(path.stat().st_size for path in files)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, limits[1]))

    try:
        with just_before(shutil, "copyfile", limit), pytest.raises(StorageFullError):
            back_up(home, copy)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not copy.exists()
    assert not list(tmp_path.glob(".copy*"))
    back_up(home, copy)


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    home, copy = built(tmp_path / "m", log()), tmp_path / "copy"
    back_up(home, copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="new directory"):
        back_up(home, copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_a_copy_of_a_journal_is_of_the_moment_it_says(tmp_path: Path) -> None:
    journal = LmdbJournal(tmp_path / "journal")
    journal.append([action_entry(LATE[0], 1)])

    def act() -> None:
        journal.append([action_entry(LATE[1], 2)])

    journal.copy_to(tmp_path / "copy", act)
    assert journal.heads().all == 2
    assert LmdbJournal(tmp_path / "copy").heads().all == 1

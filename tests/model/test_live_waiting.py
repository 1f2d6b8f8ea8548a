"""Readers of a model wait for no writer: where they would have to, they say so, or answer otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.model.test_live import built, log
from tests.model.test_live_swap import NEW, land, n_of

from pinnersage.errors import WouldWaitError
from pinnersage.model.live import LiveModel

HOLDER = """
import sys
from pathlib import Path
from pinnersage.model.home import WriteLock

with WriteLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return built(tmp_path / "m", log()[:200])


@pytest.fixture
def warm(home: Path) -> Iterator[LiveModel]:
    with LiveModel(home, swaps_warm=True) as live:
        yield live


@contextmanager
def held_elsewhere(home: Path) -> Iterator[None]:
    """Let another process hold the write lock."""
    command = [sys.executable, "-c", HOLDER, str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.communicate("\n", timeout=60)


def test_readers_wait_for_no_writer_and_know_what_was_acknowledged(home: Path, warm: LiveModel) -> None:
    """Who acted since is answered from the new batch while the lock is held, from the old one else."""
    n_old = {user: n_of(warm, user) for user in ("u0", "u1")}
    land(home)
    with LiveModel(home) as other:
        n_new = n_of(other, "u0")
        assert other.add_actions([NEW[0]])[0].status == "accepted"
    with held_elsewhere(home):
        for ask in (warm.interests, warm.recommend):
            with pytest.raises(WouldWaitError):
                ask("u0", may_wait=False)
        assert n_of(warm, "u0") == n_new + 1
        assert NEW[0].item_id not in {item["item_id"] for item in warm.recommend("u0", 60)["items"]}
        assert warm.interests("u1", may_wait=False) == warm.interests("u1")
        assert n_of(warm, "u1") == n_old["u1"]
        assert warm.popular(5, may_wait=False)["items"]
        assert warm.neighbors("i01", 5, may_wait=False)["neighbors"]
        warm.check_ready()
        assert warm.status()["generation"] == warm.generation == "00000001"
    assert n_of(warm, "u0") == n_old["u0"] + 1
    assert warm.interests("u0", may_wait=False) == warm.interests("u0")


def test_readers_leave_a_generation_that_is_gone_though_the_lock_is_held(home: Path, warm: LiveModel) -> None:
    land(home)
    land(home)
    assert not (home / "generations" / "00000001").exists()
    with held_elsewhere(home):
        with pytest.raises(WouldWaitError):
            warm.interests("u0", may_wait=False)
        assert warm.interests("u0")
        assert warm.generation == "00000003"
        assert warm.interests("u0", may_wait=False)


def test_items_that_others_put_are_taken_over_where_a_reader_may_wait(home: Path, warm: LiveModel) -> None:
    with LiveModel(home) as other:
        other.put_item("novel", np.ones(10).tolist())
        for ask in (warm.interests, warm.recommend):
            with pytest.raises(WouldWaitError):
                ask("u0", may_wait=False)
        with pytest.raises(WouldWaitError):
            warm.neighbors("novel", may_wait=False)
        with pytest.raises(WouldWaitError):
            warm.popular(may_wait=False)
        with held_elsewhere(home):
            assert warm.neighbors("novel")["neighbors"]
        assert warm.recommend("u0", may_wait=False)["items"]


def test_a_generation_that_goes_while_a_reader_waits_for_the_lock_is_left(
    home: Path, warm: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is free again once the next batch has landed; what was to be brought up to date is gone."""
    land(home)
    with LiveModel(home) as other:
        n_new = n_of(other, "u0")
        other.add_actions([NEW[0]])
    held = warm._write_lock.held

    def landed_before(**options: Any) -> Any:
        monkeypatch.setattr(warm._write_lock, "held", held)
        land(home)
        return held(**options)

    monkeypatch.setattr(warm._write_lock, "held", landed_before)
    assert n_of(warm, "u0") == n_new + 1
    assert warm.generation == "00000003"

"""What happens around a build that lands: erasures meanwhile, the first journal, ids of another type."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from tests.model.test_live import CONFIG, DAY_MS, START_MS, batch, built, items, log, records, table

from pinnersage import PinnerSage
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError, UserNotFoundError
from pinnersage.model import changes, facade, landing, opened
from pinnersage.model.live import LiveModel
from pinnersage.store._build_lock import build_lock
from pinnersage.store._generation_files import GENERATIONS, LOCK, STAGING, UNPUBLISHED
from pinnersage.store.generations import GenerationDirectory, Staging
from pinnersage.streaming._key_ranges import keys_of
from pinnersage.streaming._user_index import IN_BLOCKS
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.journal import Heads
from pinnersage.streaming.lmdb_journal import LmdbJournal

SECRET = "erase-me-please"
MINE = [NewAction(SECRET, f"i{i:02d}", START_MS + 100 * DAY_MS + i) for i in range(5)]
WORD = NewAction("word", "i01", START_MS + 119 * DAY_MS)


@contextmanager
def meanwhile(owner: Any, name: str, happens: Callable[[], object]) -> Iterator[None]:
    """Let something happen once, right after a step of a build."""
    real, done = getattr(owner, name), list[bool]()

    def step(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        if not done:
            done.append(True)
            happens()
        return found

    with patch.object(owner, name, step):
        yield
    assert done


def held(home: Path, secret: str = SECRET) -> list[str]:
    """Return the files that still hold a user's id."""
    return [str(p) for p in home.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


def build(home: Path, actions: list[NewAction] | pa.Table, config: BuildConfig = CONFIG) -> None:
    found = actions if isinstance(actions, pa.Table) else table(actions)
    PinnerSage.build(items(), found, path=home, config=config).close()


STEPS = [(facade, "write_generation"), (landing, "catch_up"), (landing, "sync_tree")]


@pytest.mark.parametrize("mode", ["exact", "recent"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
def test_an_erasure_reaches_a_build_that_is_running(tmp_path: Path, mode: str, step: tuple[Any, str]) -> None:
    """What the build read in its log and in the journal goes; what they do afterwards counts."""
    home = tmp_path / "m"
    config = CONFIG.model_copy(update={"online": CONFIG.online.model_copy(update={"online": mode})})
    build(home, log(), config)
    with LiveModel(home) as live:
        live.add_actions(MINE)

        def erase_and_come_back() -> None:
            live.erase(SECRET)
            live.erase("u2")
            live.add_actions([replace(MINE[4], user_id="u2")])

        with meanwhile(*step, erase_and_come_back):
            build(home, [*log(), *MINE[:2]], config)
        live.refresh()
        assert live.generation == "00000002"
        with pytest.raises(UserNotFoundError):
            live.interests(SECRET)
        assert [i["n_actions"] for i in live.interests("u2")["interests"]] == [1]
        live.add_actions([replace(MINE[0], user_id="u1")])
    assert held(home) == []


def test_an_erasure_does_not_reach_a_later_build(tmp_path: Path) -> None:
    """Who comes back in a later log is there again, also when a build was killed in between."""
    home = tmp_path / "m"
    build(home, [*log(), *MINE])
    with LiveModel(home) as live:

        def erase_and_stop() -> None:
            live.erase(SECRET)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), meanwhile(facade, "write_generation", erase_and_stop):
            build(home, log())
        build(home, [*log(), *MINE])
        assert sum(i["n_actions"] for i in live.interests(SECRET)["interests"]) == len(MINE)


def test_an_erasure_removes_what_a_killed_build_left(tmp_path: Path) -> None:
    home = tmp_path / "m"
    with LiveModel(built(home, [*log(), *MINE])) as live:
        shutil.copytree(home / GENERATIONS / "00000001", home / GENERATIONS / STAGING)
        live.erase(SECRET)
    assert held(home) == []


def test_a_journal_that_began_during_a_build_is_in_it(tmp_path: Path) -> None:
    home = tmp_path / "m"
    built(home, log()[:200])
    shutil.rmtree(home / "journal", ignore_errors=True)

    def first_actions() -> None:
        with LiveModel(home) as live:
            live.add_actions(log()[200:])

    with meanwhile(facade, "write_generation", first_actions):
        build(home, log()[:200])
    with LiveModel(home) as live:
        assert live.recover() == 0
        assert live.generation == "00000002"
        assert records(live) == batch(tmp_path, log())


def numbered(actions: list[NewAction], kind: pa.DataType) -> pa.Table:
    """Return actions of the users 0, 1, 2, ..., as integers or as text."""
    users = pa.array([str(action.user_id).removeprefix("u") for action in actions])
    return table(actions).set_column(0, "user_id", users.cast(kind))


def told_of(live: LiveModel) -> dict[Any, Any]:
    """Return the records of all but the one whose id is no number."""
    return {f"u{user}": told for user, told in records(live).items() if user != WORD.user_id}


def test_users_that_become_text_are_the_same_users(tmp_path: Path) -> None:
    """Journal, preferences and erasures know them; rolled back to integers, too."""
    home, wanted = tmp_path / "m", batch(tmp_path, [*log(), WORD])
    wanted.pop(WORD.user_id)
    build(home, numbered(log()[:100], pa.int64()))
    with LiveModel(home) as live:
        live.add_actions([replace(a, user_id=int(str(a.user_id)[1:])) for a in log()[100:200]])
        live.set_preference(1, live.interests(1)["interests"][0]["medoid_item_id"], "muted")
        before = records(live)
        build(home, numbered([*log()[:100], *log()[200:], WORD], pa.string()))
        assert sorted(live.find_users()) == sorted([*(u[1:] for u in wanted), "word"])
        assert told_of(live) == wanted
        n_mine = sum(action.user_id == "u1" for action in log()[100:200])
        assert [len(live.export(user)["journal"]) for user in (1, "1")] == [n_mine, n_mine]
        live.add_actions([replace(WORD, item_id="i02"), replace(WORD, user_id="01")])
        GenerationDirectory(home).rollback()
        live.refresh()
        assert live.recover() == 0
        assert records(live) == before  # "word" and "01" are nobody there
        receipt = live.erase("1")
        assert [one["generation"] for one in receipt["removed"]] == ["00000001", "00000002"]
        assert receipt["journal"] == {"n_entries": n_mine, "n_preferences": 1}


def test_users_that_were_text_stay_text(tmp_path: Path) -> None:
    """The journal may hold some that are no integers."""
    home, wanted = tmp_path / "m", batch(tmp_path, log())
    build(home, numbered([*log()[:100], WORD], pa.string()))
    with LiveModel(home) as live:
        live.add_actions([replace(WORD, item_id="i02")])
        build(home, numbered(log(), pa.int64()))
        assert sorted(live.find_users()) == sorted([*(u[1:] for u in wanted), "word"])
        assert told_of(live) == wanted
        assert sum(i["n_actions"] for i in live.interests("word")["interests"]) == 1


def killed_while(home: Path, owner: Any, name: str, actions: list[NewAction]) -> None:
    """Build in a process of its own, which is shot at a step."""
    child = os.fork()
    if child == 0:
        with patch.object(owner, name, lambda *_args, **_kwargs: os.kill(os.getpid(), signal.SIGKILL)):
            build(home, actions)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def test_an_erasure_is_finished_when_the_build_was_killed(tmp_path: Path) -> None:
    """The receipt was given while the build ran; what the build left goes with the next look."""
    home = tmp_path / "m"
    build(home, [*log(), *MINE])
    with LiveModel(home) as live:
        shutil.copytree(home / GENERATIONS / "00000001", home / GENERATIONS / STAGING)
        with build_lock(home / LOCK, home):
            live.erase(SECRET)
            live.refresh()
            assert held(home)  # It is the build's, as long as that runs.
        live.refresh()
        live.add_actions([replace(MINE[0], user_id="u1")])
        assert held(home) == []
        assert not live.journal().has_erasures()


def test_a_first_build_killed_in_an_empty_directory_can_be_repeated(tmp_path: Path) -> None:
    home = tmp_path / "m"
    home.mkdir()
    killed_while(home, Staging, "publish", log())
    build(home, log())
    with LiveModel(home) as live:
        assert live.generation == "00000001"


def test_what_a_killed_sweep_leaves_is_no_generation(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log())
    half = home / GENERATIONS / "00000002"
    shutil.copytree(home / GENERATIONS / "00000001", half)
    (half / UNPUBLISHED).touch()
    killed_while(home, shutil, "rmtree", log())
    with LiveModel(home) as live:
        assert live.erase("u1")["erased"]


def test_a_copy_has_its_journal_or_is_none(tmp_path: Path) -> None:
    home, copy = built(tmp_path / "m", log()[:200]), tmp_path / "copy"
    with PinnerSage.open(home) as model:
        model.update(table(log()[200:]))
        with (
            pytest.raises(KeyboardInterrupt),
            patch.object(Staging, "publish", side_effect=KeyboardInterrupt),
        ):
            model.save(copy)
        assert not copy.exists()
        model.save(copy)
        with pytest.raises(UsageError, match="new directory"):
            model.save(copy)
    build(copy, log()[:200])
    with LiveModel(copy) as live:
        assert records(live) == batch(tmp_path, log())


def test_an_update_while_a_build_lands_is_in_the_next_answer(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log()[:200])
    with (
        PinnerSage.open(home) as model,
        meanwhile(changes.Changes, "_live", lambda: build(home, log()[:200])),
    ):
        model.update(table(MINE))
        assert model.interests(SECRET).num_rows


def test_more_items_are_put_during_a_build_than_there_is_room(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log())
    with LiveModel(home) as live, patch.object(opened, "N_SPARE_ROWS", 4):

        def put_many() -> None:
            for n in range(20):
                live.put_item(f"novel {n}", np.ones(10).tolist())

        with meanwhile(landing, "sync_tree", put_many):
            live.add_actions(MINE[:1])
            build(home, log())
        assert live.opened().items.n_items == 70


def test_a_journal_may_be_opened_while_another_makes_it(tmp_path: Path) -> None:
    with patch.object(LmdbJournal, "_check_layout"):
        LmdbJournal(tmp_path / "journal").close()
    with LmdbJournal(tmp_path / "journal", create=False) as journal:
        assert journal.heads() == Heads(0, 0)


def test_a_build_waits_for_an_erasure_that_removes_leftovers(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log())
    with build_lock(home / LOCK, home):
        waiting = threading.Thread(target=build, args=(home, log()))
        waiting.start()
        time.sleep(0.3)
    waiting.join()
    assert GenerationDirectory(home).current().name == "00000002"


@pytest.mark.parametrize("mode", ["exact", "recent"])
def test_questions_about_a_user_look_into_what_came_since_the_build_at_most(
    tmp_path: Path, mode: str
) -> None:
    home = tmp_path / "m"
    config = CONFIG.model_copy(update={"online": CONFIG.online.model_copy(update={"online": mode})})

    def n_in_blocks() -> int:
        with LmdbJournal(home / "journal", create=False) as journal:
            return journal._read(lambda txn: len(list(keys_of(txn, IN_BLOCKS))))

    build(home, log(), config)
    with LiveModel(home) as live:
        live.add_actions(MINE)
    assert n_in_blocks() == (len(MINE) if mode == "exact" else 0)
    build(home, log(), config)
    assert n_in_blocks() == 0
    with LiveModel(home) as live:
        assert [o.status for o in live.add_actions(MINE)] == ["duplicate"] * len(MINE)
        live.add_actions([WORD])
        assert n_in_blocks() == (mode == "exact")
        if mode == "exact":
            assert live.verify().n_differing == 0
            assert n_in_blocks() == 0


def test_a_build_tells_what_the_journal_takes(tmp_path: Path) -> None:
    home, told = tmp_path / "m", list[tuple[str, int, int | None]]()
    build(home, log())
    with PinnerSage.open(home) as model:
        assert "journal_s" not in model.summary()["timings"]
    with LiveModel(home) as live:
        live.add_actions([WORD])
    PinnerSage.build(
        items(), table(log()), path=home, config=CONFIG, progress=lambda *step: told.append(step)
    ).close()
    assert ("taking in the journal", 1, 1) in told
    with PinnerSage.open(home) as model:
        assert model.summary()["timings"]["journal_s"] > 0

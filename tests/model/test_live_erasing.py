"""Erasing: what is rewritten and what is not, and what becomes of an erasure that was killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from tests.model.test_live import built, log, table
from tests.model.test_live_landing import MINE, SECRET, build, held, meanwhile

from pinnersage.errors import UserNotFoundError
from pinnersage.model import facade
from pinnersage.model.erasing import ERASING
from pinnersage.model.live import LiveModel
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.lmdb import LmdbStore
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.lmdb_journal import LmdbJournal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return built(tmp_path / "m", [*log()[:200], *MINE[:2]])


@pytest.fixture
def live(home: Path) -> Iterator[LiveModel]:
    with LiveModel(home) as opened:
        opened.add_actions(MINE[2:])
        yield opened


def data_files(home: Path) -> dict[Path, int]:
    """Return the files that a compaction replaces."""
    return {path: path.stat().st_ino for path in home.rglob("records-*.mdb")}


def test_erasing_nobody_rewrites_nothing(live: LiveModel, home: Path) -> None:
    before = data_files(home)
    for user in ("nobody", 7):
        with pytest.raises(UserNotFoundError, match="nothing is held"):
            live.erase(user)
    assert data_files(home) == before
    assert live.erase(SECRET)["erased"]
    after = data_files(home)
    assert not set(before.values()) & set(after.values())
    with pytest.raises(UserNotFoundError):
        live.erase(SECRET)
    assert data_files(home) == after


def test_what_only_the_journal_holds_is_erased(live: LiveModel, home: Path) -> None:
    """Of somebody whose only item is not known, there is no record."""
    live.add_actions([NewAction("parked-and-gone", "no such item", MINE[0].time_ms)])
    assert live.erase("parked-and-gone")["journal"]["n_entries"] == 1
    assert held(home, "parked-and-gone") == []


@pytest.mark.parametrize(
    "step",
    [(LmdbJournal, "forget"), (LmdbStore, "delete"), (LmdbStore, "compact"), (LmdbJournal, "compact")],
)
@pytest.mark.parametrize("by", ["asking again", "opening", "refreshing"])
def test_an_erasure_that_was_killed_is_finished(
    live: LiveModel, home: Path, step: tuple[type, str], by: str
) -> None:
    with patch.object(*step, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        live.erase(SECRET)
    assert held(home)
    if step[1] == "forget":
        live.erase(SECRET)
    elif by == "asking again":
        with suppress(UserNotFoundError):  # Not found where nothing but freed pages was left.
            live.erase(SECRET)
    elif by == "opening":
        LiveModel(home).close()
    else:
        live.refresh()
    assert held(home) == []
    assert live.verify().to_dict()["ok"]


def test_who_acts_again_after_an_erasure_is_not_erased_by_the_end_of_another(
    live: LiveModel, home: Path
) -> None:
    """While a build runs, who was erased is remembered; an erasure that was killed must tell them apart."""
    with patch.object(GenerationDirectory, "remove_leftovers", return_value=False):
        live.erase(SECRET)
        live.add_actions(MINE[2:])
        with (
            patch.object(LmdbStore, "compact", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            live.erase("u1")
    LiveModel(home).close()
    assert live.interests(SECRET)["interests"]
    with pytest.raises(UserNotFoundError):
        live.interests("u1")


def kill_an_erasure(
    live: LiveModel, user: str = SECRET, step: tuple[type, str] = (LmdbStore, "delete")
) -> None:
    with patch.object(*step, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        live.erase(user)


@pytest.mark.parametrize("step", [(LmdbStore, "delete"), (LmdbStore, "compact"), (LmdbJournal, "compact")])
@pytest.mark.parametrize("opened", ["before", "anew"])
def test_trimming_does_not_forget_an_erasure_that_was_killed(
    live: LiveModel, home: Path, step: tuple[type, str], opened: str
) -> None:
    kill_an_erasure(live, step=step)
    if opened == "before":
        live.compact(keep_days=0)
    else:
        with LiveModel(home) as other:
            other.compact(keep_days=0)
    LiveModel(home).close()
    assert held(home) == []
    with pytest.raises(UserNotFoundError):
        live.interests(SECRET)


def test_a_build_does_not_forget_an_erasure_that_was_killed(live: LiveModel, home: Path) -> None:
    kill_an_erasure(live)
    build(home, log()[:200])
    live.refresh()
    assert held(home) == []


@pytest.mark.parametrize("by", ["an action", "a table"])
def test_who_acts_again_before_the_end_of_an_erasure_begins_anew(
    live: LiveModel, home: Path, by: str
) -> None:
    kill_an_erasure(live)
    if by == "an action":
        live.add_actions(MINE[4:])
    else:
        live.add_table(table(MINE[4:]))
    live.refresh()
    assert [i["n_actions"] for i in live.interests(SECRET)["interests"]] == [1]
    assert len(live.export(SECRET)["seen_item_ids"]) == 0
    assert live.verify().to_dict()["ok"]
    assert not any((home / "journal").glob(ERASING))


def test_who_acts_again_is_not_erased_when_the_journal_is_trimmed(live: LiveModel, home: Path) -> None:
    with patch.object(GenerationDirectory, "remove_leftovers", return_value=False):
        live.erase(SECRET)
        live.add_actions(MINE[4:])
        live.compact(keep_days=-1)  # What came in this very millisecond, too.
        kill_an_erasure(live, "u1", (LmdbStore, "compact"))
    LiveModel(home).close()
    assert [i["n_actions"] for i in live.interests(SECRET)["interests"]] == [1]


def test_who_is_only_in_the_log_of_a_running_build_does_not_land(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log()[:200])
    with LiveModel(home) as live:

        def erase() -> None:
            with pytest.raises(UserNotFoundError):
                live.erase(SECRET)

        with meanwhile(facade, "write_generation", erase):
            built(home, [*log(), *MINE])
        live.refresh()
        assert live.generation == "00000002"
        with pytest.raises(UserNotFoundError):
            live.interests(SECRET)
    assert held(home) == []

"""What must not get lost between generations and processes: one test for each fault that chaos found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest

from pinnersage import PinnerSage
from pinnersage._ids import UserId
from pinnersage.errors import UnavailableError
from pinnersage.model.live import LiveModel
from pinnersage.model.opened import OpenedGeneration
from pinnersage.store.generations import GenerationDirectory, Staging
from pinnersage.streaming.entries import ActionEntry, ItemEntry
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.lmdb_journal import LmdbJournal

TIME_MS = 1_700_000_000_000
VECTORS = np.eye(4, 8, dtype=np.float32).tolist()


def build(home: Path, items: str = "ab", actions: str = "a") -> Path:
    """Build a model of some one-letter items, and actions of the user u on some of them."""
    table = pa.table({"item_id": list(items), "embedding": VECTORS[: len(items)]})
    times = pa.array([TIME_MS] * len(actions), pa.timestamp("ms", "UTC"))
    log = pa.table({"user_id": ["u"] * len(actions), "item_id": list(actions), "timestamp": times})
    PinnerSage.build(table, log, path=home).close()
    return home


def act(item: str, user: UserId = "u") -> NewAction:
    return NewAction(user, item, TIME_MS)


def counted(live: LiveModel, user: UserId = "u") -> list[str]:
    opened = live.opened()
    return list(opened.items.vocabulary.ids_of(opened.record(user).item_rows))


def test_a_parked_action_outlives_a_build_that_knew_its_item_and_died(tmp_path: Path) -> None:
    with LiveModel(build(tmp_path / "m")) as live:
        assert live.add_actions([act("c")])[0].status == "parked"
        with (
            patch.object(Staging, "publish", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            build(tmp_path / "m", "abc")
        live.put_item("c", VECTORS[3], {})
        assert counted(live) == ["a", "c"]


def test_a_parked_action_outlives_a_rollback_to_before_its_item(tmp_path: Path) -> None:
    with LiveModel(build(tmp_path / "m")) as live:
        live.add_actions([act("c")])
        build(tmp_path / "m", "abc")
        assert counted(live) == ["a", "c"]
        GenerationDirectory(tmp_path / "m").rollback()
        assert counted(live) == ["a"]
        live.put_item("c", VECTORS[3], {})
        assert counted(live) == ["a", "c"]


def test_a_parked_action_outlives_a_writer_that_dies_while_it_recovers_from_a_death(tmp_path: Path) -> None:
    home = build(tmp_path / "m")
    with LiveModel(home) as live:
        live.add_actions([act("c")])
        live.journal().append([ItemEntry("c", np.array(VECTORS[3], np.float32), TIME_MS)])
    dies = patch("pinnersage.model.writing._apply_parked", side_effect=KeyboardInterrupt)
    with dies, pytest.raises(KeyboardInterrupt):
        LiveModel(home)
    with LiveModel(home) as live:
        assert counted(live) == ["a", "c"]


def test_a_parked_action_that_comes_again_waits_once(tmp_path: Path) -> None:
    with LiveModel(build(tmp_path / "m"), max_parked=2) as live:
        found = [outcome.status for outcome in live.add_actions([act("c"), act("c"), act("d")])]
        found += [outcome.status for outcome in live.add_actions([act("c"), act("e")])]
        assert found == ["parked", "parked", "parked", "parked", "rejected"]
        assert live.status()["journal"]["n_parked"] == 2


def test_an_action_acknowledged_as_a_repeat_outlives_the_log_it_repeats(tmp_path: Path) -> None:
    with LiveModel(build(tmp_path / "m", actions="ab")) as live:
        assert [o.status for o in live.add_actions([act("b"), act("b")])] == ["duplicate"] * 2
        assert live.journal().heads().all == 1
        live.add_actions([act("b")])
        assert live.journal().heads().all == 1
        build(tmp_path / "m", actions="a")
        assert counted(live) == ["a", "b"]


def test_more_items_put_by_another_process_than_there_are_spare_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinnersage.model.opened.N_SPARE_ROWS", 2)
    code = f"""
from pinnersage.errors import UnavailableError
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction
with LiveModel({str(tmp_path / "m")!r}) as live:
    for number in range(6):
        live.put_item(f"n{{number}}", [1.0 + number, 1, 0, 0, 0, 0, 0, 0], {{}})
    live.add_actions([NewAction("u", "n5", {TIME_MS})])
"""
    with LiveModel(build(tmp_path / "m")) as live:
        subprocess.run([sys.executable, "-c", code], check=True)
        assert counted(live) == ["a", "n5"]


def test_a_record_that_is_ahead_of_the_catalogue_brings_its_items(tmp_path: Path) -> None:
    with LiveModel(build(tmp_path / "m")) as live:
        stale = OpenedGeneration(live.opened().path, live.journal())
        live.put_item("c", VECTORS[3], {})
        live.add_actions([act("c")])
        # A reader looked at the catalogue before, and at the record after another process had written both.
        assert stale.items.vocabulary.ids_of(stale.record("u").item_rows) == ["a", "c"]
        stale.close()


def test_what_an_older_action_showed_stays_seen_when_a_newer_one_is_taken_back(tmp_path: Path) -> None:
    with LiveModel(build(tmp_path / "m", actions="a")) as live:
        older = NewAction("u", "b", TIME_MS - 200 * 86_400_000)
        live.add_actions([older, act("b")])
        live.add_actions([NewAction("u", "b", TIME_MS, retract=True)])
        assert counted(live) == ["a"]
        assert live.export("u")["seen_item_ids"] == ["b"]
        assert live.verify().n_differing == 0


def test_a_directory_that_goes_during_a_write_is_unavailable(tmp_path: Path) -> None:
    home, away = build(tmp_path / "m"), tmp_path / "away"
    with LiveModel(home) as live:
        append = live.journal().append

        def goes_then_append(*args: Any, **options: Any) -> int:
            home.rename(away)
            return append(*args, **options)

        gone = patch.object(live.journal(), "append", goes_then_append)
        with gone, pytest.raises(UnavailableError, match="gone meanwhile"):
            live.add_actions([act("b")])
        away.rename(home)
        assert live.add_actions([act("b")])[0].status == "accepted"


def test_the_count_of_parked_actions_survives_everything(tmp_path: Path) -> None:
    entries = [
        ActionEntry(user, "x", TIME_MS, "", 1.0, 0, received_ms)
        for user, received_ms in (("u", 5), ("v", 5), ("w", 20))
    ]
    with LmdbJournal(tmp_path) as journal:
        journal.append(entries, parked=[0, 1, 2])
        journal.forget("v")
        journal.set_parked(remove=[1])
        assert journal.n_parked() == 1
        assert journal.trim(10, applied=3) == 1
        journal.compact()
        assert (journal.n_parked(), [at for at, _ in journal.parked_of("x")]) == (1, [3])
        assert journal.trim(30, applied=3) == 1
        journal.compact()
        assert (journal.n_parked(), journal.parked_of("x")) == (0, [])

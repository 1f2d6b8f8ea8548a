"""Both journals do what the conformance suite asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.store._environment import Environment
from pinnersage.streaming import _user_index
from pinnersage.streaming._journal_keys import user_digest
from pinnersage.streaming.journal import Forgotten, Journal
from pinnersage.streaming.lmdb_journal import LmdbJournal
from pinnersage.streaming.memory_journal import MemoryJournal
from pinnersage.testing.journal import JournalConformance, action


class TestMemoryJournal(JournalConformance):
    persistent = False

    @staticmethod
    def open_journal(path: Path) -> Journal:
        return MemoryJournal()


class TestLmdbJournal(JournalConformance):
    @staticmethod
    def open_journal(path: Path) -> Journal:
        return LmdbJournal(path)


class TestLmdbJournalOfSmallBlocks(TestLmdbJournal):
    """The same with two entries in a block of the index of users, so that a dozen fill several."""

    @pytest.fixture(autouse=True)
    def small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_user_index, "_BLOCK_BITS", 1)


def test_entries_of_many_blocks_are_found_as_in_memory(tmp_path: Path) -> None:
    n_entries, n_users, kept = 10_000, 40, 3 << 12
    drawn = np.random.default_rng(5).integers(n_users, size=n_entries + kept).tolist()
    entries = [action(f"u{u}", received_ms=at) for at, u in enumerate(drawn)]
    users = [f"u{u}" for u in range(n_users)]
    with LmdbJournal(tmp_path) as journal, MemoryJournal() as oracle:

        def check() -> None:
            for ask in ({}, {"newest": 1}, {"newest": 300}, {"after": 4_096}, {"newest": 9, "after": 12_000}):
                found = [journal.of_user(user, **ask) for user in users[::13]]
                assert found == [oracle.of_user(user, **ask) for user in users[::13]], ask

        for one in (journal, oracle):
            one.append(entries[:7_000])
            one.append(entries[7_000:n_entries], often_asked=True)
        check()
        for one in (journal, oracle):
            one.forget("u3")
            assert one.trim(5_000, n_entries) > 4_000  # The first block goes as a whole.
        check()
        journal.settle()
        check()
        for one in (journal, oracle):
            one.append(entries[n_entries:])
            one.trim(8_000, n_entries)
        check()
        journal.compact()
        check()


def test_a_journal_of_the_layout_before_is_read_and_written_on(tmp_path: Path) -> None:
    with LmdbJournal(tmp_path) as journal:
        journal.append([action("u", "a"), action("v"), action("u", "b", retract=True)])
        journal.settle()  # Layout 2 had a key per user from the start: what is settled is the same.
        journal._write(lambda txn: txn.put(b"\0nlayout", b"2"))
    with LmdbJournal(tmp_path, create=False) as journal:
        assert [at for at, _ in journal.of_user("u")] == [1, 3]
        journal.append([action("u")])
        assert [at for at, _ in journal.of_user("u")] == [1, 3, 4]
        assert journal._read(lambda txn: bytes(txn.get(b"\0nlayout"))) == b"3"
        assert journal.forget("u") == Forgotten(3, 0)
        assert journal.of_user("u") == []


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pinnersage.streaming.lmdb_journal import LmdbJournal
from pinnersage.testing.journal import action
journal = LmdbJournal({str(tmp_path)!r})
for user in range(50):
    print(journal.append([action(user)]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    acknowledged = list(map(int, done.stdout.split()))
    assert acknowledged == list(range(1, 51))
    with LmdbJournal(tmp_path) as journal:
        assert [at for at, _ in journal.read(0)] == acknowledged


@pytest.mark.parametrize("settled", [False, True])
def test_nothing_of_a_forgotten_user_stays_in_the_files(tmp_path: Path, settled: bool) -> None:
    with LmdbJournal(tmp_path) as journal:
        journal.append([action("forget-me-please"), action("someone-else")])
        journal.append([action("forget-me-please", retract=True)])
        journal.set_preferences("forget-me-please", {"forget-me-item": "muted"})
        if settled:
            journal.settle()
        journal.forget("forget-me-please")
        journal.forget_erasures()
        journal.compact()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"someone-else" in held
    assert user_digest("someone-else") in held
    assert b"forget-me" not in held
    assert user_digest("forget-me-please") not in held


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    with LmdbJournal(tmp_path) as journal:
        journal.append([action("someone-damaged")])
    (path,) = tmp_path.glob("records-*.mdb")
    path.write_bytes(path.read_bytes().replace(b"someone-damaged", b"someone-demaged"))
    with LmdbJournal(tmp_path) as journal, pytest.raises(StoredFormatError, match="checksum"):
        journal.read(0)


def test_a_full_disk_is_named_and_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    code = f"""
import resource
from pinnersage.errors import StorageFullError
from pinnersage.streaming.lmdb_journal import LmdbJournal
from pinnersage.testing.journal import action
journal = LmdbJournal({str(tmp_path)!r})
journal.append([action("before")])
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
n = 1
try:
    while True:
        n = journal.append([action("u" * 900)] * 20)
except StorageFullError as error:
    print(n, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    with LmdbJournal(tmp_path) as journal:
        assert journal.heads().all == int(done.stdout)
        assert journal.append([action("after")]) == int(done.stdout) + 1


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = LmdbJournal(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(UsageError, match="closed"):
        journal.heads()


def test_a_journal_that_waits_for_the_disk_does_so_beside_one_that_does_not(tmp_path: Path) -> None:
    watched = patch.object(Environment, "sync", autospec=True, side_effect=Environment.sync)
    hasty = LmdbJournal(tmp_path, durability="process")
    with hasty, LmdbJournal(tmp_path) as safe, watched as synced:
        hasty.append([action(1)])
        assert not synced.called
        safe.append([action(2)])
        assert synced.call_count == 1


@pytest.mark.parametrize("durability", ["Disk", "sync", "", None])
def test_a_misspelt_durability_is_refused_before_anything_is_made(tmp_path: Path, durability: Any) -> None:
    with pytest.raises(UsageError, match="expected durability 'disk' or 'process', got"):
        LmdbJournal(tmp_path / "j", durability=durability)
    assert not (tmp_path / "j").exists()

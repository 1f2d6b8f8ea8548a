from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lmdb
import pytest

from pinnersage.errors import ModelNotFoundError, StoredFormatError, UnavailableError, UsageError
from pinnersage.interests.record import UserRecord
from pinnersage.store import _data_file, _environment
from pinnersage.store._data_file import Sync
from pinnersage.store.lmdb import LmdbStore
from pinnersage.testing.records import random_batch, same_record
from pinnersage.testing.store import StoreConformance

FIRST_FILE = "records-00000001.mdb"


class TestLmdbStore(StoreConformance):
    open_store = LmdbStore


class TestLmdbStoreWithASmallMap(StoreConformance):
    """Every larger write runs into the end of the map."""

    open_store = partial(LmdbStore, map_bytes=1 << 16)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    with LmdbStore(tmp_path / "store") as store:
        store.put_batch(random_batch(500, seed=1))
    return tmp_path / "store"


def one_record(seed: int = 1) -> UserRecord:
    return random_batch(1, seed=seed).record(0)


def test_a_store_for_reading_refuses_writes(filled: Path) -> None:
    with LmdbStore(filled, readonly=True) as store:
        for write in (
            lambda: store.put(1, one_record()),
            lambda: store.delete(1),
            lambda: store.put_meta("a", b""),
            store.compact,
        ):
            with pytest.raises(UsageError, match="reading"):
                write()
        assert len(store) == 500


@pytest.mark.parametrize("options", [{"readonly": True}, {"create": False}])
@pytest.mark.parametrize("name", ["missing", "."])
def test_where_there_is_no_store_none_is_made(tmp_path: Path, options: dict[str, bool], name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="pinnersage build"):
        LmdbStore(tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_store_says_so(filled: Path) -> None:
    store = LmdbStore(filled)
    store.close()
    with pytest.raises(UsageError, match="closed"):
        store.get(1)


def test_stores_on_one_directory_share_the_file(filled: Path) -> None:
    (filled.parent / "link").symlink_to(filled)
    with LmdbStore(filled) as a, LmdbStore(filled.parent / "link") as b:
        a.put("new", one_record())
        assert b.get("new") is not None
        a.close()
        assert len(b) == 501
    with LmdbStore(filled) as again:
        assert len(again) == 501


def test_a_file_open_under_another_name_is_refused(filled: Path) -> None:
    (filled.parent / "other").mkdir()
    os.link(filled / FIRST_FILE, filled.parent / "other" / FIRST_FILE)
    with LmdbStore(filled), pytest.raises(UsageError, match="another name"):
        LmdbStore(filled.parent / "other")


def test_a_bulk_load_needs_the_directory_alone(tmp_path: Path) -> None:
    with LmdbStore(tmp_path, bulk=True), pytest.raises(UsageError, match="bulk"):
        LmdbStore(tmp_path)
    with LmdbStore(tmp_path), pytest.raises(UsageError, match="bulk"):
        LmdbStore(tmp_path, bulk=True)


def test_what_a_bulk_load_wrote_is_there(tmp_path: Path) -> None:
    batch = random_batch(2_000, seed=4)
    with LmdbStore(tmp_path, bulk=True, map_bytes=1 << 16) as store:
        for first in range(0, 2_000, 500):
            store.put_many(
                [(u, batch.record(u)) for u in range(first, first + 500)], meta={"n": b"%d" % first}
            )
    with LmdbStore(tmp_path, readonly=True) as store:
        assert list(store.user_ids()) == list(range(2_000))
        assert all(a and same_record(a, batch.record(u)) for u, a in enumerate(store.get_many(range(2_000))))
        assert store.get_meta("n") == b"1500"


def test_ascending_batches_fill_their_pages(tmp_path: Path) -> None:
    """Appended pages hold all they can: 4,096 bytes, less 16 of the page's head, by whole records."""
    batch = random_batch(1_000, seed=1)
    with LmdbStore(tmp_path, bulk=True) as store:
        store.put_batch(batch)
        per_page = (4_096 - 16) // (8 + 2 + 9 + 690)
        assert store.n_bytes < 4_096 * (1_000 / per_page + 30)


def test_an_erased_user_is_in_no_file_after_compaction(tmp_path: Path) -> None:
    """The id, and the bytes of the record that no other user has."""
    from pinnersage.store.codec import encode_record

    secret = "the user to be forgotten"
    with LmdbStore(tmp_path) as store:
        store.put_batch(random_batch(300, seed=1))
        record = one_record(seed=99)
        store.put(secret, record)
        store.put("z" * 600, one_record(seed=98))
        for n in range(200):
            store.put(f"the user {n}", one_record(seed=n + 1_000))
        versions = [encode_record(record)]
        for seed in (100, 101):
            store.put(secret, one_record(seed))
            versions.append(encode_record(one_record(seed)))
        traces = [secret.encode(), b"z" * 600, *(v[at : at + 24] for v in versions for at in (20, 300, 500))]
        assert any(found(trace, tmp_path) for trace in traces)
        assert store.delete(secret)
        assert store.delete("z" * 600)
        store.compact()
        assert [trace for trace in traces if found(trace, tmp_path)] == []
        assert len(store) == 500
    assert [trace for trace in traces if found(trace, tmp_path)] == []


def found(trace: bytes, directory: Path) -> bool:
    return any(trace in path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_compaction_gives_space_back(filled: Path) -> None:
    with LmdbStore(filled) as store:
        before = store.n_bytes
        for user_id in range(100, 500):
            store.delete(user_id)
        store.compact()
        assert store.n_bytes < before / 3
        assert list(store.user_ids()) == list(range(100))


def test_a_file_left_by_a_killed_compaction_goes(filled: Path) -> None:
    (filled / "records-00000002.mdb.part").write_bytes(b"half")
    (filled / "records-00000002.mdb-lock").write_bytes(b"of a data file that is gone")
    shutil.copy(filled / FIRST_FILE, filled / "records-00000003.mdb")
    with LmdbStore(filled) as store:
        store.put("new", one_record())
        assert len(store) == 501
        store.compact()
    assert [path.name for path in filled.iterdir()] == ["records-00000004.mdb"]


def test_a_file_replaced_between_finding_and_opening_it_is_followed(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process compacts just then: what was found is gone, the next number is there."""
    gone, real = filled / "records-00000000.mdb", _data_file.newest
    found = iter([gone])
    monkeypatch.setattr(_data_file, "newest", lambda directory: next(found, None) or real(directory))
    with LmdbStore(filled, create=False) as store:
        assert len(store) == 500


def test_a_link_to_nothing_is_told(filled: Path) -> None:
    (filled / "records-00000009.mdb").symlink_to(filled / "not mounted")
    with pytest.raises(FileNotFoundError):
        LmdbStore(filled, create=False)


def test_a_reader_goes_on_when_its_generation_is_dropped(filled: Path) -> None:
    """What is open can still be read; what would be written would be lost."""
    with LmdbStore(filled) as store:
        shutil.rmtree(filled)
        record = store.get(7)
        assert record is not None
        assert same_record(record, random_batch(500, seed=1).record(7))
        with pytest.raises(ModelNotFoundError, match="open the model again"):
            store.put(7, one_record())


@pytest.mark.parametrize("n_kept", [0, 1, 100, 4_096, 5_000, 8_191, 8_192, 12_288, 100_000, -4_096, -1])
def test_a_truncated_file_is_refused(filled: Path, n_kept: int) -> None:
    """It must not be mapped: reading beyond its end would kill the process."""
    whole = (filled / FIRST_FILE).read_bytes()
    (filled / FIRST_FILE).write_bytes(whole[:n_kept])
    with pytest.raises(StoredFormatError, match="damaged"):
        LmdbStore(filled, readonly=True)


@pytest.mark.parametrize("content", [b"not a store" * 1_000, bytes(20_000)])
def test_another_file_is_refused(filled: Path, content: bytes) -> None:
    (filled / FIRST_FILE).write_bytes(content)
    with pytest.raises(StoredFormatError, match="damaged"):
        LmdbStore(filled)


def test_a_damaged_record_is_refused(filled: Path) -> None:
    from pinnersage.store.codec import encode_record

    record = encode_record(random_batch(500, seed=1).record(7))
    whole = (filled / FIRST_FILE).read_bytes()
    at = whole.index(record) + 100
    (filled / FIRST_FILE).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with LmdbStore(filled, readonly=True) as store:
        with pytest.raises(StoredFormatError, match="checksum"):
            store.get(7)
        assert store.get(8) is not None


def test_a_newer_layout_is_refused_with_what_to_do(filled: Path) -> None:
    env = lmdb.open(str(filled / FIRST_FILE), subdir=False)
    with env.begin(write=True) as txn:
        txn.put(b"\0layout", b"2")
    env.close()
    with pytest.raises(StoredFormatError, match="upgrade"):
        LmdbStore(filled)


@pytest.mark.parametrize("sync", [True, "ordered"])
def test_a_directory_without_write_permission_is_read(sync: Sync) -> None:
    """As on a read-only mount; a child gives its rights up, for root may write anywhere."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "store"
        with LmdbStore(directory) as store:
            store.put("a", one_record())
        Path(scratch).chmod(0o755)
        directory.chmod(0o555)
        child = os.fork()
        if child == 0:
            if os.geteuid() == 0:
                os.setuid(65_534)
            code = 1
            try:
                with LmdbStore(directory, readonly=True, sync=sync) as store:
                    found = store.get("a") is not None and list(store.user_ids()) == ["a"]
                code = 0 if found else 1  # and closed without an error
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        directory.chmod(0o755)


def test_an_address_space_too_small_for_the_map_is_named(tmp_path: Path) -> None:
    """In a process of its own, for the bound stays."""
    LmdbStore(tmp_path / "s").close()
    program = (
        "import resource, sys\n"
        "from pinnersage.store.lmdb import LmdbStore\n"
        "resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20))\n"
        "LmdbStore(sys.argv[1], create=False)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, tmp_path / "s"], capture_output=True, text=True)
    assert "UnavailableError" in ran.stderr
    assert "does `ulimit -v` bound the address space?" in ran.stderr


class Panicking:
    """An LMDB environment whose last commit could not write the file's head."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def begin(self, **_: Any) -> Any:
        raise lmdb.PanicError("Update of meta page failed or environment had fatal error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


def test_a_panic_ends_when_the_file_is_opened_anew(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LmdbStore(filled) as store:
        environment, n_users = store._environment, len(store)
        assert environment is not None

        def panic() -> None:
            environment._file = replace(environment._file, env=Panicking(environment._file.env))

        panic()
        assert len(store) == n_users
        panic()
        store.put_meta("told", b"1")
        assert store.get_meta("told") == b"1"
        panic()
        always = environment._file
        monkeypatch.setattr(_environment, "open_newest", lambda *_, **__: always)
        with pytest.raises(UnavailableError, match="could not be read or written"):
            store.put_meta("told", b"2")
        monkeypatch.undo()
        assert store.get_meta("told") == b"1"

"""Real processes: killed, forked, side by side, and on a full disk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pinnersage.errors import BuildInProgressError
from pinnersage.store._data_file import Sync
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.lmdb import LmdbStore
from pinnersage.testing.records import random_batch, same_record

N_USERS = 2_000

PRELUDE = """
import os, resource, signal, sys, time
from pathlib import Path
from pinnersage.errors import *
from pinnersage.store.generations import GenerationDirectory
from pinnersage.store.lmdb import LmdbStore
from pinnersage.testing.records import random_batch
path = Path(sys.argv[1])
def say(line):
    print(line, flush=True)
"""

BUILD_FOREVER = """
say("begin")
model = GenerationDirectory(path)
for seed in range(1_000):
    with model.begin() as staging:
        with LmdbStore(staging.path / "store", bulk=True) as store:
            for first in range(0, 2_000, 500):
                store.put_batch(random_batch(500, seed=seed + first, first_user=first))
        staging.publish({"seed": seed})
"""

PUBLISH_FOREVER = """
say("begin")
model = GenerationDirectory(path)
for seed in range(100_000):
    with model.begin() as staging:
        with LmdbStore(staging.path / "store", bulk=True) as store:
            for first in range(0, 20, 5):
                store.put_batch(random_batch(5, seed=seed + first, first_user=first))
        staging.publish({"seed": seed})
"""

WRITE_FOREVER = """
store = LmdbStore(path)
for n in range(1_000_000):
    store.put_many([(n, random_batch(1, seed=n).record(0))], meta={"last": str(n).encode()})
    say(n)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def kill(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGKILL)
    return process.communicate(timeout=60)[0]


def assert_whole(generation: Path, n_users: int) -> None:
    """Every record is the one its seed gives."""
    from pinnersage.store.manifest import read_manifest

    seed, quarter = read_manifest(generation)["seed"], n_users // 4
    with LmdbStore(generation / "store", readonly=True) as store:
        assert list(store.user_ids()) == list(range(n_users))
        for first in range(0, n_users, quarter):
            batch = random_batch(quarter, seed=seed + first, first_user=first)
            found = store.get_many(batch.user_ids)
            assert all(a and same_record(a, batch.record(u)) for u, a in enumerate(found))


@pytest.mark.parametrize(("script", "n_users"), [(BUILD_FOREVER, N_USERS), (PUBLISH_FOREVER, 20)])
def test_a_build_killed_at_any_moment(tmp_path: Path, script: str, n_users: int) -> None:
    """Before the first generation there is no directory; after it there is always a whole one."""
    rng = random.Random(n_users)
    model = GenerationDirectory(tmp_path / "model")
    for _ in range(4):
        process = start(script, model.path)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.4)
        kill(process)
        if model.path.exists():
            assert_whole(model.current(), n_users)
    with model.begin() as staging:
        staging.publish({"seed": -1})
    names = {path.name for path in model.path.rglob("*")}
    assert not [name for name in names if name.startswith(".") and name != ".lock"]
    assert len(model.list()) <= 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_killed_first_build_leaves_no_directory_and_the_next_one_lands(tmp_path: Path) -> None:
    script = """
    with GenerationDirectory(path).begin() as staging:
        with LmdbStore(staging.path / "store", bulk=True) as store:
            store.put_batch(random_batch(100, seed=1))
            say("half")
            time.sleep(600)
    """.replace("\n    ", "\n")
    model = GenerationDirectory(tmp_path / "model")
    process = start(script, model.path)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    with pytest.raises(BuildInProgressError, match=f"process {process.pid}"), model.begin():
        pytest.fail("two builds at once")
    kill(process)
    assert not model.path.exists()
    with model.begin() as staging:
        assert list(staging.path.iterdir()) == []
        staging.publish({})
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert [path.name for path in model.list()] == ["00000001"]


def test_no_acknowledged_write_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    for _ in range(2):
        process = start(WRITE_FOREVER, tmp_path / "store")
        assert process.stdout is not None
        for _ in range(30):
            process.stdout.readline()
        rest = kill(process).splitlines()
        last = int(rest[-1]) if rest else 29
        with LmdbStore(tmp_path / "store") as store:
            written = int(store.get_meta("last") or b"-1")
            assert written in (last, last + 1)
            assert list(store.user_ids())[: written + 1] == list(range(written + 1))
            newest = store.get(written)
            assert newest is not None
            assert same_record(newest, random_batch(1, seed=written).record(0))
            store.put(0, random_batch(1, seed=0).record(0))


def test_readers_killed_in_a_transaction_are_forgotten(tmp_path: Path) -> None:
    """Their places in the reader table would otherwise keep old pages from being used again."""
    hold = """
    import lmdb
    store = LmdbStore(path)
    txn = store._environment._file.env.begin()
    txn.get(b"x")
    say("reading")
    time.sleep(600)
    """.replace("\n    ", "\n")
    with LmdbStore(tmp_path / "store") as store:
        store.put_batch(random_batch(200, seed=1))
        for _ in range(2):
            process = start(hold, tmp_path / "store")
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
            kill(process)
        store.put_batch(random_batch(200, seed=2))
        before = store.n_bytes
        for seed in range(20):
            store.put_batch(random_batch(200, seed=seed))
        assert store.n_bytes < 2 * before


def test_a_reader_in_another_process_follows_every_publish(tmp_path: Path) -> None:
    follow = """
    model = GenerationDirectory(path)
    seen = set()
    say("ready")
    while 19 not in seen:
        with model.read(lambda generation: LmdbStore(generation / "store", readonly=True)) as store:
            assert len(store) == 10, len(store)
            sizes = {record.n_actions for record in store.get_many(list(range(10)))}
            assert len(sizes) == 1, sizes
            seen |= sizes
    """.replace("\n    ", "\n")
    model = GenerationDirectory(tmp_path / "model", keep=1)
    process = None
    for n_actions in range(20):
        with model.begin() as staging:
            with LmdbStore(staging.path / "store", bulk=True) as store:
                store.put_batch(
                    random_batch(10, seed=1, n_actions=n_actions, n_interests=1 if n_actions else 0)
                )
            staging.publish({})
        if process is None:
            process = start(follow, model.path)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
    assert process is not None
    finish(process)


FULL = """
limit = int(sys.argv[2])
with LmdbStore(path) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        for first in range(0, 20_000, 500):
            store.put_batch(random_batch(500, seed=first, first_user=first))
        say("no limit")
    except StorageFullError as error:
        say(f"{len(store)} {error}")
    assert store.get_many([0])[0] is not None
"""


@pytest.mark.parametrize("limit_bytes", [1_500_000, 1 << 21])
def test_a_full_disk_keeps_what_was_stored(tmp_path: Path, limit_bytes: int) -> None:
    """A limit on the size of files stands for the disk; writes before it are whole."""
    said = finish(start(FULL, tmp_path / "store", limit_bytes))
    n_stored = int(said.split()[0])
    assert "free disk space" in said
    with LmdbStore(tmp_path / "store") as store:
        assert list(store.user_ids()) == list(range(n_stored))
        for first in range(0, n_stored, 500):
            batch = random_batch(500, seed=first, first_user=first)
            assert all(
                a and same_record(a, batch.record(u)) for u, a in enumerate(store.get_many(batch.user_ids))
            )
        store.put_batch(random_batch(3_000, seed=1))
        assert len(store) == max(n_stored, 3_000)


FULL_BUILD = """
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
model = GenerationDirectory(path)
try:
    with model.begin() as staging:
        if sys.argv[2] == "store":
            with LmdbStore(staging.path / "store", bulk=True) as store:
                store.put_batch(random_batch(5_000, seed=1))
        else:
            (staging.path / "embeddings.npy").write_bytes(bytes(1 << 21))
        staging.publish({})
except StorageFullError as error:
    say(error)
"""


@pytest.mark.parametrize("writer", ["store", "other files"])
def test_a_build_on_a_full_disk_leaves_nothing(tmp_path: Path, writer: str) -> None:
    model = GenerationDirectory(tmp_path / "model")
    assert "free disk space" in finish(start(FULL_BUILD, model.path, writer))
    assert list(tmp_path.iterdir()) == []
    with model.begin() as staging:
        (staging.path / "old").touch()
        staging.publish({})
    before = sorted(tmp_path.rglob("*"))
    assert "free disk space" in finish(start(FULL_BUILD, model.path, writer))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("reads_first", [True, False])
def test_parent_and_child_read_and_write_after_a_fork(tmp_path: Path, reads_first: bool) -> None:
    with LmdbStore(tmp_path / "store") as store:
        store.put("parent", random_batch(1, seed=1).record(0))
        child = os.fork()
        if child == 0:
            ok = not reads_first or store.get("parent") is not None
            store.put("child", random_batch(1, seed=2).record(0))
            os._exit(0 if ok and len(store) == 2 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        if reads_first:
            assert list(store.user_ids()) == ["child", "parent"]
        store.put("parent", random_batch(1, seed=3).record(0))
        assert list(store.user_ids()) == ["child", "parent"]


@pytest.mark.parametrize("sync", [True, "ordered", False])
def test_a_store_closes_after_a_fork_in_parent_and_child(tmp_path: Path, sync: Sync) -> None:
    forked = """
    store = LmdbStore(path, sync={"True": True, "False": False}.get(sys.argv[2], sys.argv[2]))
    store.put("a", random_batch(1, seed=1).record(0))
    child = os.fork()
    store.close()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """.replace("\n    ", "\n")
    finish(start(forked, tmp_path / "store", sync))
    with LmdbStore(tmp_path / "store") as store:
        assert list(store.user_ids()) == ["a"]


def test_garbage_closes_its_store_while_another_is_opened(tmp_path: Path) -> None:
    """The collector runs where it likes, also while its thread holds what guards the open stores."""
    collecting = """
    import gc, weakref
    from pinnersage.store import _environment
    class Owner:
        def __init__(self, name):
            self.myself = self
            store = LmdbStore(path / name)
            weakref.finalize(self, store.close)
    def collect_when_looked_up(frame, event, called):
        if frame.f_code is _environment.acquire.__code__ and event == "c_return" and called.__name__ == "get":
            sys.setprofile(None)
            say(gc.collect() > 0)
    gc.disable()
    for name in ("kept", "new"):
        Owner("kept"), Owner("other")
        sys.setprofile(collect_when_looked_up)
        with LmdbStore(path / name) as store:
            assert list(store.user_ids()) == []
    """.replace("\n    ", "\n")
    (tmp_path / "stores").mkdir()
    assert finish(start(collecting, tmp_path / "stores")).split() == ["True", "True"]


def test_writers_in_two_processes_queue(tmp_path: Path) -> None:
    write = """
    with LmdbStore(path, map_bytes=1 << 16) as store:
        for n in range(60):
            store.put(int(sys.argv[2]) + n, random_batch(1, seed=n).record(0))
    """.replace("\n    ", "\n")
    for process in [start(write, tmp_path / "store", first) for first in (0, 1_000)]:
        finish(process)
    with LmdbStore(tmp_path / "store") as store:
        assert list(store.user_ids()) == [*range(60), *range(1_000, 1_060)]


def test_compaction_beside_a_reader_and_a_writer(tmp_path: Path) -> None:
    """Both hold the file that is replaced, follow to the new one, and lose nothing."""
    beside = """
    with LmdbStore(path) as store:
        say("open")
        n = 0
        while store.get_meta("stop") is None:
            store.put(1_000 + n, random_batch(1, seed=n).record(0))
            assert store.get(1_000 + n) is not None and store.get(7) is None
            n += 1
        say(n)
    """.replace("\n    ", "\n")
    with LmdbStore(tmp_path / "store") as store:
        store.put_batch(random_batch(100, seed=1))
        store.delete(7)
        process = start(beside, tmp_path / "store")
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        for _ in range(15):
            store.compact()
        store.put_meta("stop", b"")
        n_written = int(finish(process))
        assert list(store.user_ids()) == [
            *(n for n in range(100) if n != 7),
            *range(1_000, 1_000 + n_written),
        ]
    assert len([path for path in (tmp_path / "store").iterdir() if path.suffix == ".mdb"]) == 1


def test_a_write_that_waited_for_a_compaction_lands_in_the_new_file(tmp_path: Path) -> None:
    """The waiting process is given the lock of a file that is no longer there; opening does not wait."""
    from pinnersage.store._data_file import DataFile, rewrite_beside

    write = """
    with LmdbStore(path) as store:
        say("open")
        store.put("waited", random_batch(1, seed=1).record(0))
    """.replace("\n    ", "\n")
    waiting: list[subprocess.Popen[str]] = []

    def compact_while_another_waits(txn: object, file: DataFile) -> None:
        waiting.append(start(write, tmp_path / "store"))
        assert waiting[0].stdout is not None
        assert waiting[0].stdout.readline() == "open\n"
        time.sleep(0.5)
        rewrite_beside(txn, file)

    with LmdbStore(tmp_path / "store") as store:
        store.put("old", random_batch(1, seed=1).record(0))
        store._write(compact_while_another_waits)
        finish(waiting[0])
        assert list(store.user_ids()) == ["old", "waited"]


def test_a_compaction_killed_at_any_moment(tmp_path: Path) -> None:
    compact = """
    with LmdbStore(path) as store:
        say("open")
        while True:
            store.compact()
    """.replace("\n    ", "\n")
    rng = random.Random(0)
    expected = random_batch(300, seed=1)
    with LmdbStore(tmp_path / "store") as store:
        store.put_batch(expected)
    for _ in range(4):
        process = start(compact, tmp_path / "store")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.1)
        kill(process)
        with LmdbStore(tmp_path / "store") as store:
            assert all(
                a and same_record(a, expected.record(u))
                for u, a in enumerate(store.get_many(expected.user_ids))
            )
            store.put(0, expected.record(0))
    with LmdbStore(tmp_path / "store") as store:
        store.compact()
    assert [path.suffix for path in (tmp_path / "store").iterdir()] == [".mdb"]

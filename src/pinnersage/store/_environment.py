"""One LMDB environment per directory and process, shared by all stores on it.

LMDB forbids opening a file twice in one process (closing one would drop the other's locks), to use an
environment after a fork, and to change the map while a transaction runs. All three are settled here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from pinnersage.errors import ModelNotFoundError, UnavailableError, UsageError
from pinnersage.store._data_file import FIRST_NAME, DataFile, Sync, newest, open_newest, translated
from pinnersage.store._durable import sync_path
from pinnersage.store._gate import Gate

T = TypeVar("T")
Work = Callable[[Any, DataFile], T]


class _ReplacedError(Exception):
    """The data file that is open is not the one that counts, or is closed."""


class Environment:
    """The open data file of one directory; runs work in transactions and reopens or grows it when needed."""

    def __init__(
        self, directory: Path, *, create: bool, bulk: bool, map_bytes: int, sync: Sync = True
    ) -> None:
        self.directory = directory
        self.bulk = bulk
        self.sync_level: Sync = False if bulk else sync
        self.n_stores = 0
        self._is_closed = False
        self._map_bytes = map_bytes
        self._gate = Gate()
        self._file = open_newest(directory, create=create, sync=self.sync_level, map_bytes=map_bytes)

    def read(self, work: Work[T]) -> T:
        """Return what ``work`` makes of one moment of the store; it may run again, and keeps no buffer."""
        panicked: DataFile | None = None
        while True:
            self._reopen_if_replaced()
            try:
                with self._gate.shared, self._file.env.begin(buffers=True) as txn:
                    return work(txn, self._file)
            except lmdb.MapResizedError:
                self._set_map(0)
            except lmdb.ReadersFullError as error:
                if not self._file.env.reader_check():
                    raise UnavailableError(
                        f"too many readers of {self.directory} at once: stop some, or try again"
                    ) from error
            except lmdb.PanicError as error:
                panicked = self._opened_anew(error, panicked)
            except lmdb.Error as error:
                raise translated(error, self._file.path) from error

    def write(self, work: Work[T]) -> T:
        """Run ``work`` in a write transaction and make it durable; it may run again."""
        panicked: DataFile | None = None
        while True:
            try:
                with self._gate.shared:
                    if self._is_closed:
                        raise _ReplacedError
                    self._file.env.reader_check()  # a killed reader's pages would never be used again
                    with self._file.env.begin(write=True) as txn:
                        if not self._file.is_current():
                            raise _ReplacedError
                        return work(txn, self._file)
            except _ReplacedError:
                self.check_present()
            except lmdb.MapFullError:
                self._set_map(2 * self._file.env.info()["map_size"])
            except lmdb.MapResizedError:
                self._set_map(0)
            except lmdb.PanicError as error:
                panicked = self._opened_anew(error, panicked)
            except lmdb.Error as error:
                raise translated(error, self._file.path) from error

    def copy_to(self, directory: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write a copy without free pages into a new directory; others may write meanwhile.

        ``begun`` is called once it is settled what will be in the copy.
        """
        directory.mkdir(parents=True)
        target = directory / FIRST_NAME

        def work(txn: Any, file: DataFile) -> None:
            begun()
            try:
                file.env.copy(str(target), compact=True, txn=txn)
            except lmdb.Error as error:
                raise translated(error, target) from error
            sync_path(target)

        self.read(work)

    def check_present(self) -> None:
        """Raise when the data file is gone: what is open can still be read, but by nobody else."""
        if not self._reopen_if_replaced():
            raise ModelNotFoundError(
                f"{self.directory} holds no data file any more, or newer builds have removed it: "
                "put it back, or open the model again"
            )

    def close(self) -> None:
        """Wait for running transactions, make a bulk load durable, and close the file."""
        with self._gate.exclusive():
            self._close_file()

    def sync(self) -> None:
        """Wait until the disk has all that was written."""
        with self._gate.shared:
            self._sync()

    @contextmanager
    def closed_for_fork(self) -> Iterator[None]:
        """Keep transactions out and the file closed; the next call opens it again, in parent and child."""
        with self._gate.exclusive():
            self._close_file()
            yield

    def forget_threads(self) -> None:
        """After a fork, in the child: who waited at the gate is not here."""
        self._gate = Gate()

    def _close_file(self) -> None:
        if self._is_closed:  # for a fork
            return
        if self.sync_level is not True and not self._file.env.flags()["readonly"]:
            self._sync()
        self._file.env.close()
        self._is_closed = True

    def _sync(self) -> None:
        try:
            self._file.env.sync(True)
        except lmdb.Error as error:
            raise translated(error, self._file.path) from error

    def _reopen_if_replaced(self) -> bool:
        """Follow a compaction to its new file; False when none is left (what is open still reads)."""
        if self._file.is_current() and not self._is_closed:
            return True
        if newest(self.directory) is None and not self._is_closed:
            return False
        with self._gate.exclusive():
            if self._is_closed or not self._file.is_current():
                self._file.env.close()
                self._open_newest()
        return True

    def _opened_anew(self, error: lmdb.Error, before: DataFile | None) -> DataFile:
        """Open the file once more after a panic, and return it; raise if it panicked again.

        Where the last page of a commit, the file's head, cannot be written, LMDB refuses everything from then
        on, also when the disk has room again. The file itself is whole: it has that commit, or lacks it.
        """
        if before is self._file:
            raise translated(error, self._file.path) from error
        with self._gate.exclusive():
            self._file.env.close()
            self._is_closed = True
            self._open_newest()
        return self._file

    def _open_newest(self) -> None:
        self._file = open_newest(
            self.directory, create=False, sync=self.sync_level, map_bytes=self._map_bytes
        )
        self._is_closed = False

    def _set_map(self, n_bytes: int) -> None:
        """Set the size of the memory map; 0 takes over what another process has set."""
        with self._gate.exclusive():
            self._file.env.set_mapsize(n_bytes)


# LMDB's rule is per process, so this one value is global.
_environments: dict[str, Environment] = {}
# A store that is garbage closes itself wherever its thread happens to be, also inside this lock.
_lock = threading.RLock()


def acquire(directory: Path, *, create: bool, bulk: bool, map_bytes: int, sync: Sync = True) -> Environment:
    """Return this process's environment of the directory, opened if need be; :func:`release` it once.

    What is open already keeps its level of ``sync``.
    """
    key = os.path.realpath(directory)
    with _lock:
        while True:
            environment = _environments.get(key)
            if environment is None:
                environment = Environment(Path(key), create=create, bulk=bulk, map_bytes=map_bytes, sync=sync)
                _environments[key] = environment
            elif bulk or environment.bulk:
                raise UsageError(
                    f"{directory} is open already, and a bulk load needs it alone: close the other store"
                )
            environment.n_stores += 1
            if _environments.get(key) is environment:  # Not so if garbage closed it meanwhile.
                return environment


def release(environment: Environment) -> None:
    """Give one :func:`acquire` back; the last one closes the file."""
    with _lock:
        environment.n_stores -= 1
        if environment.n_stores:
            return
        del _environments[str(environment.directory)]
        environment.close()


# A child that closes what the parent has open frees the parent's places in the table of readers, and
# what is open it cannot open again. So nothing is open while a process forks.
_during_fork = ExitStack()


def _before_fork() -> None:
    _during_fork.enter_context(_lock)
    for environment in list(_environments.values()):
        _during_fork.enter_context(environment.closed_for_fork())


def _after_fork_in_child() -> None:
    _during_fork.close()
    for environment in _environments.values():
        environment.forget_threads()


os.register_at_fork(
    before=_before_fork, after_in_parent=_during_fork.close, after_in_child=_after_fork_in_child
)

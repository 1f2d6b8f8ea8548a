"""The parts of a model's directory that belong to no generation: the journal, and who may write."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from pinnersage.errors import ModelNotFoundError, UnavailableError, UsageError
from pinnersage.streaming.lmdb_journal import LmdbJournal

JOURNAL, WRITE_LOCK = "journal", ".write-lock"
Durability = Literal["disk", "process"]


def journal_path(home: Path) -> Path:
    """Return the directory of a model's journal."""
    return home / JOURNAL


def has_journal(home: Path) -> bool:
    """Return whether a model has a journal: it has none before it first runs live."""
    return any(journal_path(home).glob("records-*.mdb"))


def open_journal(home: Path, *, create: bool = False, durability: Durability = "disk") -> LmdbJournal | None:
    """Open a model's journal; None where there is none and none is to be made."""
    if not create and not has_journal(home):
        return None
    return LmdbJournal(journal_path(home), create=create, durability=durability)


@contextmanager
def journal_of(home: Path) -> Iterator[LmdbJournal | None]:
    """Open a model's journal for a while; None where there is none."""
    journal = open_journal(home)
    try:
        yield journal
    finally:
        if journal is not None:
            journal.close()


class WriteLock:
    """One writer at a time among all threads and processes; the kernel frees it when a process dies.

    Parameters
    ----------
    home
        Directory of the model.
    """

    def __init__(self, home: Path) -> None:
        self._path = journal_path(home) / WRITE_LOCK
        self._threads = threading.RLock()
        self._depth = 0
        self._is_closed_to_holder = False

    @contextmanager
    def held(self, *, waits: bool = True) -> Iterator[bool]:
        """Hold the lock, and tell whether it is held: always where it ``waits`` for it; may be nested.

        Raises
        ------
        UnavailableError
            The model's directory is gone.
        """
        if not self._threads.acquire(blocking=waits):
            yield False
            return
        with ExitStack() as at_the_end:
            at_the_end.callback(self._threads.release)
            if self._is_closed_to_holder:
                raise UsageError(
                    "acknowledged: expected a function that neither writes to this model nor asks for users "
                    "whose records are not made yet; let another thread do so"
                )
            if self._depth == 0:
                descriptor = self._opened()
                at_the_end.callback(os.close, descriptor)
                if not _is_locked(descriptor, waits):
                    yield False
                    return
            self._depth += 1
            try:
                yield True
            except ModelNotFoundError as error:  # There was one before the lock was taken.
                raise UnavailableError(f"{self._path.parent.parent} has gone meanwhile: {error}") from error
            finally:
                self._depth -= 1

    @contextmanager
    def closed_to_its_holder(self) -> Iterator[None]:
        """Refuse to be taken once more by the thread that holds it, which is in the midst of a write."""
        self._is_closed_to_holder = True
        try:
            yield
        finally:
            self._is_closed_to_holder = False

    def check_present(self) -> None:
        """Raise when the lock cannot be opened, and so nothing be written; who holds it does not matter.

        Raises
        ------
        UnavailableError
            The model's directory is gone, or may not be written to.
        """
        os.close(self._opened())

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            raise UnavailableError(
                f"{self._path.parent} is gone: put the model's directory back, or build again"
            ) from None
        except OSError as error:
            raise UnavailableError(
                f"{self._path} cannot be opened for writing ({error.strerror}): check the disk and its rights"
            ) from error


def _is_locked(descriptor: int, waits: bool) -> bool:
    """Lock a file, if need be once others let go of it; tell whether it is locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

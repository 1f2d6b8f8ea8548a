"""Looking after a live model: what was left is folded in, verified, compacted, told ready or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pinnersage._tables.engine import Progress
from pinnersage.errors import ModelNotFoundError, StorageFullError, UnavailableError, UsageError
from pinnersage.model import answers
from pinnersage.model.building import INDEX, ITEMS, STORE
from pinnersage.model.current import CurrentGeneration
from pinnersage.model.erasing import finish_erasure, has_unfinished_erasure
from pinnersage.model.home import WriteLock
from pinnersage.model.landing import trim_item_entries, trim_journal
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.rehearsing import rehearse_writes
from pinnersage.model.verification import Verification
from pinnersage.model.verifying import verify_against_journal
from pinnersage.model.verifying_batch import verify_against_batch
from pinnersage.model.watermark import store_applied
from pinnersage.store._generation_files import read_current
from pinnersage.streaming.journal import Journal


class Upkeep:
    """The part of :class:`~pinnersage.model.live.LiveModel` that operators call."""

    _current: CurrentGeneration
    _journal: Journal
    _write_lock: WriteLock
    _n_recovered: int = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, generation {self._current.opened.path.name!r})"

    @property
    def path(self) -> Path:
        """Directory of the model."""
        return self._current.directory.path

    def recover(self) -> int:
        """Fold in what a killed writer left in the journal; return how many entries that were."""
        self.finish_erasures()
        with self._write_lock.held():
            before = store_applied(self._current.newest().store)
            n_recovered = store_applied(self._current.caught_up().store) - before
        self._n_recovered += max(0, n_recovered)
        return n_recovered

    def finish_erasures(self) -> None:
        """Remove what a build that was killed left of users who were erased while it ran.

        An erasure that was killed itself is brought to its end, too.
        """
        directory = self._current.directory
        if has_unfinished_erasure(directory):
            with self._write_lock.held():
                finish_erasure(directory, self._journal)
        if self._journal.has_erasures():
            with self._write_lock.held():
                if directory.remove_leftovers():
                    self._journal.forget_erasures()

    def rollback(self, to: str | None = None) -> str:
        """Make an older generation current, with every journalled action; return its name.

        ``to`` and errors as in :meth:`pinnersage.store.generations.GenerationDirectory.rollback`.
        """
        refused: ModelNotFoundError | None = None
        with self._write_lock.held():
            try:
                name = self._current.directory.rollback(to).name
            except ModelNotFoundError as error:
                # Raised under the lock it would say that the model has gone.
                refused = error if read_current(self.path) is not None else None
                if refused is None:
                    raise
            else:
                self._current.caught_up()
        if refused is not None:
            raise refused
        return name

    def compact(self, keep_days: float | None = None) -> answers.Answer:
        """Rewrite the journal without free space, and without actions received more than ``keep_days`` ago.

        Those that wait for their item so long wait no longer (``n_parked_expired``): others have room then.
        A later build counts removed actions only if its log holds them; a generation that is rolled back to
        may lack them, too. Of an item that was put again or taken out since, only what the kept generations
        need stays, whatever its age.
        """
        with self._write_lock.held():
            opened, before = self._current.caught_up(), self._journal.n_bytes
            n_removed, n_parked = 0, self._journal.n_parked()
            if keep_days is not None:
                now_ms = time.time_ns() // 1_000_000
                n_removed = trim_journal(self._journal, opened, now_ms, keep_days)
            n_item_entries = trim_item_entries(self._journal, self._current.directory)
            self._journal.compact()
            return {
                "n_removed": n_removed,
                "n_parked_expired": n_parked - self._journal.n_parked(),
                "n_item_entries": n_item_entries,
                "n_bytes_before": before,
                "n_bytes": self._journal.n_bytes,
            }

    def verify(
        self,
        items: Any = None,
        actions: Any = None,
        progress: Progress | None = None,
        *,
        embeddings_npy: Any = None,
    ) -> Verification:
        """Compare every record with what a batch builds; writers wait for turns of some 50 ms at most.

        What was acknowledged before it began is looked for in every record.

        Parameters
        ----------
        items, actions
            The tables the model was built from: everything is built again from them and the journal.
            Without them each record is checked against the journal and its own actions.
        progress
            Called with stage, done, total.
        embeddings_npy
            Path or array of embeddings in row order of ``items``.
        """
        self.recover()
        with self._turn() as opened:
            if opened.config.online.online == "recent":
                raise UsageError("verify: a model in mode 'recent' keeps no windows to compare with a batch")
        with suppress(StorageFullError):  # Every user is asked for; without room that only takes longer.
            self._journal.settle()
        rehearse_writes(opened)  # Nobody waits for compilers.
        found = None
        while found is None:  # A generation that lands meanwhile is the one to verify.
            if items is None or actions is None:
                found = verify_against_journal(self._turn, self._journal, progress)
            else:
                found = verify_against_batch(
                    self._turn, self._journal, items, actions, progress, embeddings_npy=embeddings_npy
                )
        found.n_behind, self._n_recovered = self._n_recovered, 0
        return found

    @contextmanager
    def _turn(self) -> Iterator[OpenedGeneration]:
        with self._write_lock.held():
            yield self._current.caught_up()

    def check_ready(self) -> None:
        """Raise when store, journal, items or index is gone from the disk, or a disk does not answer.

        What is open and mapped goes on answering then; but it could not be opened again, and what is
        written to it would be lost. Of two generations in use, one to answer and one to write to, both count.

        Raises
        ------
        UnavailableError, NotFoundError, DataError
            What is wrong.
        """
        self._write_lock.check_present()
        self._journal.check_present()
        current = self._current.directory.current()
        for part in (ITEMS, INDEX, STORE):  # It may have landed a moment ago, and not be opened yet.
            if not (current / part).exists():
                raise UnavailableError(f"{current / part} is gone: put it back, or build again")
        for opened in self._current.in_use():
            if opened.path.is_dir():  # Builds that land drop the oldest.
                opened.check_present()

"""Which generation answers: the current one of a directory, followed when another lands."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from pinnersage.errors import UnavailableError
from pinnersage.model.home import WriteLock
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.watermark import store_applied
from pinnersage.model.writing import catch_up
from pinnersage.store._generation_files import CURRENT
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming.journal import Heads, Journal


class CurrentGeneration:
    """Opens the current generation of a directory, and the next one when it lands.

    Whoever still answers from an older one keeps it open until done.

    Parameters
    ----------
    home
        Directory of the model.
    journal, write_lock
        Of the model.

    Raises
    ------
    UnavailableError
        The directory holds no model any more.
    """

    def __init__(self, home: Path, journal: Journal, write_lock: WriteLock) -> None:
        self._home, self._journal, self._write_lock = home, journal, write_lock
        self._name = str(home / CURRENT)
        self.directory = GenerationDirectory(home)
        self._lock = threading.Lock()
        self._stamp = self._stamp_now()
        self.opened = self._open()

    def follow(self, heads: Heads | None = None) -> bool:
        """Notice a generation that landed, or items another process changed; tell whether there were any."""
        landed = self.swap_if_landed()
        return self._learn_items(heads or self._journal.heads()) or landed

    def is_stale(self) -> bool:
        """Tell whether another generation is current by now, without opening it."""
        return self._stamp_now() != self._stamp

    def swap_if_landed(self) -> bool:
        """Open the generation that is current now, if it is another; tell whether it was."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return False
        landed = self._open()
        if store_applied(landed.store) < self._journal.heads().all:
            # Builds land with the whole journal; an older generation that was rolled back to has a gap.
            with self._write_lock.held():
                catch_up(landed, self._journal)
        with self._lock:
            self.opened, self._stamp = landed, stamp
        return True

    def caught_up(self) -> OpenedGeneration:
        """Return the current generation with the whole journal in its records; needs the write lock."""
        self.swap_if_landed()
        heads = self._journal.heads()
        self._learn_items(heads)
        catch_up(self.opened, self._journal, heads)
        return self.opened

    def with_room(self) -> OpenedGeneration:
        """Return :meth:`caught_up`, opened anew with more rows for new items if all are used."""
        opened = self.caught_up()
        if len(opened.items) == len(opened.items.embeddings):
            self.opened = self._open()
        return self.opened

    def _learn_items(self, heads: Heads) -> bool:
        """Take over items that others put or took out; tell whether there were any."""
        opened = self.opened
        if heads.items <= opened.catalogue.applied:
            return False
        entries = self._journal.read_items(opened.catalogue.applied)
        if len(opened.items) + len(entries) > len(opened.items.embeddings):
            self.opened = self._open()  # It has no rows left for them.
        else:
            opened.catalogue.replay(entries)
        return True

    def _open(self) -> OpenedGeneration:
        return self.directory.read(lambda path: OpenedGeneration(path, self._journal))

    def _stamp_now(self) -> tuple[int, int]:
        try:
            status = os.stat(self._name)  # noqa: PTH116 - every request passes here.
        except FileNotFoundError:
            raise UnavailableError(f"{self._home} holds no model any more: build again") from None
        return status.st_ino, status.st_mtime_ns

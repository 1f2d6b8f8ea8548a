"""Which generation answers, and which one takes writes, when another lands in a model's directory.

Writes always go to the generation that is current on the disk, before they are acknowledged. A reader
may answer from the one before for a while, until the new one is warm: it then folds the journal into
that one, too, before it answers. So both know every acknowledged action.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinnersage._ids import UserId
from pinnersage.errors import UnavailableError
from pinnersage.model.home import WriteLock
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.warming import warm
from pinnersage.model.watermark import store_applied
from pinnersage.model.writing import catch_up, state_of
from pinnersage.store._generation_files import CURRENT
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming.folding import State
from pinnersage.streaming.journal import Heads, Journal

Stamp = tuple[int, int]


class CurrentGeneration:
    """Opens the current generation of a directory, and the next one when it lands.

    Whoever still answers from an older one keeps it open until done.

    Parameters
    ----------
    home
        Directory of the model.
    journal, write_lock
        Of the model.
    swaps_warm
        Whether readers stay with their generation until :meth:`refresh` has warmed the next.
    retrieval
        Fields of the configuration's part that go before those of the build.

    Raises
    ------
    UnavailableError
        The directory holds no model any more.
    """

    def __init__(
        self,
        home: Path,
        journal: Journal,
        write_lock: WriteLock,
        *,
        swaps_warm: bool = False,
        retrieval: Mapping[str, Any] | None = None,
    ) -> None:
        self._home, self._journal, self._write_lock = home, journal, write_lock
        self._name = str(home / CURRENT)
        self._swaps_warm, self._retrieval = swaps_warm, retrieval
        self.directory = GenerationDirectory(home)
        self._lock = threading.Lock()
        stamp = self._stamp_now()
        # One assignment changes both: whoever takes them holds what belongs together, and keeps it open.
        self._answering = self._newest = (self._open(), stamp)

    @property
    def opened(self) -> OpenedGeneration:
        """The generation that answers; hold it while its parts are in use, the last to let go closes it."""
        return self._answering[0]

    def follow(self, heads: Heads | None = None, user_id: UserId | None = None) -> OpenedGeneration:
        """Return :attr:`opened` with all that was acknowledged: generations, items, actions.

        ``user_id``: whose record will be asked for; everybody's may be without it.
        """
        heads = heads or self._journal.heads()
        opened, stamp = self._answering
        if self._stamp_now() != stamp:
            if not self._stays(opened):
                opened = self._swap_to(*self._landed())
            elif self._lacks(opened, heads, user_id):
                with self._write_lock.held():
                    catch_up(opened, self._journal, alone=False)
        return self._knowing_items(opened, heads)

    def refresh(self) -> bool:
        """Go over to a generation that landed, once it is warm; tell whether there was one."""
        answering, stamp = self._answering
        if self._stamp_now() == stamp:
            self.follow()
            return False
        found = None
        while found != self._landed():  # While one is warmed, a newer one may land, or it is opened anew.
            found = self._landed()
            if self._stays(answering):
                warm(found[0], answering)
        self._swap_to(*found)
        return True

    def in_use(self) -> list[OpenedGeneration]:
        """Return the generation that answers and, where another is open, the one that takes writes."""
        answering, (newest, stamp) = self.follow(), self._newest
        is_another = stamp == self._stamp_now() and newest.path != answering.path
        return [answering, newest] if is_another else [answering]

    def newest(self) -> OpenedGeneration:
        """Return the generation that is current on the disk, opened, whatever it lacks."""
        return self._landed()[0]

    def caught_up(self) -> OpenedGeneration:
        """Return what takes writes, with the whole journal in its records; needs the write lock.

        A generation that still answers in its place knows as much then.
        """
        return self.caught_up_state(self._journal.heads())[0]

    def caught_up_state(self, heads: Heads) -> tuple[OpenedGeneration, State]:
        """Return :meth:`caught_up`, and what holds for its store."""
        newest, stamp = self._landed()
        newest = self._knowing_items(newest, heads)
        state = state_of(newest)
        if state.applied != heads.all:
            catch_up(newest, self._journal, heads)
            state = state_of(newest)
        answering = self._answering
        if answering == (newest, stamp):
            return newest, state
        if not self._stays(answering[0]):
            self._swap_to(newest, stamp)
        elif answering[0] is not newest:
            catch_up(self._knowing_items(answering[0], heads), self._journal, heads, alone=False)
        return newest, state

    def with_room(self) -> OpenedGeneration:
        """Return :meth:`caught_up`, opened anew with more rows for new items if all are used."""
        opened = self.caught_up()
        if len(opened.items) == len(opened.items.embeddings):
            return self._opened_anew(opened)
        return opened

    def close(self) -> None:
        """Close what is open."""
        for opened in (self.opened, self._newest[0]):
            opened.close()

    def _stays(self, answering: OpenedGeneration) -> bool:
        """Tell whether the generation that answers may go on when another has landed."""
        return self._swaps_warm and answering.path.is_dir()

    def _lacks(self, answering: OpenedGeneration, heads: Heads, user_id: UserId | None) -> bool:
        """Tell whether the generation that answers, though not the newest, lacks something of a user."""
        applied = store_applied(answering.store)
        if applied >= heads.all or answering.config.online.online == "recent":
            return False
        if user_id is None or heads.items > applied:  # An item may have brought actions that waited for it.
            return True
        return bool(self._journal.of_user(user_id, after=applied))

    def _landed(self) -> tuple[OpenedGeneration, Stamp]:
        """Return the generation that is current on the disk, opened."""
        stamp = self._stamp_now()
        with self._lock:
            if stamp != self._newest[1]:
                self._newest = (self._open(), stamp)
            return self._newest

    def _swap_to(self, landed: OpenedGeneration, stamp: Stamp) -> OpenedGeneration:
        """Let a generation answer, once it has the whole journal; return it."""
        if (landed, stamp) == self._answering:
            return landed
        if store_applied(landed.store) < self._journal.heads().all:
            # Builds land with the whole journal; an older generation that was rolled back to has a gap.
            with self._write_lock.held():  # Nothing lands meanwhile.
                catch_up(landed, self._journal, alone=self._stamp_now() == stamp)
        with self._lock:
            if self._newest[1] == stamp:
                landed = self._newest[0]  # perhaps opened anew
            self._answering = (landed, stamp)
        return landed

    def _knowing_items(self, opened: OpenedGeneration, heads: Heads) -> OpenedGeneration:
        """Return the generation with the items that others put, without those they took out."""
        if heads.items <= opened.catalogue.applied:
            return opened
        entries = self._journal.read_items(opened.catalogue.applied)
        if len(opened.items) + len(entries) > len(opened.items.embeddings):
            return self._opened_anew(opened)  # It has no rows left for them.
        opened.catalogue.replay(entries)
        return opened

    def _opened_anew(self, opened: OpenedGeneration) -> OpenedGeneration:
        """Open a generation once more, with rows for more items, wherever it is in use."""
        anew = self._opened_at(opened.path)
        with self._lock:
            if self._newest[0] is opened:
                self._newest = (anew, self._newest[1])
            if self._answering[0] is opened:
                self._answering = (anew, self._answering[1])
        return anew

    def _open(self) -> OpenedGeneration:
        return self.directory.read(self._opened_at)

    def _opened_at(self, path: Path) -> OpenedGeneration:
        return OpenedGeneration(path, self._journal, retrieval=self._retrieval)

    def _stamp_now(self) -> Stamp:
        try:
            status = os.stat(self._name)  # noqa: PTH116 - every request passes here.
        except FileNotFoundError:
            raise UnavailableError(f"{self._home} holds no model any more: build again") from None
        return status.st_ino, status.st_mtime_ns

"""Which generation answers, and which one takes writes, when another lands in a model's directory.

Writes go to the journal, are acknowledged, and then go to the generation that is current on the disk.
A reader may answer from the one before for a while, until the new one is warm: it then folds the journal
into that one, too, before it answers. Whichever answers a question about a user has every acknowledged
action of theirs: where it lacks one, the answer waits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinnersage._ids import UserId
from pinnersage.errors import UnavailableError, WouldWaitError
from pinnersage.model.home import WriteLock
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.turns import Patience
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

    def follow(
        self,
        heads: Heads | None = None,
        user_id: UserId | None = None,
        *,
        records: bool = True,
        may_wait: bool = True,
    ) -> OpenedGeneration:
        """Return :attr:`opened` with all that was acknowledged: generations, items, actions.

        Parameters
        ----------
        heads
            Of the journal, not older than the question.
        user_id
            Whose record will be asked for; everybody's may be without it.
        records
            Whether anybody's record will be.
        may_wait
            Whether this may take locks, open files, and fold in much.

        Raises
        ------
        WouldWaitError
            It would have to, and may not.
        """
        heads = heads or self._journal.heads()
        opened = self._whole(heads, user_id, records, may_wait)
        if heads.items <= opened.catalogue.applied:
            return opened
        _refuse_unless(may_wait)
        return self._knowing_items(opened, heads)

    def refresh(self) -> bool:
        """Go over to a generation that landed, once it is warm; tell whether there was one."""
        answering, stamp = self._answering
        if self._stamp_now() == stamp:
            self.follow(records=False)
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
        answering, (newest, stamp) = self.follow(records=False), self._newest
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

    def _whole(self, heads: Heads, user_id: UserId | None, records: bool, may_wait: bool) -> OpenedGeneration:
        """Return what answers, or in its place what is newest, with all that the journal has of a user."""
        patience = Patience(self._home)
        while True:
            opened, stamp = self._answering
            is_whole = not records or opened.has_all(heads, user_id)
            if is_whole and (self._stamp_now() == stamp or self._stays(opened)):
                return opened
            _refuse_unless(may_wait)
            landed, stamp = self._landed()
            if not records or landed.has_all(heads, user_id):
                return self._made_whole(opened, landed, stamp)
            # Whoever writes acknowledges what the journal has, and then makes the records. What one that was
            # killed in between left, or a way back that was cut short, is folded in here.
            with self._write_lock.held(waits=False) as is_held:
                if is_held:
                    self.caught_up()
            if not is_held:
                patience.wait()

    def _made_whole(
        self, answering: OpenedGeneration, landed: OpenedGeneration, stamp: Stamp
    ) -> OpenedGeneration:
        """Return what answers in place of a generation that is gone, or once it has the whole journal.

        While others write, that is what landed: it has all that was asked for, and nobody waits.
        """
        if not self._stays(answering) and landed.has_all(self._journal.heads()):
            return self._answer_with(landed, stamp)
        with self._write_lock.held(waits=False) as is_held:
            if not is_held:
                return landed
            if not self._stays(answering):  # Now nothing lands.
                return self._swap_to(*self._landed())
            catch_up(answering, self._journal, alone=False)
            return answering

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
        return self._answer_with(landed, stamp)

    def _answer_with(self, landed: OpenedGeneration, stamp: Stamp) -> OpenedGeneration:
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


def _refuse_unless(may_wait: bool) -> None:
    if not may_wait:
        raise WouldWaitError("the answer has to wait for a generation, or for items: ask where it may")

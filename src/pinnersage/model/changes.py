"""The part of the facade that changes a model: actions added, users erased."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pinnersage._ids import UserId
from pinnersage._report import ImportReport
from pinnersage.model import answers
from pinnersage.model.home import Durability, WriteLock, journal_path, open_journal
from pinnersage.model.live import LiveModel
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.preferring import Kept
from pinnersage.model.turns import Patience
from pinnersage.model.writing import catch_up
from pinnersage.store._generation_files import read_current
from pinnersage.streaming.journal import Journal


class Changes:
    """What :class:`~pinnersage.model.facade.PinnerSage` does through the model's journal.

    A model that only answers writes to no journal, unless a killed writer left something in it.
    """

    _opened: OpenedGeneration
    _home: Path
    _journal: Journal | None = None
    _live_model: LiveModel | None = None
    _durability: Durability

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._home)!r}, generation {self._opened.path.name!r})"

    def update(self, actions: Any, **imports: Any) -> ImportReport:
        """Add actions; the next answer knows them, as if the model had been built with them.

        They are on the disk when this returns, unless the model was opened with another ``durability``.

        Parameters
        ----------
        actions
            A path, a list of paths, or a table, as in :meth:`build`. Repeats change nothing.
        **imports
            Fields of :class:`~pinnersage.config.ImportConfig`, where they differ from the build's.

        Returns
        -------
        report
            Rows read, kept and left out, and what became of the good ones: ``outcomes``.
        """
        live = self._live()
        report, outcomes = live.add_table(actions, imports)
        self._opened = live.opened()
        return replace(report, outcomes=outcomes)

    def erase(self, user_id: UserId) -> answers.Answer:
        """Remove a user from every generation of the model and return a receipt.

        Raises
        ------
        UserNotFoundError
            No generation holds the user.
        """
        return self._live().erase(user_id)

    def _preferences(self, user_id: UserId) -> Kept:
        """Return what is kept of a user's preferences by item id."""
        journal = self._journal_now()
        return {} if journal is None else journal.preferences(user_id)

    def _open(self, generation: Path, home: Path) -> None:
        """Open a generation, with the items put since and everything in the journal."""
        self._home, self._journal = home, open_journal(home, durability=self._durability)
        with ExitStack() as if_it_fails:
            if self._journal is not None:
                if_it_fails.callback(self._journal.close)
            self._opened = OpenedGeneration(generation, self._journal)
            if_it_fails.callback(self._opened.close)
            self._with_all_of()
            if_it_fails.pop_all()

    def _with_all_of(self, user_id: UserId | None = None) -> OpenedGeneration:
        """Return what is open, with every acknowledged action of a user; of everybody, without one.

        A writer makes the records right after it acknowledged. What one that was killed in between left is
        folded in here, where that may be written. Nobody writes to a generation that was replaced.
        """
        opened, journal = self._opened, self._journal_now()
        heads, patience = journal and journal.heads(), Patience(self._home)
        while journal and heads and not opened.has_all(heads, user_id):
            if read_current(self._home) != opened.path.name:
                break
            with self._held_if_free() as is_held:
                if is_held and read_current(self._home) == opened.path.name:
                    catch_up(opened, journal)
            if not is_held:
                patience.wait()
        return opened

    @contextmanager
    def _held_if_free(self) -> Iterator[bool]:
        """Hold the write lock, and tell whether it is held: not where others hold it, or it may not be."""
        if not os.access(journal_path(self._home), os.W_OK):
            yield False
            return
        with WriteLock(self._home).held(waits=False) as is_held:
            yield is_held

    def _journal_now(self) -> Journal | None:
        return self._journal if self._live_model is None else self._live_model.journal()

    def _close(self) -> None:
        self._opened.close()
        if self._journal is not None:
            self._journal.close()
        if self._live_model is not None:
            self._live_model.close()

    def _live(self) -> LiveModel:
        """Return what writes to this model's directory, with the journal folded in."""
        if self._live_model is None:
            self._live_model = LiveModel(self._home, durability=self._durability)
        self._opened = self._live_model.opened()
        return self._live_model

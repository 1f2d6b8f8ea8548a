"""Requests that take too long are cancelled; one that does not pays next to nothing for it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

_LOOK_EVERY_S = 0.5


class Deadlines:
    """The requests of one event loop that have a deadline.

    A timer a request would cost as much as reading its body. One timer looks after all of them instead, so
    a deadline may be missed by ``every_s``.

    Parameters
    ----------
    every_s
        How often they are looked at, while there are any.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._running: set[Deadline] = set()
        self._is_looking = False

    @classmethod
    def of(cls, shortest_s: float) -> Self:
        """Return what looks often enough for deadlines of ``shortest_s`` and more."""
        return cls(min(_LOOK_EVERY_S, shortest_s / 20))

    def within(self, seconds: float) -> Deadline:
        """Return a deadline for the task that enters it with ``with``."""
        return Deadline(self, seconds)

    def begin(self, deadline: Deadline, loop: asyncio.AbstractEventLoop) -> None:
        """Look after a deadline until :meth:`end`."""
        self._running.add(deadline)
        if not self._is_looking:
            self._look_later(loop)

    def end(self, deadline: Deadline) -> None:
        """Look after it no more."""
        self._running.discard(deadline)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_looking = True
        loop.call_later(self._every_s, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for deadline in [one for one in self._running if one.until_s <= now_s]:
            self.end(deadline)
            deadline.pass_by()
        self._is_looking = False
        if self._running:
            self._look_later(loop)


class Deadline:
    """Cancels its task when it passes, which then sees a TimeoutError; made by :class:`Deadlines`.

    Attributes
    ----------
    began_s
        When it was entered, by the clock of the loop.
    until_s
        When it passes; it may be moved while it runs.
    """

    __slots__ = ("_among", "_has_passed", "_task", "began_s", "until_s")

    def __init__(self, among: Deadlines, seconds: float) -> None:
        self._among, self.until_s = among, seconds

    def __enter__(self) -> Deadline:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task, self._has_passed, self.began_s = task, False, loop.time()
        self.until_s += self.began_s
        self._among.begin(self, loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._among.end(self)
        # As asyncio.timeout does: who else wants the task cancelled is not to be disappointed.
        if self._has_passed and not self._task.uncancel() and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def pass_by(self) -> None:
        """Cancel the task."""
        self._has_passed = True
        self._task.cancel()

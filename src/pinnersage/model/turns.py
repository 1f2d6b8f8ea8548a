"""Long work on a live model, in short turns of its write lock: others write between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from pinnersage.errors import UnavailableError
from pinnersage.model.opened import OpenedGeneration

T = TypeVar("T")
WAIT_S = 5.0
"""Longer nobody waits for the records of what another acknowledged: a commit takes milliseconds."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.02

Turn = Callable[[], AbstractContextManager[OpenedGeneration]]
"""Holds the write lock, and gives what takes writes, with the whole journal in its records."""
TURN_S = 0.05
"""Nobody waits longer for a turn to end, but for what one piece of work takes."""
PAUSE_S = 0.005
"""Whoever waits for the lock gets it meanwhile."""


class Patience:
    """Waits a moment, each time a little longer, and gives up in the end.

    Parameters
    ----------
    home
        Directory of the model in which records are waited for.
    """

    def __init__(self, home: Path) -> None:
        self._home, self._until_s, self._pause_s = home, time.monotonic() + WAIT_S, FIRST_PAUSE_S

    def wait(self) -> None:
        """Wait once more.

        Raises
        ------
        UnavailableError
            That took too long already.
        """
        if time.monotonic() > self._until_s:
            raise UnavailableError(
                f"{self._home}: actions were acknowledged {WAIT_S:g} s ago and are in no record yet. If the "
                "process that writes there hangs, end it; if it is gone, and this one may not write, run "
                f"`pinnersage verify {self._home}` where that may"
            )
        time.sleep(self._pause_s)
        self._pause_s = min(1.25 * self._pause_s, LONGEST_PAUSE_S)


def in_turns(
    turn: Turn,
    opened: OpenedGeneration,
    wanted: Iterable[T],
    work: Callable[[OpenedGeneration, T], None],
) -> bool:
    """Do a piece of work for each of what is wanted; False once another generation than ``opened`` landed."""
    left, more = iter(wanted), True
    while more:
        with turn() as now:
            if now.path != opened.path:
                return False
            more = _work_on(now, left, work)
        if more:
            pause()
    return True


def pause() -> None:
    """Let others have the lock."""
    time.sleep(PAUSE_S)


def _work_on(
    opened: OpenedGeneration, left: Iterable[T], work: Callable[[OpenedGeneration, T], None]
) -> bool:
    """Work until the turn is over; tell whether it is over before the work is."""
    until_s = time.perf_counter() + TURN_S
    for one in left:
        work(opened, one)
        if time.perf_counter() >= until_s:
            return True
    return False

"""Long work on a live model, in short turns of its write lock: others write between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

from pinnersage.model.opened import OpenedGeneration

T = TypeVar("T")

Turn = Callable[[], AbstractContextManager[OpenedGeneration]]
"""Holds the write lock, and gives what takes writes, with the whole journal in its records."""
TURN_S = 0.05
"""Nobody waits longer for a turn to end, but for what one piece of work takes."""
PAUSE_S = 0.005
"""Whoever waits for the lock gets it meanwhile."""


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

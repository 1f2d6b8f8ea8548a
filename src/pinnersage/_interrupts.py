"""Ctrl-C, put off where it would do harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_put_off() -> Iterator[None]:
    """Let a Ctrl-C that comes inside take effect at the end.

    For what cannot bear an exception anywhere: modules in machine code that swallow one while they start, or
    end the process. Outside the main thread nothing is done, for Ctrl-C never comes there.
    """
    before = signal.getsignal(signal.SIGINT)
    # None: somebody other than Python handles it, and could not be put back.
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Let a Ctrl-C that comes inside take effect at once, or else at the end.

    For what may swallow one: callbacks from machine code and finalizers, where Python ignores exceptions.
    Outside the main thread nothing is done.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []

    def heard(number: int, frame: FrameType | None) -> None:
        came.append(True)
        before(number, frame)

    signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)

"""Many may pass at once, or one alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Shared:
    """The way in for many; written out as a class because every read passes here."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        gate = self._gate
        with gate.lock:
            if gate.n_waiting_alone:
                gate.condition.wait_for(lambda: gate.n_waiting_alone == 0)
            gate.n_inside += 1

    def __exit__(self, *_: object) -> None:
        gate = self._gate
        with gate.lock:
            gate.n_inside -= 1
            if gate.n_waiting_alone and gate.n_inside == 0:
                gate.condition.notify_all()


class Gate:
    """Lets transactions run together, and keeps them out while the memory map is replaced.

    A thread inside :attr:`shared` must leave it before it asks for :meth:`exclusive`.

    Attributes
    ----------
    shared
        Context manager: pass together with others.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.condition = threading.Condition(self.lock)
        self.n_inside = 0
        self.n_waiting_alone = 0
        self.shared = _Shared(self)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Pass alone: wait until all have left, and let none in meanwhile."""
        with self.condition:
            self.n_waiting_alone += 1
            try:
                self.condition.wait_for(lambda: self.n_inside == 0)
                yield
            finally:
                self.n_waiting_alone -= 1
                self.condition.notify_all()

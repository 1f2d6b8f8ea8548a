"""Many may pass at once, or one alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets transactions run together, and keeps them out while the memory map is replaced.

    A thread inside :meth:`shared` must leave it before it asks for :meth:`exclusive`.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._n_inside = 0
        self._n_waiting_alone = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Pass together with others."""
        with self._condition:
            if self._n_waiting_alone:
                self._condition.wait_for(lambda: self._n_waiting_alone == 0)
            self._n_inside += 1
        try:
            yield
        finally:
            with self._condition:
                self._n_inside -= 1
                if self._n_inside == 0:
                    self._condition.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Pass alone: wait until all have left, and let none in meanwhile."""
        with self._condition:
            self._n_waiting_alone += 1
            try:
                self._condition.wait_for(lambda: self._n_inside == 0)
                yield
            finally:
                self._n_waiting_alone -= 1
                self._condition.notify_all()

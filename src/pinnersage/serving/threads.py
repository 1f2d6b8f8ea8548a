"""Calls that take long run beside the event loop, in bounded numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pinnersage.errors import UnavailableError


class Threads:
    """A few threads, and a bound on what waits for them.

    Parameters
    ----------
    n_threads
        Calls that run at once.
    max_waiting
        Calls that may wait or run; more are refused.
    """

    def __init__(self, name: str, n_threads: int, max_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix=f"pinnersage-{name}")
        self._max_waiting = max_waiting
        self._n_waiting = 0

    async def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Return what ``function`` returns; call it from the event loop.

        Raises
        ------
        UnavailableError
            Too many calls wait already.
        """
        if self._n_waiting >= self._max_waiting:
            raise UnavailableError(f"{self._n_waiting:,} calls wait already; send yours again later")
        self._n_waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **options))
        running.add_done_callback(self._ended)
        return await running

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        self._pool.shutdown()

    def _ended(self, _: object) -> None:
        self._n_waiting -= 1

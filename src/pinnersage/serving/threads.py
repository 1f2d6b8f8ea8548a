"""Calls that take long run beside the event loop, in bounded numbers, and no longer than they are awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pinnersage.errors import UnavailableError

Receive = Callable[[], Awaitable[Any]]


class ClientGoneError(Exception):
    """The client closed its connection before it had an answer."""


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
        self._places = threading.BoundedSemaphore(max_waiting)

    async def call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Return what ``function`` returns; call it from the event loop.

        Cancelled, it is not begun any more; what has begun runs to its end.

        Raises
        ------
        UnavailableError
            Too many calls wait already.
        """
        if not self._places.acquire(blocking=False):
            raise UnavailableError(f"{self._max_waiting:,} calls wait already; send yours again later")
        running = self._pool.submit(function, *args, **options)
        running.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(running)

    async def call_each(self, function: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
        """Return ``function`` of each value, one after the other; cancelled, it stops before the next.

        Raises
        ------
        UnavailableError
            Too many calls wait already.
        """
        is_over = threading.Event()

        def work() -> list[Any]:
            found = []
            for value in values:
                if is_over.is_set():
                    break
                found.append(function(value))
            return found

        try:
            found: list[Any] = await self.call(work)
            return found
        finally:
            is_over.set()

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        self._pool.shutdown()


async def unless_gone(receive: Receive, asked: Awaitable[Any]) -> Any:
    """Return what is awaited, or cancel it when the client goes away; the body must have been read.

    Raises
    ------
    ClientGoneError
        It went.
    """
    asking = asyncio.ensure_future(asked)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise ClientGoneError
        return asking.result()
    finally:
        asking.cancel()
        leaving.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

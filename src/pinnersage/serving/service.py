"""What the routes share: the model, the bounds, the commits, the threads, the measures."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import structlog
from litestar import Litestar, Request, Response

from pinnersage._machine_code import when_compiling
from pinnersage.errors import PinnerSageError, UnavailableError, WouldWaitError
from pinnersage.serving.backend import Answer, Backend
from pinnersage.serving.bodies import DEFAULT_K, length_of
from pinnersage.serving.commits import CommitQueue
from pinnersage.serving.deadlines import Deadlines
from pinnersage.serving.encoded import EncodedJson
from pinnersage.serving.intake import Taken
from pinnersage.serving.metrics import Metrics
from pinnersage.serving.path_ids import path_id
from pinnersage.serving.problems import RequestError
from pinnersage.serving.results import counted, result_of
from pinnersage.serving.settings import ServiceSettings
from pinnersage.serving.shapes import ActionResult
from pinnersage.serving.threads import Threads

COMPILING = "compiling kernels for this machine, once: about half a minute"
_encode = msgspec.json.Encoder().encode


class Service:
    """One model served by one worker process."""

    def __init__(self, backend: Backend, settings: ServiceSettings) -> None:
        self.backend, self.settings, self.metrics = backend, settings, Metrics()
        self.commits = CommitQueue(
            backend.add_actions,
            max_queued_actions=settings.max_queued_actions,
            max_joined_actions=settings.max_joined_actions,
            observe=self.metrics.stage,
            fresh=self.metrics.freshness,
        )
        self._generation, self._observing = backend.generation, threading.Lock()
        # Apart from each other: writes may wait for a lock, many lists take long, and reads must not wait for
        # either. What tells how the service is, and takes it over to new generations, waits for no request.
        n_threads, max_waiting = settings.n_threads, settings.max_waiting
        reads, lists, writes, late = (
            Threads(name, n_threads, max_waiting) for name in ("reads", "lists", "writes", "late")
        )
        health, measures, watch = (Threads(name, 1, max_waiting) for name in ("health", "metrics", "watch"))
        self.slow_each, self.write, self._look = lists.call_each, writes.call, watch.call
        # A request that only reads has its time here, and not at the edge: most are answered at once.
        self._deadlines = Deadlines.of(settings.request_timeout_s)
        self.slow, self._late, self.check, self.measure = (
            partial(self._in_time, threads.call) for threads in (reads, late, health, measures)
        )
        self._threads = (reads, lists, writes, late, health, measures, watch)

    @asynccontextmanager
    async def lifespan(self, _app: Litestar) -> AsyncIterator[None]:
        """Start what runs beside the requests, and end it after the last of them."""
        self.commits.start()
        await self._rehearse()
        self.backend.observe = self.metrics.stage  # What the rehearsal took, nobody has waited for.
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await asyncio.to_thread(self.commits.stop)
            for threads in self._threads:
                await asyncio.to_thread(threads.close)
            self.backend.close()

    async def prompt(self, call: Callable[..., Any], *args: Any) -> Any:
        """Return what a read returns that is quick, unless it has to wait: then it does so in a thread."""
        try:
            return call(*args, may_wait=False)
        except WouldWaitError:
            return await self._late(call, *args)

    def timed(self, stage: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Return what ``call`` returns, counted as a passage through ``stage``."""
        began_s = time.perf_counter()
        try:
            return call(*args, **options)
        finally:
            self.metrics.stage(stage, time.perf_counter() - began_s)

    def respond(self, answer: Answer | msgspec.Struct, status: int = 200) -> Response[Any]:
        """Return an answer as JSON."""
        return EncodedJson(self.encoded(answer), status)

    def encoded(self, answer: Answer | msgspec.Struct) -> bytes:
        """Return an answer, or a part of one, in JSON."""
        body: bytes = self.timed("encode", _encode, answer)
        return body

    async def take(self, taken: Taken) -> list[ActionResult]:
        """Commit the readable actions of a request and return a result for each that was given."""
        outcomes = iter(await self.commits.commit(taken.actions))
        results = [
            taken.rejected.get(position) or result_of(next(outcomes)) for position in range(taken.n_given)
        ]
        self.metrics.actions(counted(results))
        return results

    def path_id(self, text: str, field: str) -> str:
        """Return an id as it stood in the path.

        Raises
        ------
        RequestError
            It is too long.
        """
        return path_id(text, field, self.settings.max_id_bytes)

    def length(self, k: int | None, usual: int = DEFAULT_K) -> int:
        """Return how long a list is to be: as it is asked, or as usual where it may be so long.

        Raises
        ------
        RequestError
            400: longer than a list may be.
        """
        return length_of(k, self.settings.max_k, usual)

    def check_ready(self) -> None:
        """Raise if requests cannot be answered now.

        Raises
        ------
        PinnerSageError
            Something of the model is gone, or nothing can be written.
        """
        if not self.commits.is_running:
            raise UnavailableError(
                "nothing can be written: the thread of commits has ended; restart the service"
            )
        self.backend.check_ready()

    def observe_status(self) -> None:
        """Bring the gauges up to date; one at a time, so that no count is older than the one before."""
        with self._observing:
            self.metrics.load(n_queued=self.commits.n_queued)
            if self.backend.generation != self._generation:  # Whoever noticed: a read, a write or the watch.
                self._generation = self.backend.generation
                self.metrics.swapped()
                structlog.get_logger().info("generation changed", generation=self._generation)
            with contextlib.suppress(PinnerSageError):
                self.metrics.status(self.backend.status())

    async def _in_time(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Return what is awaited of a call in a thread.

        Raises
        ------
        RequestError
            504: it takes too long.
        """
        try:
            with self._deadlines.within(self.settings.request_timeout_s):
                return await call(*args, **options)
        except TimeoutError:
            raise RequestError("no answer in time; send it again later", status=504) from None

    async def _rehearse(self) -> None:
        when_compiling(lambda: structlog.get_logger().info(COMPILING))
        try:
            await self._look(self.backend.rehearse)
        except PinnerSageError as error:  # Readiness will say what is wrong with the model.
            structlog.get_logger().error("the rehearsal failed", error=type(error).__name__)

    async def _watch(self) -> None:
        """Go over to new generations beside the requests, and keep the gauges fresh."""
        while True:
            try:
                await self._look(self.backend.refresh)
                await self._look(self.observe_status)
            except PinnerSageError as error:
                structlog.get_logger().error("the model cannot be read", error=type(error).__name__)
            await asyncio.sleep(self.settings.refresh_interval_s)


def service_of(request: Request[Any, Any, Any]) -> Service:
    """Return the service that a request belongs to."""
    service: Service = request.app.state.service
    return service

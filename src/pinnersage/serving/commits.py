"""Group commit: requests that come while one commit runs share the next; nobody waits when nothing runs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from pinnersage.errors import StoredFormatError, UnavailableError
from pinnersage.serving.problems import MAY_BE_TAKEN
from pinnersage.streaming.events import NewAction, Outcome


class AddActions(Protocol):
    """Takes actions in one commit; tells of each what became of it once they are durable."""

    def __call__(
        self, actions: Sequence[NewAction], *, acknowledged: Callable[[list[Outcome]], None]
    ) -> object:
        """See :meth:`pinnersage.serving.backend.Backend.add_actions`."""


_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    actions: Sequence[NewAction]
    answer: asyncio.Future[list[Outcome]]
    loop: asyncio.AbstractEventLoop
    since_s: float


Answered = tuple[_Waiting, list[Outcome] | Exception]


class CommitQueue:
    """Joins the actions of concurrent requests into one commit after another, in one thread.

    Parameters
    ----------
    add_actions
        Takes actions in one durable commit.
    max_queued_actions
        Actions that may wait; more are refused.
    max_joined_actions
        Actions of one commit, unless a single request has more.
    observe
        Told ``("queue" | "commit" | "records", seconds)``: until a request's commit began, until its actions
        were durable, until their records were made.
    fresh
        Told the seconds from a request's arrival until its actions are in the records.
    """

    def __init__(
        self,
        add_actions: AddActions,
        *,
        max_queued_actions: int,
        max_joined_actions: int,
        observe: Callable[[str, float], None] = lambda _stage, _seconds: None,
        fresh: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._add_actions, self._observe, self._fresh = add_actions, observe, fresh
        self._max_queued, self._max_joined = max_queued_actions, max_joined_actions
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="pinnersage-commits", daemon=True)
        self.n_queued = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, and end the thread; blocks until then."""
        self._queue.put(None)
        self._thread.join()

    @property
    def is_running(self) -> bool:
        """Whether commits can happen."""
        return self._thread.is_alive()

    async def commit(self, actions: Sequence[NewAction]) -> list[Outcome]:
        """Return the outcomes when the actions are durable; call it from the event loop.

        Raises
        ------
        UnavailableError
            Too many actions wait already.
        """
        if not actions:
            return []
        if self.n_queued and self.n_queued + len(actions) > self._max_queued:
            raise UnavailableError(
                f"{self.n_queued:,} actions wait to be written; none of yours was taken, send them later"
            )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(actions, loop.create_future(), loop, time.perf_counter())
        self.n_queued += len(actions)
        self._queue.put(waiting)
        # A request that gives up cancels its own answer only: those that share its commit have theirs.
        return await waiting.answer

    def _run(self) -> None:
        go_on = True
        while go_on:
            joined, go_on = self._next()
            if joined:
                self._take(joined)

    def _next(self) -> tuple[list[_Waiting], bool]:
        """Return the requests of the next commit, and whether there will be more."""
        first = self._queue.get()
        if first is None:
            return [], False
        joined, n_actions = [first], len(first.actions)
        while n_actions < self._max_joined and not self._queue.empty():
            more = self._queue.get()
            if more is None:
                return joined, False
            joined.append(more)
            n_actions += len(more.actions)
        return joined, True

    def _take(self, joined: list[_Waiting]) -> None:
        began_s = time.perf_counter()
        for waiting in joined:
            self._observe("queue", began_s - waiting.since_s)
        self._commit(joined)

    def _commit(self, joined: list[_Waiting]) -> None:
        """Commit all in one; if that is refused, each request by itself, so that none fails for another."""
        began_s, durable_s = time.perf_counter(), 0.0

        def acknowledged(outcomes: list[Outcome]) -> None:
            nonlocal durable_s
            durable_s = time.perf_counter()
            self._observe("commit", durable_s - began_s)
            self._tell(_shared_out(joined, outcomes))

        try:
            self._add_actions([a for waiting in joined for a in waiting.actions], acknowledged=acknowledged)
        except Exception as error:  # noqa: BLE001 - it is handed to those who wait.
            if durable_s:
                _log.warning(
                    "actions that were acknowledged are in the journal, but not in the records yet (%s); "
                    "whoever asks for their users, or sends actions, tries again", error,
                )  # fmt: skip
            elif isinstance(error, UnavailableError | StoredFormatError):
                told = type(error)(f"{error}; {MAY_BE_TAKEN}")
                self._tell([(waiting, told) for waiting in joined])
            elif len(joined) == 1:
                self._tell([(joined[0], error)])
            else:
                for waiting in joined:
                    self._commit([waiting])
            return
        ended_s = time.perf_counter()
        self._observe("records", ended_s - durable_s)
        for waiting in joined:
            self._fresh(ended_s - waiting.since_s)

    def _tell(self, answers: list[Answered]) -> None:
        try:
            answers[0][0].loop.call_soon_threadsafe(self._deliver, answers)
        except RuntimeError:  # The loop is closed: nobody is left to hear it; what is written stays written.
            self.n_queued = 0

    def _deliver(self, answers: list[Answered]) -> None:
        for waiting, found in answers:
            self.n_queued -= len(waiting.actions)
            if waiting.answer.done():
                continue
            if isinstance(found, Exception):
                waiting.answer.set_exception(found)
            else:
                waiting.answer.set_result(found)


def _shared_out(joined: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> list[Answered]:
    """Return each request with the outcomes of its own actions."""
    left = iter(outcomes)
    return [(waiting, list(islice(left, len(waiting.actions)))) for waiting in joined]

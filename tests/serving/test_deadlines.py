"""Deadlines that share a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from pinnersage.serving.deadlines import Deadlines

LOOKS_EVERY_S = 0.01
FAR_S = 60.0


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end, or fail where nothing ends it."""
    return asyncio.run(asyncio.wait_for(work, FAR_S / 2))


def test_what_takes_too_long_is_cancelled_and_told_of_it() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            with Deadlines(LOOKS_EVERY_S).within(0.02):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    seen.append("cancelled")
                    raise
        except TimeoutError:
            seen.append("late")
        await asyncio.sleep(0)  # The task goes on as if nobody had wanted it cancelled.
        seen.append(f"{asyncio.current_task().cancelling()} left")  # type: ignore[union-attr]

    run(work())
    assert seen == ["cancelled", "late", "0 left"]


def test_each_has_its_own_deadline_and_one_timer_serves_those_that_come_later() -> None:
    deadlines = Deadlines(LOOKS_EVERY_S)

    async def one(seconds: float, needed_s: float) -> str:
        try:
            with deadlines.within(seconds):
                await asyncio.sleep(needed_s)
        except TimeoutError:
            return "late"
        return "done"

    async def work() -> list[str]:
        first = await asyncio.gather(one(0.02, FAR_S), one(FAR_S, 0.1), one(0.05, FAR_S))
        await asyncio.sleep(5 * LOOKS_EVERY_S)  # The timer has nothing to look after, and stops.
        return [*first, await one(0.02, FAR_S), await one(FAR_S, 0.02)]

    assert run(work()) == ["late", "done", "late", "late", "done"]


def test_a_deadline_can_be_moved_while_it_runs() -> None:
    async def work(moved_to_s: float) -> str:
        try:
            with Deadlines(LOOKS_EVERY_S).within(0.05) as deadline:
                deadline.until_s = deadline.began_s + moved_to_s
                await asyncio.sleep(0.2)
        except TimeoutError:
            return "late"
        return "done"

    assert run(work(FAR_S)) == "done"
    assert run(work(0.0)) == "late"


def test_what_others_cancel_stays_cancelled_and_errors_stay_errors() -> None:
    async def work() -> None:
        deadlines = Deadlines(LOOKS_EVERY_S)

        async def waits() -> None:
            with deadlines.within(FAR_S):
                await asyncio.Event().wait()

        async def fails() -> None:
            with deadlines.within(FAR_S):
                raise ValueError("own")

        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ValueError, match="own"):
            await fails()

    run(work())


def test_what_fails_when_it_is_cancelled_fails() -> None:
    async def work() -> None:
        with Deadlines(LOOKS_EVERY_S).within(0.0):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("own") from None

    with pytest.raises(ValueError, match="own"):
        run(work())


def test_who_cancels_at_the_same_moment_is_not_disappointed() -> None:
    async def work() -> None:
        async def waits() -> None:
            with Deadlines(LOOKS_EVERY_S).within(0.0) as deadline:
                deadline.pass_by()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())

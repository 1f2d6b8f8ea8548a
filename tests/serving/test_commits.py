"""Group commit: requests share commits, none fails for another, and what waits is bounded."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pinnersage.errors import StorageFullError, UnavailableError, UsageError
from pinnersage.serving.commits import CommitQueue
from pinnersage.streaming.events import ACCEPTED, NewAction, Outcome


def action(user: str) -> NewAction:
    return NewAction(user, "i", 0)


class Log:
    """Takes actions; holds the first commit until it is told to go on."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.late_error: Exception | None = None
        self.recorded = threading.Event()
        self.recorded.set()

    def add(self, actions: Sequence[NewAction], *, acknowledged: Callable[[list[Outcome]], None]) -> None:
        users = [str(a.user_id) for a in actions]
        self.commits.append(users)
        self.begun.set()
        assert self.go_on.wait(30)
        if "bad" in users:
            raise UsageError("user_id: bad")
        if self.error:
            raise self.error
        acknowledged([Outcome("rejected", user) if user.startswith("no") else ACCEPTED for user in users])
        assert self.recorded.wait(30)
        if self.late_error:
            raise self.late_error


def queue(log: Log, **bounds: Any) -> CommitQueue:
    made = CommitQueue(log.add, **{"max_queued_actions": 10, "max_joined_actions": 4} | bounds)
    made.start()
    return made


async def sent(commits: CommitQueue, log: Log, *requests: list[str]) -> list[object]:
    """Send the first request, and while it is being committed all the others; return what each got."""
    tasks = [asyncio.create_task(commits.commit([action(user) for user in requests[0]]))]
    await asyncio.to_thread(log.begun.wait, 30)
    tasks += [asyncio.create_task(commits.commit([action(user) for user in users])) for users in requests[1:]]
    await asyncio.sleep(0)
    log.go_on.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.to_thread(commits.stop)
    return list(found)


def test_requests_that_come_during_a_commit_share_the_next_and_get_their_own_outcomes() -> None:
    log = Log()
    found = asyncio.run(sent(queue(log), log, ["a"], ["b", "no1"], ["c"], ["d", "no2"]))
    assert log.commits == [["a"], ["b", "no1", "c", "d", "no2"]]
    assert found == [
        [ACCEPTED], [ACCEPTED, Outcome("rejected", "no1")], [ACCEPTED],
        [ACCEPTED, Outcome("rejected", "no2")],
    ]  # fmt: skip


def test_a_commit_takes_no_more_than_its_bound() -> None:
    log = Log()
    asyncio.run(sent(queue(log, max_joined_actions=2), log, ["a"], ["b"], ["c"], ["d"]))
    assert log.commits == [["a"], ["b", "c"], ["d"]]


def test_a_request_that_is_refused_does_not_fail_those_it_shared_a_commit_with() -> None:
    log = Log()
    found = asyncio.run(sent(queue(log), log, ["a"], ["b"], ["bad"], ["c"]))
    assert found[0] == found[1] == found[3] == [ACCEPTED]
    assert isinstance(found[2], UsageError)
    assert log.commits == [["a"], ["b", "bad", "c"], ["b"], ["bad"], ["c"]]


def test_a_full_disk_fails_all_without_trying_each() -> None:
    log = Log()
    log.error = StorageFullError("full")
    found = asyncio.run(sent(queue(log), log, ["a"], ["b"], ["c"]))
    assert all(isinstance(f, StorageFullError) for f in found)
    assert log.commits == [["a"], ["b", "c"]]


def test_more_than_may_wait_is_refused_at_once() -> None:
    log = Log()
    found = asyncio.run(sent(queue(log, max_queued_actions=3), log, ["a"], ["b", "c"], ["d"], []))
    assert found[1] == [ACCEPTED, ACCEPTED]
    assert isinstance(found[2], UnavailableError)
    assert found[3] == []
    assert log.commits == [["a"], ["b", "c"]]


def test_who_gives_up_disturbs_nobody_and_the_action_is_taken_all_the_same() -> None:
    log = Log()
    commits = queue(log)

    async def run() -> None:
        first = asyncio.create_task(commits.commit([action("a")]))
        await asyncio.to_thread(log.begun.wait, 30)
        hasty, calm = (asyncio.create_task(commits.commit([action(user)])) for user in ("b", "c"))
        await asyncio.sleep(0)
        hasty.cancel()
        log.go_on.set()
        assert await first == await calm == [ACCEPTED]
        with pytest.raises(asyncio.CancelledError):
            await hasty
        await asyncio.to_thread(commits.stop)

    asyncio.run(run())
    assert log.commits == [["a"], ["b", "c"]]
    assert commits.n_queued == 0


def test_stopping_commits_what_waits() -> None:
    log = Log()
    commits = queue(log, max_joined_actions=1)

    async def run() -> list[list[Outcome]]:
        tasks = [asyncio.create_task(commits.commit([action(user)])) for user in "abc"]
        await asyncio.to_thread(log.begun.wait, 30)
        log.go_on.set()
        await asyncio.to_thread(commits.stop)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [[ACCEPTED]] * 3
    assert not commits.is_running


def test_requests_are_answered_before_the_records_are_made() -> None:
    log, told = Log(), []
    log.recorded.clear()
    log.go_on.set()
    commits = CommitQueue(
        log.add, max_queued_actions=10, max_joined_actions=4,
        observe=lambda stage, _: told.append(stage), fresh=lambda _: told.append("fresh"),
    )  # fmt: skip
    commits.start()

    async def run() -> list[Outcome]:
        found = await commits.commit([action("a")])
        assert told == ["queue", "commit"]
        log.recorded.set()
        await asyncio.to_thread(commits.stop)
        return found

    assert asyncio.run(run()) == [ACCEPTED]
    assert told == ["queue", "commit", "records", "fresh"]


def test_what_fails_after_the_answer_is_logged_and_the_next_commit_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Log()
    log.late_error = StorageFullError("no room")
    with caplog.at_level(logging.WARNING):
        found = asyncio.run(sent(queue(log), log, ["u-secret"], ["b"]))
    assert found == [[ACCEPTED], [ACCEPTED]]
    assert log.commits == [["u-secret"], ["b"]]
    assert [record.getMessage().count("not in the records yet (no room)") for record in caplog.records] == [
        1,
        1,
    ]
    assert "u-secret" not in caplog.text

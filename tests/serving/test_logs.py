"""Logs that cannot be written: lines are lost, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.serving.conftest import Server, build_model

NO_ROOM = Path("/dev/full")
# What failed after an acknowledgement is logged by the thread that commits.
COMMITS = """
import asyncio
from pinnersage.errors import StorageFullError
from pinnersage.serving.commits import CommitQueue
from pinnersage.serving.logs import configure_logs
from pinnersage.streaming.events import ACCEPTED, NewAction

def add(actions, *, acknowledged):
    acknowledged([ACCEPTED] * len(actions))
    raise StorageFullError("no room")

async def run():
    for _ in range(3):
        assert await commits.commit([NewAction("u", "i", 0)]) == [ACCEPTED]

configure_logs()
commits = CommitQueue(add, max_queued_actions=9, max_joined_actions=9)
commits.start()
asyncio.run(run())
assert commits.is_running
commits.stop()
print("all answered")
"""

pytestmark = pytest.mark.skipif(not NO_ROOM.exists(), reason="needs /dev/full, which Linux has")


def test_requests_are_answered_where_the_log_has_no_room(tmp_path: Path) -> None:
    server = Server(build_model(tmp_path / "m"), NO_ROOM)
    try:
        action = {"user_id": "u1", "item_id": "i05", "timestamp": "2026-11-20T10:00:00Z"}
        assert server.client.post("/v1/actions", json={"actions": [action]}).status_code == 202
        assert server.client.get("/v1/users/u1/recommendations").status_code == 200
        assert server.client.get("/v1/items/none/neighbors").status_code == 404
    finally:
        assert server.stop() in (0, 143)


def test_commits_go_on_where_the_log_has_no_room() -> None:
    with NO_ROOM.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", COMMITS], stdout=subprocess.PIPE, stderr=full, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert done.stdout == "all answered\n"

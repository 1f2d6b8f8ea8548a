"""Another process keeps writers waiting while a generation is swapped: nobody else waits for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.serving.conftest import DAY_S, START_S, Serve, Server, build_model

TIMEOUT_S = 1
NEW_ITEM, ACTED, IN_FLIGHT, SAME, UNKNOWN = "i70", "u1", "u3", "u2", "nobody"
AT_MS = (START_S + DAY_S) * 1_000  # "Now" does not move.
# It makes the older generation current, acknowledges an action there, writes another into the journal
# and not into its record, and goes no further: as a way back, or a build that lands, which takes its time.
HOLDER = f"""
import sys
from pathlib import Path
from pinnersage.model.live import LiveModel
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming.entries import action_entry
from pinnersage.streaming.events import NewAction

home = Path(sys.argv[1])
with LiveModel(home) as live, live._write_lock.held():
    GenerationDirectory(home).rollback("00000001")
    outcomes = live.add_actions([NewAction("{ACTED}", "{NEW_ITEM}", {AT_MS})])
    live.journal().append([action_entry(NewAction("{IN_FLIGHT}", "{NEW_ITEM}", {AT_MS}), {AT_MS})])
    print(outcomes[0].status, live.generation, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held(server: Server) -> Iterator[None]:
    """Hold the model's write lock in another process, in the midst of a swap that the service finds so."""
    server.process.send_signal(signal.SIGSTOP)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(server.directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline().split() == ["accepted", "00000001"]
        server.process.send_signal(signal.SIGCONT)
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)
        process.communicate("\n", timeout=60)


@pytest.fixture(scope="module")
def swapped(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a service of the second of two generations."""
    directory = tmp_path_factory.mktemp("held") / "model"
    for _ in range(2):
        build_model(directory)
    return serve("--request-timeout", TIMEOUT_S, directory=directory)


def item_ids(server: Server, user: str) -> set[str]:
    """Return the items of a user's interests."""
    answer = server.client.get(f"/v1/users/{user}/interests")
    assert answer.status_code == 200
    return {item for interest in answer.json()["interests"] for item in interest["item_ids"]}


def listed(server: Server, user: str) -> set[str]:
    answer = server.client.get(f"/v1/users/{user}/recommendations", params={"k": 72})
    assert answer.status_code == 200
    return {item["item_id"] for item in answer.json()["items"]}


def test_lists_and_health_wait_for_no_writer_of_another_process(swapped: Server) -> None:
    assert NEW_ITEM not in item_ids(swapped, ACTED) | item_ids(swapped, IN_FLIGHT)
    before = listed(swapped, SAME)
    with held(swapped):
        assert NEW_ITEM in item_ids(swapped, ACTED)  # What was acknowledged counts, also now.
        assert NEW_ITEM not in listed(swapped, ACTED)
        # Only the one whose action is in the journal, and in no record yet, has to wait.
        for ask in (swapped.client.get, swapped.client.head):
            assert ask(f"/v1/users/{IN_FLIGHT}/recommendations").status_code == 504
        assert listed(swapped, SAME) == before
        for path in (f"/v1/users/{UNKNOWN}/recommendations", "/v1/items/i05/neighbors", "/health/live"):
            assert swapped.client.get(path).status_code == 200
        late = swapped.client.get(f"/v1/users/{IN_FLIGHT}/interests")
        assert (late.status_code, late.headers["content-type"]) == (504, "application/problem+json")
        assert late.headers["x-request-id"] in late.json()["instance"]
    for user in (ACTED, IN_FLIGHT):
        assert NEW_ITEM in item_ids(swapped, user)
        assert NEW_ITEM not in listed(swapped, user)

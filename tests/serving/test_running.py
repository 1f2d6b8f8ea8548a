"""Starting, stopping, several workers, generations that land, and stores that go away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from tests.serving.conftest import Serve, Server, action_table, build_model, item_table

from pinnersage import PinnerSage
from pinnersage.serving.workers import DEATHS_A_WORKER

TIME = "2026-11-20T10:00:00Z"


def action(user: str, item: str = "i05", **more: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "timestamp": TIME} | more


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    until_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def test_what_was_acknowledged_is_there_after_sigterm_and_after_kill_9(serve: Serve) -> None:
    server = serve()
    codes: list[int] = []

    def send(number: int) -> None:
        actions = [action(f"t{number}-{n}") for n in range(300)]
        with httpx.Client(base_url=server.url, timeout=30) as client:
            codes.append(client.post("/v1/actions", json={"actions": actions}).status_code)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    until(lambda: b"/v1/actions" in server.log.read_bytes())
    assert server.stop() == 0
    for sender in senders:
        sender.join()
    assert set(codes) == {202}  # Those that were on their way were answered.
    second = serve(directory=server.directory)
    for number in range(4):
        assert second.client.get(f"/v1/users/t{number}-299/interests").status_code == 200
    assert second.client.post("/v1/actions", json={"actions": [action("k1")]}).status_code == 202
    second.process.send_signal(signal.SIGKILL)
    second.process.wait()
    third = serve(directory=server.directory)
    assert third.client.get("/v1/users/k1/interests").json()["interests"][0]["item_ids"] == ["i05"]
    _red_when_gone(third)


def test_an_action_that_leaves_the_window_of_all_others_behind_is_logged(
    serve: Serve, tmp_path: Path
) -> None:
    old = [pa.array([1_600_000_000] * 120, pa.timestamp("s", "UTC"))]
    log = action_table().set_column(2, "timestamp", old)
    PinnerSage.build(item_table(), log, path=tmp_path / "old").close()
    server = serve(directory=tmp_path / "old")
    assert server.client.post("/v1/actions", json={"actions": [action("who-leaps")]}).status_code == 202
    (line,) = [line for line in server.log_lines() if "all of the window before has passed" in line["event"]]
    assert line["level"] == "warning"
    assert "was of 2020-09-13T12:26:40" in line["event"]
    assert "who-leaps" not in server.log_text()
    for _ in range(2):
        assert server.client.post("/v1/actions", json={"actions": [action("u1")]}).status_code == 202
    assert server.log_text().count("all of the window before") == 1


def _red_when_gone(server: Server) -> None:
    """Readiness goes red when a part, or all, is gone from the disk; the process lives."""
    for part in ("journal", *(f"generations/00000001/{name}" for name in ("store", "items", "index"))):
        (server.directory / part).rename(server.directory / "away")
        found = server.client.get("/health/ready")
        assert (found.status_code, part in found.text) == (503, True)
        _tells_no_place(found, server)
        (server.directory / "away").rename(server.directory / part)
        assert server.client.get("/health/ready").status_code == 200
    shutil.rmtree(server.directory)
    until(lambda: server.client.get("/health/ready").status_code == 503)
    found = server.client.get("/health/ready")
    assert found.headers["content-type"] == "application/problem+json"
    assert found.headers["retry-after"] == "1"
    _tells_no_place(found, server)
    logged = [line for line in server.log_lines() if line["event"] == "unavailable"]
    assert found.headers["x-request-id"] in {line["request_id"] for line in logged}
    assert server.client.get("/health/live").status_code == 200
    _tells_no_place(server.client.get("/v1/users/u1/recommendations"), server, 503)
    assert server.client.post("/v1/actions", json={"actions": [action("u1")]}).status_code == 503


def _tells_no_place(answer: httpx.Response, server: Server, status: int = 503) -> None:
    """Files are named from the model's directory on; where that is, is in the log."""
    assert answer.status_code == status
    assert str(server.directory) not in answer.text
    assert str(server.directory) in server.log_text()


def test_nobody_gets_what_is_anothers(server: Server) -> None:
    users = [f"u{number}" for number in range(20)]
    alone = {user: _everything(server.client, user) for user in users}
    wrong: list[str] = []

    def ask(first: int) -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for turn in range(20):
                user = users[(first + turn * 7) % len(users)]
                if _everything(client, user) != alone[user]:
                    wrong.append(user)

    askers = [threading.Thread(target=ask, args=(first,)) for first in range(6)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert wrong == []


def _everything(client: httpx.Client, user: str) -> list[Any]:
    found = [
        client.get(f"/v1/users/{user}{end}").json() for end in ("", "/interests", "/recommendations?k=5")
    ]
    assert {answer["user_id"] for answer in found} == {user}
    return found


def test_concurrent_requests_share_commits_and_get_their_own_results(server: Server) -> None:
    found: dict[int, list[str]] = {}

    def send(number: int) -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for turn in range(5):
                actions = [action(f"c{number}"), action(f"c{number}", "i07", event_id=f"{number}-{turn}")]
                if number == 3:
                    actions.insert(1, action("c3", weight=-1))
                answer = client.post("/v1/actions", json={"actions": actions}).json()
                found.setdefault(number, []).extend(r["status"] for r in answer["results"])

    senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    for number, statuses in found.items():
        expected = ["accepted", "accepted"] + ["duplicate", "accepted"] * 4
        if number == 3:
            expected = ["accepted", "rejected", "accepted"] + ["duplicate", "rejected", "accepted"] * 4
        assert statuses == expected
    text = server.client.get("/metrics").text
    assert 'pinnersage_actions_total{status="accepted"} 48.0' in text
    assert 'pinnersage_actions_total{status="duplicate"} 32.0' in text


def test_a_generation_that_lands_is_taken_up_without_a_failed_request(server: Server) -> None:
    refused: list[tuple[int, str]] = []
    n_answered = 0
    ended = threading.Event()

    def ask() -> None:
        nonlocal n_answered
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not ended.is_set():
                answers = (
                    client.get("/v1/users/u1/recommendations"),
                    client.post("/v1/actions", json={"actions": [action("g1")]}),
                )
                n_answered += sum(answer.is_success for answer in answers)
                refused.extend((found.status_code, found.text) for found in answers if not found.is_success)

    asker = threading.Thread(target=ask)
    asker.start()
    build_model(server.directory)
    until(lambda: server.client.get("/health/ready").json()["generation"] == "00000002")
    ended.set()
    asker.join()
    assert refused == []
    assert n_answered > 0
    assert server.client.get("/v1/users/g1/interests").status_code == 200
    assert "pinnersage_generation_swaps_total 1.0" in server.client.get("/metrics").text


def test_two_workers_are_one_service(serve: Serve) -> None:
    server = serve("--workers", "2")
    until(lambda: len(_children(server)) == 2)
    for number in range(30):
        with httpx.Client(base_url=server.url, timeout=30) as client:  # A new connection may reach either.
            assert client.post("/v1/actions", json={"actions": [action(f"w{number}")]}).status_code == 202
        with httpx.Client(base_url=server.url, timeout=30) as client:
            assert client.get(f"/v1/users/w{number}/interests").status_code == 200
    text = server.client.get("/metrics").text
    assert 'pinnersage_actions_total{status="accepted"} 30.0' in text
    assert "pinnersage_generation 1.0" in text
    pids = _children(server)
    os.kill(min(pids), signal.SIGSTOP)
    time.sleep(1.5)  # Now the first process waits for its answer: a death must be noticed also then.
    os.kill(min(pids), signal.SIGKILL)
    until(lambda: len(_children(server) - pids) == 1)
    (died,) = (line for line in server.log_lines() if line["event"].startswith("a worker died"))
    (new,) = _children(server) - pids
    assert (died["level"], died["pid"], died["exit_code"], died["replaced_by"]) == (
        "error",
        min(pids),
        -9,
        new,
    )
    until(lambda: all(_answers(server) for _ in range(10)))
    assert 'pinnersage_actions_total{status="accepted"} 30.0' in server.client.get("/metrics").text
    _gauges_forget_workers_that_are_replaced(server)
    assert server.stop() == 0


def test_workers_that_die_again_and_again_are_waited_for(serve: Serve) -> None:
    server, n_deaths = serve("--workers", "2"), 2 * DEATHS_A_WORKER

    def told(event: str) -> list[dict[str, Any]]:
        return [line for line in server.log_lines() if line["event"].startswith(event)]

    for n in range(1, n_deaths + 1):
        until(lambda: len(_children(server)) == 2)
        os.kill(max(_children(server)), signal.SIGKILL)
        while len(told("a worker died")) < n:
            time.sleep(0.05)
    until(lambda: bool(told("workers die again and again")))
    assert len(told("workers die again and again")) == 1
    assert server.stop() == 0  # And not only when the wait is over.
    assert told("a worker died")[-1]["exit_code"] == -signal.SIGKILL


def test_workers_that_cannot_start_say_why_in_the_log(tmp_path: Path) -> None:
    """Whatever the server library says of it is a line of the log, too."""
    build_model(tmp_path / "m")
    (tmp_path / "m" / "generations" / "00000001" / "items" / "vocabulary.arrow").unlink()
    command = [
        sys.executable,
        "-m",
        "pinnersage",
        "serve",
        str(tmp_path / "m"),
        "--port",
        "0",
        "--workers",
        "2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    *lines, last = done.stderr.splitlines()
    assert (done.returncode, last) == (5, "Error: the workers could not start; their log says why")
    told = [json.loads(line)["event"] for line in lines]
    assert "cannot start" in told
    assert any("failed to start" in event for event in told)


def _gauges_forget_workers_that_are_replaced(server: Server) -> None:
    """Killed or replaced while the first generation was current: they do not hold the gauge there."""
    build_model(server.directory)
    until(lambda: "\npinnersage_generation 2.0" in _metrics(server))
    pids = _children(server)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: len(_children(server)) == 2 and not _children(server) & pids)
    build_model(server.directory)
    until(lambda: "\npinnersage_generation 3.0" in _metrics(server))


def _metrics(server: Server) -> str:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        return client.get("/metrics").text


def test_workers_end_with_the_first_process_and_leave_port_and_disk_to_the_next(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "pinnersage-metrics-without-lock").mkdir()
    server = serve("--workers", "2")
    until(lambda: len(_children(server)) == 2)
    alive, folders = serve("--workers", "2", directory=server.directory), _folders(tmp_path)
    workers = _children(server)
    assert server.client.post("/v1/actions", json={"actions": [action("o1")]}).status_code == 202
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    again = serve("--workers", "2", "--port", server.url.rpartition(":")[2], directory=server.directory)
    assert again.client.get("/v1/users/o1/interests").status_code == 200
    assert alive.client.get("/metrics").status_code == 200
    assert len(_folders(tmp_path) & folders) == len(folders) - 1
    assert again.stop() == alive.stop() == 0
    assert _folders(tmp_path) == {"pinnersage-metrics-without-lock"}


def _folders(path: Path) -> set[str]:
    return {folder.name for folder in path.glob("pinnersage-metrics-*")}


def _children(server: Server) -> set[int]:
    """Return the processes of workers: those that serve, not what watches over spawned ones."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status[1]) == server.process.pid and b"spawn_main" in command and status[0] != "Z":
            found.add(int(folder.name))
    return found


def _answers(server: Server) -> bool:
    try:
        return httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
    except httpx.TransportError:
        return False

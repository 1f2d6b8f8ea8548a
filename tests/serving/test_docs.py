"""Every curl command of docs/service.md works against a real service."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from tests.serving.conftest import Serve, Server

from pinnersage import PinnerSage
from pinnersage.serving.settings import ServiceSettings

PAGE = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
NOW = "2026-11-20T10:00:00Z"
ADDRESS = "http://127.0.0.1:8765"


def commands() -> list[list[str]]:
    """Return the words of every curl command of the page."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S):
        words = shlex.split(block.replace("\\\n", " "), comments=True)
        bounds = [*(i for i, word in enumerate(words) if word == "curl"), len(words)]
        found += [words[first:last] for first, last in pairwise(bounds)]
    return found


def run(client: httpx.Client, words: list[str]) -> httpx.Response:
    """Send what curl would send."""
    method, headers, body, url = "GET", {}, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            body = next(rest)
        else:
            url = word
    assert url.startswith(ADDRESS)
    return client.request(method, url.removeprefix(ADDRESS), headers=headers, content=body)


def test_the_commands_of_the_page_work_on_the_model_it_makes(tmp_path: Path, serve: Serve) -> None:
    program = re.search(r"<<'END'\n(.*?)\nEND\n", PAGE, re.S)
    assert program is not None
    subprocess.run([sys.executable, "-c", program[1]], cwd=tmp_path, check=True)
    asked, server = set(), serve(directory=tmp_path / "shop")
    for words in commands():
        answer = run(server.client, words)
        assert answer.status_code in (200, 202), (words, answer.text)
        assert '"popular":true' not in answer.text, words
        asked.add((answer.request.method, answer.request.url.path))
    # u1, i05 and new stand for ids; every route but the document is shown.
    assert len(asked) == 15


def test_the_statuses_of_the_page_are_those_of_the_document_and_what_no_route_can_tell(
    server: Server,
) -> None:
    paths = server.client.get("/schema").json()["paths"]
    told = {int(s) for item in paths.values() for operation in item.values() for s in operation["responses"]}
    listed = re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", PAGE, re.M)
    assert {int(s) for row in listed for s in row.split(", ")} == {s for s in told if s >= 400} | {405, 500}


def test_the_limits_of_the_page_are_those_of_the_service() -> None:
    s = ServiceSettings()
    assert f"| length of a list | {s.max_k:,} |" in PAGE
    assert f"| size of a body | {s.max_body_bytes // 2**20} MB |" in PAGE
    assert f"arrive | {s.read_timeout_s:g} s each |" in PAGE
    assert f"its connection is closed | {s.write_timeout_s:g} s |" in PAGE
    assert f"does not count | {s.request_timeout_s:g} s |" in PAGE
    assert f"| {s.rate_per_s:,.0f}, bursts of as many |" in PAGE
    assert f"| {s.max_actions:,}; {s.max_users} |" in PAGE
    assert f"| items in the lists of a request of several users: users times `k` | {s.max_items:,} |" in PAGE
    assert f"for a thread | {s.max_queued_actions:,}; {s.max_waiting:,} |" in PAGE
    assert f"| {s.max_id_bytes:,};" in PAGE


def test_the_reasons_of_the_page_are_those_there_are(serve: Serve, tmp_path: Path) -> None:
    good = {"user_id": 1, "item_id": 5, "timestamp": NOW}
    long, wide = "x" * 1_025, 2**63
    bad: list[Any] = [
        *({name: value for name, value in good.items() if name != left_out} for left_out in good),
        *(good | {name: []} for name in (*good, "event_id", "action", "weight", "retract")),
        *(good | {name: ""} for name in ("user_id", "item_id")),
        *(good | {name: value} for name in ("user_id", "item_id", "event_id") for value in (long, wide)),
        *(good | {"timestamp": t} for t in (-1, 1_795_168_800, "2999-01-01T00:00:00Z")),
        *(good | {"weight": weight} for weight in (-1, 1e300)),
        good | {"user_id": "bob"}, good | {"evnt_id": 1}, "no object",
        good | {"item_id": 999}, good | {"item_id": 998}, good | {"event_id": "e", "retract": True},
    ]  # fmt: skip
    items, actions = (
        pa.table({"item_id": [5], "embedding": [[1.0, 0.5]]}),
        pa.table(
            {"user_id": [1, 1], "item_id": [5, 5], "timestamp": pa.array([1, 2], pa.timestamp("s", "UTC"))}
        ),
    )
    found = set()
    for online in ("exact", "recent"):
        PinnerSage.build(items, actions, path=tmp_path / online, online=online).close()
        client = serve("--max-parked", "1", directory=tmp_path / online).client
        for sent in (bad, [good | {"event_id": "e"}]):
            results = client.post("/v1/actions", json={"actions": sent}).json()["results"]
            found |= {(result["reason"], result["status"]) for result in results if "reason" in result}
    rows = re.findall(r"^\| (`[a-z_0-9`, ]+`) \| `(accepted|parked|rejected)` \|", PAGE, re.M)
    told = {(reason, status) for names, status in rows for reason in re.findall(r"`(\w+)`", names)}
    assert found == told

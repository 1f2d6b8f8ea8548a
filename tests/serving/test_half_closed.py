"""A client that closes its half of the connection after its request counts as gone; what it sent is taken."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from tests.serving.conftest import Server

TIME = "2026-11-20T10:00:00Z"


def send_and_close_half(server: Server, actions: list[dict[str, Any]]) -> None:
    """Send actions, say that no more will come, and wait for the end of the connection."""
    body = json.dumps({"actions": actions}).encode()
    head = "POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=30) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65_536):  # Whoever closes a half may have an answer, or none.
            pass


@pytest.mark.parametrize("named", [True, False], ids=["by event id", "by columns"])
def test_what_it_sent_counts_once_however_often_it_is_sent(server: Server, named: bool) -> None:
    user = f"half-{named}"
    actions = [{"user_id": user, "item_id": item, "timestamp": TIME} for item in ("i05", "i40")]
    if named:
        actions = [action | {"event_id": f"{user}-{action['item_id']}"} for action in actions]
    for _ in range(3):
        send_and_close_half(server, actions)
    answer = server.client.post("/v1/actions", json={"actions": actions})
    assert answer.status_code == 202
    assert [result["status"] for result in answer.json()["results"]] == ["duplicate"] * len(actions)
    held = server.client.get(f"/v1/users/{user}").json()
    assert sorted(action["item_id"] for action in held["actions"]) == ["i05", "i40"]

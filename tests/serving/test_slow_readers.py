"""Clients that do not read their answers are cut off; those that read slowly are not."""

from __future__ import annotations

import json
import socket
import time

import httpx
import psutil
import pytest
from tests.serving.conftest import Serve, Server, action_table, item_table

from pinnersage import PinnerSage

TIMEOUT_S = 2.0
N_USERS, N_ITEMS = 300, 72
LONG = "x" * 400


@pytest.fixture(scope="module")
def server(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a service that is soon tired of clients that do not read, with items whose ids are long."""
    items, actions = (
        table.set_column(at, "item_id", [[item + LONG for item in table["item_id"].to_pylist()]])
        for table, at in ((item_table(), 0), (action_table(), 1))
    )
    path = tmp_path_factory.mktemp("long") / "model"
    PinnerSage.build(items, actions, path=path).close()
    return serve("--write-timeout", TIMEOUT_S, directory=path)


def ask(server: Server, n_bytes_taken: int) -> socket.socket:
    """Ask for an answer of 15 MB, more than kernels hold; the client's takes this much of it unread."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, n_bytes_taken)
    client.settimeout(30)
    client.connect(("127.0.0.1", port_of(server)))
    body = json.dumps({"user_ids": ["u1"] * N_USERS, "k": N_ITEMS, "include_seen": True}).encode()
    head = "POST /v1/recommendations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return client


def read_to_the_end(client: socket.socket) -> None:
    while client.recv(2**20):
        pass


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def n_open(server: Server) -> int:
    """Return how many connections the service holds, besides that of the test's own client."""
    server.client.close()
    server.client = httpx.Client(base_url=server.url, timeout=30)
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(c.status == psutil.CONN_ESTABLISHED and c.laddr.port == port_of(server) for c in connections)


def test_connections_whose_clients_do_not_read_are_closed(server: Server) -> None:
    clients = [ask(server, 4_096) for _ in range(3)]
    until_s = time.monotonic() + 60
    while server.log_text().count("a client did not read its answer") < len(clients):
        assert time.monotonic() < until_s
        time.sleep(0.1)
    assert n_open(server) == 0
    for client in clients:
        with pytest.raises(ConnectionResetError):
            read_to_the_end(client)
        client.close()
    assert server.client.get("/health/ready").status_code == 200


def test_a_client_that_reads_slowly_has_its_whole_answer(server: Server) -> None:
    client, began_s = ask(server, 65_536), time.monotonic()
    got = bytearray(client.recv(65_536))
    n_bytes = int(got.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    n_slow = 0
    while time.monotonic() - began_s < 4 * TIMEOUT_S:
        got += client.recv(32_768)
        n_slow += 1
        time.sleep(TIMEOUT_S / 10)
    # What the kernels hold could not have hidden the pauses.
    assert len(got) < n_bytes / 2
    while len(got.partition(b"\r\n\r\n")[2]) < n_bytes:
        got += client.recv(2**20)
    assert len(json.loads(got.partition(b"\r\n\r\n")[2])["answers"]) == N_USERS
    client.close()


def test_the_time_for_an_answer_is_not_that_for_reading_it(serve: Serve, server: Server) -> None:
    """The second answer cannot be sent before the first is read; that is late, but was made in time."""
    quick = serve("--request-timeout", 2 * TIMEOUT_S, directory=server.directory)
    client = ask(quick, 65_536)
    second = b"PUT /v1/items/late HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    client.sendall(second + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
    until_s = time.monotonic() + 3 * TIMEOUT_S
    got = bytearray()
    while time.monotonic() < until_s:
        got += client.recv(32_768)
        time.sleep(TIMEOUT_S / 10)
    while more := client.recv(2**20):
        got += more
    assert [got.count(b"HTTP/1.1 " + status) for status in (b"200", b"400", b"5")] == [1, 1, 0]
    assert got.endswith(b"}")
    client.close()

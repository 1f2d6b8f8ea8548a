"""Connections that are written to all the time are not taken for ones whose clients do not read."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from pinnersage.serving.connections import BoundedProtocol

TIMEOUT_S = 0.2


class Busy(BoundedProtocol):
    """A protocol that is soon tired of clients that do not read, and has just answered when it looks."""

    write_timeout_s = TIMEOUT_S
    n_written = 0

    def _look(self) -> None:
        answer = b"x" * (self.n_written + 1_000)  # ever more, as answers that differ are by chance
        self.n_written += len(answer)
        self.transport.write(answer)
        super()._look()


async def served() -> tuple[int, int]:
    """Let a client read from such a connection; return how much was written and read."""
    protocol = Busy(config=uvicorn.Config(lambda *_: None), server_state=ServerState(), app_state={})
    server = await asyncio.get_running_loop().create_server(lambda: protocol, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname(), timeout=10) as client:
        reading = asyncio.create_task(asyncio.to_thread(read_all, client))
        await asyncio.sleep(3 * TIMEOUT_S)
        protocol.transport.close()
        n_read = await reading
    server.close()
    return protocol.n_written, n_read


def read_all(client: socket.socket) -> int:
    return sum(map(len, iter(lambda: client.recv(65_536), b"")))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_who_reads_is_not_cut_off_when_an_answer_is_on_its_way(run: Any) -> None:
    n_written, n_read = run(served())
    assert n_written > 0
    assert n_read == n_written

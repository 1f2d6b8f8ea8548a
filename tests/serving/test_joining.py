"""Writes that go out together, on real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvloop

from pinnersage.serving.joining import JoinedWrites

HEAD, BODY = b"head", b"body"
LARGE = b"x" * 3_000_000


class Sends(asyncio.Protocol):
    """Calls a function with the joined transport of each connection."""

    def __init__(self, work: Any, lost: asyncio.Event) -> None:
        self.work, self.lost = work, lost

    def connection_made(self, transport: Any) -> None:
        self.work(JoinedWrites(transport, asyncio.get_running_loop()))

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        self.lost.set()


async def answer(work: Any, reads: Any) -> Any:
    """Return what ``reads`` makes of a connection to a server that does ``work`` with each."""
    lost, loop = asyncio.Event(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sends(work, lost), "127.0.0.1", 0)
    try:
        found = await asyncio.to_thread(reads, server.sockets[0].getsockname())
        await asyncio.wait_for(lost.wait(), 10)
    finally:
        server.close()
    return found


def whole(address: Any) -> bytes:
    """Return all that comes until the end."""
    with socket.create_connection(address, timeout=10) as client:
        return b"".join(iter(lambda: client.recv(65_536), b""))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_all_comes_in_order_and_before_the_end(run: Any) -> None:
    def work(joined: JoinedWrites) -> None:
        for piece in (HEAD, b"", BODY, LARGE, HEAD):
            joined.write(piece)
        joined.close()
        assert joined.is_closing()
        joined.write(b"to nobody")

    assert run(answer(work, whole)) == HEAD + BODY + LARGE + HEAD


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_is_small_waits_for_the_next_turn_and_then_goes_together(run: Any) -> None:
    sizes = []

    def work(joined: JoinedWrites) -> None:
        joined.write(HEAD)
        joined.write(BODY)
        sizes.append(joined.get_write_buffer_size())  # of the transport: nothing has reached it
        asyncio.get_running_loop().call_soon(joined.close)

    def reads(address: Any) -> bytes:
        with socket.create_connection(address, timeout=10) as client:
            return client.recv(65_536)  # Both came at once.

    assert run(answer(work, reads)) == HEAD + BODY
    assert sizes == [0]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_is_much_goes_at_once(run: Any) -> None:
    kept = []

    def work(joined: JoinedWrites) -> None:
        joined.write(HEAD)
        joined.write(LARGE)
        # The system has taken some of it already, or would not take any.
        kept.append(joined.get_write_buffer_size())
        joined.close()

    assert run(answer(work, whole)) == HEAD + LARGE
    assert kept[0] < len(HEAD) + len(LARGE)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_nobody_will_read_is_dropped(run: Any) -> None:
    faults: list[Any] = []

    def work(joined: JoinedWrites) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        joined.write(HEAD)
        joined.abort()

    async def all_of_it() -> bytes:
        found: bytes = await answer(work, whole)
        await asyncio.sleep(0.05)
        return found

    assert run(all_of_it()) == b""
    assert not faults

"""Connections of clients that are slow, or whose requests have no end, are closed before they cost much."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pinnersage.serving.joining import JoinedWrites

MAX_HEAD_BYTES = 65_536
_N_LOOKS = 4
_RESET = struct.pack("ii", 1, 0)


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose request heads must be complete in ``head_timeout_s`` and 64 KiB, and answers be read.

    A client that has not read anything for ``write_timeout_s``, while there is something to read, is cut off;
    it is looked after four times in that time. The times are the class's: the server makes the instances, in
    each worker its own.
    """

    head_timeout_s = 10.0
    write_timeout_s = 30.0

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _n_unread, _read_s = 0, 0.0
    _n_head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._close)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._forget_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Go on writing; what is written next must not hide that the client has read."""
        self._read_s = self.loop.time()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Begin a request: its head has the same time again."""
        super().on_message_begin()
        self._forget_timer()
        self._in_head, self._n_head_bytes = True, 0
        self._n_unread = 0  # Who asks on has read; who asks ahead is not heard again before they did.

    def on_headers_complete(self) -> None:
        """End the head."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the head grows without end."""
        super().data_received(data)
        if not self._in_head:  # Most heads come as a whole, and then need no timer.
            self._forget_timer()
            return
        self._n_head_bytes += len(data)
        if self._n_head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"Expected a request head of at most {MAX_HEAD_BYTES:,} bytes.")
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._close)

    def _look_later(self) -> None:
        self._write_timer = self.loop.call_later(self.write_timeout_s / _N_LOOKS, self._look)

    def _look(self) -> None:
        """Close the connection, also one that is closing, if nothing of what is kept for it was read."""
        n_unread, now_s = _n_unread_bytes(self.transport), self.loop.time()
        if not self._n_unread or n_unread < self._n_unread:
            self._read_s = now_s
        self._n_unread = n_unread
        if now_s - self._read_s < self.write_timeout_s:
            self._look_later()
            return
        structlog.get_logger().info("a client did not read its answer", n_unread_bytes=n_unread)
        with suppress(OSError):  # Else the kernel would go on keeping its part for the client.
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def _n_unread_bytes(transport: asyncio.Transport) -> int:
    """Return how much waits for the client, here and in the kernel; 0 where nothing waits here.

    The kernel takes more from here in lumps of a megabyte: of a slow client only its own count shrinks
    steadily.
    """
    n_here = transport.get_write_buffer_size()
    if not n_here:
        return 0
    with suppress(OSError):
        descriptor = transport.get_extra_info("socket").fileno()
        return n_here + int(struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))[0])
    return n_here


def server_options(shutdown_timeout_s: float) -> dict[str, Any]:
    """Return uvicorn's options, the same for one worker and for several."""
    return {
        "http": BoundedProtocol,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": 30,
        # A new worker opens the model and rehearses before it is ready: a reload waits this long for it.
        "timeout_worker_healthcheck": 120,
        "timeout_graceful_shutdown": max(1, round(shutdown_timeout_s)),
    }

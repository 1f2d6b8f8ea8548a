"""Connections of clients that are slow, or whose requests have no end, are closed before they cost much."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose request heads must be complete in ``head_timeout_s`` and 64 KiB.

    The time is the class's: the server makes the instances, in each worker its own.
    """

    head_timeout_s = 10.0

    _head_timer: asyncio.TimerHandle | None = None
    _n_head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._forget_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin a request: its head has the same time again."""
        super().on_message_begin()
        self._forget_timer()
        self._in_head, self._n_head_bytes = True, 0
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._close)

    def on_headers_complete(self) -> None:
        """End the head."""
        self._forget_timer()
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the head grows without end."""
        super().data_received(data)
        if self._in_head:
            self._n_head_bytes += len(data)
            if self._n_head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"Expected a request head of at most {MAX_HEAD_BYTES:,} bytes.")

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


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

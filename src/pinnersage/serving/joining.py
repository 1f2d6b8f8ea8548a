"""Writes that follow each other at once go out together: head and body of an answer need one system call."""

from __future__ import annotations

import asyncio
from typing import Any

_AT_ONCE_BYTES = 65_536


class JoinedWrites:
    """A transport that keeps what is written until the event loop's next turn, or until it is much.

    Whatever is not about writing is the transport's own, also the size of its buffer: what is kept here
    for a turn is not what a client leaves unread.

    Parameters
    ----------
    transport
        What is written to.
    loop
        Its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._kept: list[bytes] = []
        self._n_kept = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, now or in the next turn."""
        if not data:
            return
        if not self._kept:
            self._loop.call_soon(self._flush)
        self._kept.append(data)
        self._n_kept += len(data)
        if self._n_kept > _AT_ONCE_BYTES:
            self._flush()

    def close(self) -> None:
        """Close, once all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        kept, self._kept, self._n_kept = self._kept, [], 0
        if kept:
            self._transport.writelines(kept)

"""The body of a request, past the framework where it came in one piece."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Request
from litestar.types import Receive


async def whole_body(request: Request[Any, Any, Any], max_bytes: int) -> bytes:
    """Return the body of a request; call it once.

    The framework's way to one is for bodies in pieces, and costs a request with a single action a tenth of
    the event loop's time. What is in pieces, too long or cut off is left to it.
    """
    announced = _announced(request.scope["headers"])
    if announced is None or announced > max_bytes:
        return await request.body()
    first = await request.receive()
    if first["type"] == "http.request" and not first.get("more_body"):
        body: bytes = first.get("body", b"")
        if len(body) <= max_bytes:
            return body
    request.receive = _again(first, request.receive)
    return await request.body()


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the length that a body is said to have; None where nothing usable is said."""
    said = next((value for name, value in headers if name == b"content-length"), b"")
    return int(said) if said.isdigit() else None


def _again(first: Any, receive: Receive) -> Receive:
    """Return a ``receive`` whose first message is one that was received already."""
    kept = [first]

    async def received() -> Any:
        return kept.pop() if kept else await receive()

    return received

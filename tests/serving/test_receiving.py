"""Bodies, however they arrive: in one piece, in several, too long, cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from litestar import Litestar, Request, post
from litestar.exceptions import HTTPException

from pinnersage.serving.problems import on_http_error
from pinnersage.serving.receiving import whole_body

MAX_BYTES = 10
OPTIONS: dict[str, Any] = {
    "request_max_body_size": MAX_BYTES,
    "exception_handlers": {HTTPException: on_http_error},
    "openapi_config": None,
}


@post("/", status_code=200)
async def echo(request: Request[Any, Any, Any]) -> bytes:
    """Return the body."""
    return await whole_body(request, MAX_BYTES)


def answered(messages: Sequence[dict[str, Any]], said: bytes = b"10") -> tuple[int, bytes]:
    """Return status and body of the answer to a request whose body comes in these messages."""
    left, sent = list(messages), []

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"content-length", said)] if said else [],
        "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("here", 80),
        "client": ("there", 1), "asgi": {"version": "3.0"}, "state": {}, "extensions": {},
    }  # fmt: skip
    app: Any = Litestar([echo], **OPTIONS)
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def piece(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    "messages",
    [
        [piece(b"0123456789")],
        [piece(b"01234", more=True), piece(b"56789")],
        [piece(b"", more=True), piece(b"0123456789", more=True), piece(b"")],
    ],
)
@pytest.mark.parametrize("said", [b"10", b""])
def test_a_body_is_whole_however_it_is_cut(messages: list[dict[str, Any]], said: bytes) -> None:
    assert answered(messages, said) == (200, b"0123456789")


def test_a_message_without_a_body_is_an_empty_one() -> None:
    assert answered([{"type": "http.request"}]) == (200, b"")


@pytest.mark.parametrize(
    "messages", [[piece(b"0123456789a")], [piece(b"0123456789", more=True), piece(b"a")]]
)
@pytest.mark.parametrize("said", [b"10", b""])
def test_too_long_is_413_in_one_piece_or_two(messages: list[dict[str, Any]], said: bytes) -> None:
    assert answered(messages, said)[0] == 413


@pytest.mark.parametrize("said", [b"11", b"9000000000"])
def test_what_is_said_to_be_too_long_is_refused_before_it_comes(said: bytes) -> None:
    assert answered([], said)[0] == 413


@pytest.mark.parametrize("before", [[], [piece(b"01234", more=True)]])
def test_a_body_that_is_cut_off_is_never_taken_for_a_whole_one(before: list[dict[str, Any]]) -> None:
    status, body = answered([*before, {"type": "http.disconnect"}])
    assert status == 400
    assert b"ended before the body was complete" in body

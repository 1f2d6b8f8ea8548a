"""Answers that are bytes already, sent without the framework's copying of headers and cookies."""

from __future__ import annotations

from typing import Any

from litestar import Response

_JSON = b"application/json"


class NoAnswer(Response[Any]):
    """Nothing is sent: nobody is there any more."""

    def __init__(self) -> None:
        pass

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return what sends nothing."""
        return self._send_nothing

    async def _send_nothing(self, _scope: Any, _receive: Any, _send: Any) -> None:
        pass


class EncodedJson(Response[Any]):
    """A JSON body with its status.

    Parameters
    ----------
    body
        JSON in UTF-8.
    status
        HTTP status.
    """

    def __init__(self, body: bytes, status: int = 200) -> None:
        # The framework's constructor is left out: it costs as much as encoding a hundred items.
        self.content, self.status_code = body, status

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return what sends this answer."""
        return self._send

    async def _send(self, _scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", _JSON), (b"content-length", str(len(self.content)).encode())]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.content})

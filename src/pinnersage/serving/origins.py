"""Origins of web pages: which may call the API, and whether a form is one of our own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pinnersage.errors import UsageError

Headers = Mapping[bytes, bytes]

API = b"/v1/"
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
_OF_ANOTHER_SITE = (b"cross-site", b"same-site")
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE"),
    (b"access-control-allow-headers", b"Authorization, X-API-Key, Content-Type, X-Request-ID"),
    (b"access-control-max-age", b"600"),
]
_EXPOSED = b"X-Request-ID, Retry-After"


def checked_origin(text: str) -> str:
    """Return an origin as browsers write it.

    Raises
    ------
    UsageError
        It is not one: a path, a pattern, or another scheme than http and https.

    Examples
    --------
    >>> checked_origin("https://Img.Example.org/")
    'https://img.example.org'
    """
    origin = text.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(origin):
        raise UsageError(f"expected an origin like https://img.example.org, got {text!r}")
    return origin


class Origins:
    """Which pages of other origins may call the API.

    Cookies open nothing there, so no credentials are allowed: pages send their key in a header.

    Parameters
    ----------
    allowed
        Exact origins; none for none.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = {checked_origin(origin).encode() for origin in allowed}

    def allows(self, path: bytes, headers: Headers) -> bool:
        """Tell whether a request is a call of the API by a page that may."""
        return path.startswith(API) and headers.get(b"origin", b"") in self._allowed

    def answer_headers(self, path: bytes, headers: Headers) -> list[tuple[bytes, bytes]]:
        """Return the headers by which a browser lets the page see the answer."""
        if not self._allowed or not path.startswith(API):
            return []
        vary = (b"vary", b"Origin")
        if not self.allows(path, headers):
            return [vary]
        told = (b"access-control-allow-origin", headers[b"origin"])
        return [vary, told, (b"access-control-expose-headers", _EXPOSED)]

    def preflight(self, method: str, path: bytes, headers: Headers) -> list[tuple[bytes, bytes]] | None:
        """Return what to answer to a browser that asks before it calls; None if this is no such question."""
        asks = method == "OPTIONS" and b"access-control-request-method" in headers
        return _PREFLIGHT if asks and self.allows(path, headers) else None


def is_of_another_site(path: bytes, headers: Headers) -> bool:
    """Tell whether a page of another site sent what changes something.

    Old browsers do not say so, but name the origin of a form. Calls of the API need no such care: without
    leave no browser sends JSON to another origin.

    Examples
    --------
    >>> form = {b"host": b"127.0.0.1:8765", b"origin": b"http://evil.example"}
    >>> is_of_another_site(b"/logout", form)
    True
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in _OF_ANOTHER_SITE
    origin, host = headers.get(b"origin"), headers.get(b"host", b"").lower()
    if origin is None or path.startswith(API):
        return False
    sender = origin.lower().partition(b"://")[2]
    # A proxy may leave the port out of the host.
    return host not in (sender, re.sub(rb":\d+$", b"", sender))

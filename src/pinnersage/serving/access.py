"""Who may call which route, and how often."""

from __future__ import annotations

import base64
import binascii
import time
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as AsgiScope

from pinnersage.serving.keys import Key, KeyRing, Scope
from pinnersage.serving.problems import RequestError
from pinnersage.serving.rates import RateLimit

OPEN = "open"
"""Scope of routes that need no key."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def access_middleware(keys: KeyRing | None, rate_per_s: float) -> Any:
    """Return a Litestar middleware that asks for a key and holds a client to its rate.

    A request without a valid key counts for its address, and too many of them are refused as such.

    A route says what it needs by ``opt={"scope": "open" | "read" | "write" | "admin"}``; a route that says
    nothing needs ``read`` for GET and ``write`` for the rest. Without ``keys`` everything is open.
    """
    limit = RateLimit(rate_per_s)

    def create(app: ASGIApp) -> ASGIApp:
        async def checked(scope: AsgiScope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP:
                _check(cast("dict[str, Any]", scope), keys, limit)
            await app(scope, receive, send)

        return checked

    return create


def _check(scope: dict[str, Any], keys: KeyRing | None, limit: RateLimit) -> None:
    needed = scope["route_handler"].opt.get("scope")
    if needed == OPEN:
        return
    address = f"address {(scope.get('client') or ('local',))[0]}"
    if keys is None:
        _count(address, limit)
        return
    key = _valid_key(scope, keys)
    # The name of a key may look like an address.
    _count(address if key is None else f"key {key.name}", limit)
    if key is None:
        raise _unknown(scope)
    scope["api_key_name"] = key.name
    required: Scope = needed or ("read" if scope["method"] in _SAFE_METHODS else "write")
    if not key.allows(required):
        raise RequestError(
            f"this route needs the scope {required}, the key has {', '.join(key.scopes)}", status=403
        )


def _count(client: str, limit: RateLimit) -> None:
    if not limit.allows(client, time.monotonic()):
        raise RequestError("more requests than your rate allows; come again in a second", status=429)


def _valid_key(scope: dict[str, Any], keys: KeyRing) -> Key | None:
    presented = _presented(dict(scope["headers"]))
    return keys.find(presented) if presented else None


def _unknown(scope: dict[str, Any]) -> RequestError:
    """Return the refusal of a request without a valid key."""
    headers = dict(scope["headers"])
    told = "this key is not valid" if _presented(headers) else "expected a key: Authorization: Bearer KEY"
    # Browsers ask for name and password; the key is the password.
    basic = 'Basic realm="pinnersage, the key is the password"'
    is_page = b"text/html" in headers.get(b"accept", b"")
    return RequestError(told, status=401, headers={"WWW-Authenticate": basic} if is_page else None)


def _presented(headers: dict[bytes, bytes]) -> str:
    direct = headers.get(b"x-api-key")
    if direct:
        return direct.decode("latin-1").strip()
    kind, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("latin-1").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""

"""Ids in paths: any text, slashes among them, put back together for the routes and held to their bound."""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import unquote, unquote_to_bytes

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from pinnersage.serving.intake import BadActionError, checked_id
from pinnersage.serving.problems import RequestError

SLASH = "\udc2f"
"""Stands for an escaped slash inside an id while the path is taken apart; no UTF-8 holds it."""

_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPED_SLASH = re.compile("%2F", re.IGNORECASE)


def path_fault(raw_path: bytes) -> str | None:
    """Return what is wrong with the escapes of a path; None when it stands for one text.

    Examples
    --------
    >>> path_fault("/v1/users/%C3%A9".encode()) is None
    True
    >>> path_fault(b"/v1/users/%E9")
    'expected a path in UTF-8, percent-encoded; 0xe9 is not'
    >>> path_fault(b"/v1/users/100%")
    'expected %25 for a percent sign in the path'
    """
    path = raw_path.partition(b"?")[0]
    if _NO_ESCAPE.search(path):
        return "expected %25 for a percent sign in the path"
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError as error:
        return f"expected a path in UTF-8, percent-encoded; {error.object[error.start]:#04x} is not"
    return None


def path_of(raw_path: bytes) -> str:
    """Return the path a request wrote, escapes resolved, with :data:`SLASH` for escaped slashes.

    Examples
    --------
    >>> path_of(b"/v1/users/a%20b%2Fc/interests") == f"/v1/users/a b{SLASH}c/interests"
    True
    """
    pieces = _ESCAPED_SLASH.split(raw_path.partition(b"?")[0].decode("latin-1"))
    return SLASH.join(unquote(piece) for piece in pieces)


def path_id(text: str, field: str, max_id_bytes: int) -> str:
    """Return an id as it stood in the path.

    Raises
    ------
    RequestError
        It is too long.
    """
    try:
        return str(checked_id(text.replace(SLASH, "/"), field, max_id_bytes))
    except BadActionError as error:
        raise RequestError(str(error), field=field) from None


def ids_middleware(max_id_bytes: int) -> Any:
    """Return a Litestar middleware that gives every route the ids of its path as they are meant."""

    def create(app: ASGIApp) -> ASGIApp:
        async def with_ids(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP and scope["path_params"]:
                # A new mapping: the framework keeps the old one for the next request of this path.
                found = cast("dict[str, Any]", scope)
                found["path_params"] = {
                    name: path_id(value, name, max_id_bytes) if isinstance(value, str) else value
                    for name, value in scope["path_params"].items()
                }
            await app(scope, receive, send)

        return with_ids

    return create

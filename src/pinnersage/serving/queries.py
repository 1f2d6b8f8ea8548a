"""Queries: a parameter that a route does not have is refused; most often it is a misspelt one."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import parse_qsl

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from pinnersage.serving.problems import RequestError

PARAMETERS = "query_parameters"
"""Key of a route's ``opt`` under which the names of its parameters are; routes without it take any."""


def queries_middleware(app: ASGIApp) -> ASGIApp:
    """Refuse parameters that a route of the API does not have; probes and people's links may carry others."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["path"].startswith("/v1/") and scope["query_string"]:
            _check(cast("dict[str, Any]", scope))
        await app(scope, receive, send)

    return checked


def _check(scope: dict[str, Any]) -> None:
    known = scope["route_handler"].opt.get(PARAMETERS)
    if known is None:
        return
    for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in known:
            told = f"the parameters {', '.join(known)}" if known else "no parameters"
            raise RequestError(f"expected {told}, got {name}", field=name)

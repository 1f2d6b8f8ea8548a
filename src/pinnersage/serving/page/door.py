"""How people show their key, and how refusals look to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast

import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as AsgiScope

from pinnersage.serving.page.links import is_inside
from pinnersage.serving.page.rendering import Pages
from pinnersage.serving.problems import Problem

COOKIE = "pinnersage_key"
PAGE = {"page": True}
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_MAX_AGE_S = 30 * 86_400
_NOT_PAGES = ("/v1/", "/schema", "/metrics", "/health", "/assets/")
_TELL = {401: "A key is needed", 403: "Not with this key", 404: "Not found", 429: "Too fast",
         503: "Not available now"}  # fmt: skip
_problem = msgspec.json.Decoder(Problem)


def cookie_middleware(app: ASGIApp) -> ASGIApp:
    """Let the cookie of the page open its routes, as the header does; routes of the API never look at it."""

    async def opened(scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["route_handler"].opt.get("page"):
            key = key_of(cast("dict[str, Any]", scope))
            if key is not None:
                scope["headers"] = [*scope["headers"], (b"x-api-key", key.encode())]
                cast("dict[str, Any]", scope)[COOKIE] = True
        await app(scope, receive, send)

    return opened


def key_of(scope: Mapping[str, Any]) -> str | None:
    """Return the key in the cookie of a request; None without one, or where a header has one."""
    headers = dict(scope["headers"])
    if b"x-api-key" in headers or b"authorization" in headers:
        return None
    try:
        found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and _KEY.fullmatch(found.value) else None


def key_cookie(key: str, *, is_secure: bool) -> Cookie:
    """Return the cookie that keeps a key; empty text forgets it."""
    kept = key if _KEY.fullmatch(key) else ""
    return Cookie(
        COOKIE, value=kept, httponly=True, samesite="strict", secure=is_secure, path="/",
        max_age=_MAX_AGE_S if kept else 0,
    )  # fmt: skip


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Return whether a person's browser asked, and not for something of the API."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_NOT_PAGES)


def asked_link(request: Request[Any, Any, Any]) -> str:
    """Return path and query of a request as they came, still escaped."""
    raw: bytes = request.scope.get("raw_path") or b"/"
    query = request.url.query
    return raw.partition(b"?")[0].decode("latin-1") + (f"?{query}" if query else "")


def as_page(pages: Pages, handler: Any) -> Any:
    """Return an exception handler that answers as ``handler`` does, but to browsers with a page."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        told: Response[Any] = handler(request, error)
        if not wants_page(request):
            return told
        problem = _problem.decode(told.content)
        status = told.status_code or 500
        title = _TELL.get(status, problem.title)
        asked = asked_link(request)
        back = asked if request.method == "GET" and is_inside(asked) else "/"
        shown = pages.page(
            "login" if status == 401 else "problem", status, title=title, detail=problem.detail, next=back,
            request_id=request.scope.get("request_id"), has_key=COOKIE in request.scope,
        )  # fmt: skip
        for name in ("Retry-After", "Connection"):
            if name in told.headers:
                shown.headers[name] = told.headers[name]
        return shown

    return answer

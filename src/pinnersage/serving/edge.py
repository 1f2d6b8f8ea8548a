"""What stands before every request: its id, its time, its log line, and what no route should have to see."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import structlog

from pinnersage.serving.content import content_fault
from pinnersage.serving.deadlines import Deadline, Deadlines
from pinnersage.serving.metrics import Metrics
from pinnersage.serving.origins import API, Origins, is_of_another_site
from pinnersage.serving.path_ids import SLASH, path_fault, path_of
from pinnersage.serving.problems import (
    MAY_BE_TAKEN,
    PROBLEM_JSON,
    RequestError,
    problem_body,
    problem_headers,
)
from pinnersage.serving.settings import ServiceSettings

Message = dict[str, Any]
AsgiApp = Callable[..., Any]

_MAX_PATH_BYTES = 16_384
_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_N_HOSTS = 64
_NO_ROUTE = "(no route)"
_LOOPBACK = re.compile(rb"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")


class Edge:
    """The outermost ASGI layer.

    Parameters
    ----------
    app
        What answers.
    settings
        Bounds and what to log.
    metrics
        Where requests are counted.
    allowed_hosts
        Values of the Host header that are answered, besides loopback's; None for all.
    cors_origins
        Origins whose pages may call the API.
    """

    def __init__(
        self,
        app: AsgiApp,
        settings: ServiceSettings,
        metrics: Metrics,
        allowed_hosts: Iterable[str] | None = None,
        cors_origins: Iterable[str] = (),
    ) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._hosts = None if allowed_hosts is None else {host.lower().encode() for host in allowed_hosts}
        self._origins = Origins(cors_origins)
        self._allows = lru_cache(maxsize=_N_HOSTS)(self._is_allowed)
        self._log = structlog.get_logger() if settings.access_log else None
        shortest_s = min(settings.read_timeout_s, settings.request_timeout_s)
        self._deadlines = Deadlines.of(shortest_s)

    async def __call__(self, scope: dict[str, Any], receive: AsgiApp, send: AsgiApp) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        headers = dict(scope["headers"])
        method, path = scope["method"], _routed(scope)
        if method == "HEAD":  # As GET, but that the body stays here.
            scope = scope | {"method": "GET"}
        exchange = _Exchange(scope, headers, send, self._origins.answer_headers(path, headers), method)
        preflight = self._origins.preflight(method, path, headers)
        self._metrics.n_in_flight += 1
        try:
            refused = self._refused(scope, headers)
            if refused is not None:
                await exchange.refuse(refused)
            elif preflight is not None:
                await exchange.answer(204, preflight)
            elif method in _WITH_BODY:
                await self._in_time(scope, receive, exchange)
            else:  # Whatever may be slow has its time in `Service`.
                await self._app(scope, receive, exchange.send)
        finally:
            self._metrics.n_in_flight -= 1
            self._finish(scope, exchange, method, time.perf_counter() - began_s)

    async def _in_time(self, scope: dict[str, Any], receive: AsgiApp, exchange: _Exchange) -> None:
        read_s, whole_s = self._settings.read_timeout_s, self._settings.request_timeout_s
        exchange.deadline = deadline = self._deadlines.within(whole_s)
        has_body = waits_for_body = False

        async def receive_in_time() -> Message:
            nonlocal has_body, waits_for_body
            if not has_body:
                waits_for_body, deadline.until_s = True, deadline.began_s + min(read_s, whole_s)
            found: Message = await receive()
            if not found.get("more_body"):  # Whoever goes on receiving waits for the client to go away.
                has_body, waits_for_body, deadline.until_s = True, False, deadline.began_s + whole_s
            return found

        try:
            with deadline:
                await self._app(scope, receive_in_time, exchange.send)
        except TimeoutError:
            if exchange.status:
                raise
            late_body = RequestError(f"the body did not arrive within {read_s:g} s", status=408)
            late_answer = RequestError(f"no answer in time; {MAY_BE_TAKEN}", status=504)
            await exchange.refuse(late_body if waits_for_body and read_s <= whole_s else late_answer)

    def _refused(self, scope: dict[str, Any], headers: dict[bytes, bytes]) -> RequestError | None:
        """Return why the request goes no further; put escaped slashes out of the router's way."""
        raw: bytes = scope.get("raw_path") or b""
        if self._hosts is not None and not self._allows(headers.get(b"host", b"")):
            return RequestError("this host name is not served; start with --allowed-host NAME", status=421)
        if len(raw) > _MAX_PATH_BYTES:
            return RequestError(f"expected a path of at most {_MAX_PATH_BYTES:,} bytes", status=414)
        if b"%" in raw:
            if fault := path_fault(raw):
                return RequestError(fault, field="path")
            scope["path"] = path_of(raw)
        if b"//" in raw:
            return RequestError("an id in the path is empty", field="path")
        if scope["method"] not in _WITH_BODY:
            return None
        path = _routed(scope)
        if is_of_another_site(path, headers) and not self._origins.allows(path, headers):
            return RequestError("a page of another site may not change anything here", status=403)
        fault = content_fault(headers) if path.startswith(API) else None
        return None if fault is None else RequestError(fault, status=415)

    def _is_allowed(self, host: bytes) -> bool:
        hosts, named = self._hosts or (), host.lower()
        name, _, port = named.rpartition(b":")
        # Whatever the port, if none is said.
        is_allowed = named in hosts or (port.isdigit() and name in hosts)
        return is_allowed or not host or _LOOPBACK.fullmatch(host) is not None

    def _finish(self, scope: dict[str, Any], exchange: _Exchange, method: str, seconds: float) -> None:
        route = scope.get("path_template") or _NO_ROUTE
        status = exchange.status or 499
        self._metrics.request(route, method, status, seconds)
        if self._log is None:
            return
        line = {"method": method, "route": route, "status": status, "ms": round(seconds * 1_000, 3)}
        if self._settings.log_user_ids:
            line["path"] = scope["path"].replace(SLASH, "/")
        if "api_key_name" in scope:
            line["key"] = scope["api_key_name"]
        self._log.info("request", request_id=exchange.request_id, **line)


class _Exchange:
    """The answer's side of one request."""

    __slots__ = ("_fixed", "_is_head", "_send", "deadline", "request_id", "status")

    def __init__(
        self,
        scope: dict[str, Any],
        headers: dict[bytes, bytes],
        send: AsgiApp,
        more: list[tuple[bytes, bytes]],
        method: str,
    ) -> None:
        given = headers.get(b"x-request-id")
        sane = given is not None and _REQUEST_ID.fullmatch(given)
        request_id: bytes = given if sane and given is not None else f"{random.getrandbits(64):016x}".encode()
        self.request_id = scope["request_id"] = request_id.decode()
        self._fixed = [(b"x-request-id", request_id), (b"x-content-type-options", b"nosniff"), *more]
        if scope["path"].startswith("/v1/"):
            self._fixed.append((b"cache-control", b"no-store"))
        self._send, self._is_head = send, method == "HEAD"
        self.status = 0
        self.deadline: Deadline | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.deadline is not None:  # There is an answer: how fast it is read is another question.
                self.deadline.until_s = math.inf
            message["headers"] = [*message["headers"], *self._fixed]
        elif self._is_head and "body" in message:
            message = message | {"body": b""}
        await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        body = problem_body(error.status, str(error), self.request_id, error.errors)
        named = problem_headers(error.status) | {
            "Content-Type": PROBLEM_JSON,
            "Content-Length": str(len(body)),
        }
        headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
        await self.answer(error.status, headers, body)

    async def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _routed(scope: dict[str, Any]) -> bytes:
    """Return the path as the router reads it: ``/%761/`` is ``/v1/``."""
    path: str = scope["path"]
    return path.encode(errors="replace")  # An escaped slash is a lone surrogate in it.

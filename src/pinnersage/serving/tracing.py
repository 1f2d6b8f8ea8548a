"""OpenTelemetry spans of requests, without ids; by option, with the extra ``otel``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pinnersage.errors import UnavailableError, install_hint

_ID = re.compile(r"/(users|items|interests|explanations)/[^/]+")
_REAL_SCOPE = "pinnersage.scope"


def tracing() -> Callable[[Any], Any]:
    """Return what wraps an application so that each request is a span, sent where ``OTEL_*`` variables say.

    Raises
    ------
    UnavailableError
        The extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise UnavailableError(f"--otel needs the package {error.name}: {install_hint('otel')}") from None
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

    def around(app: Any) -> Any:
        async def with_real_scope(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await app(scope.get(_REAL_SCOPE, scope), receive, send)

        traced = OpenTelemetryMiddleware(
            with_real_scope, tracer_provider=provider, exclude_spans=["receive", "send"]
        )

        async def without_ids(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await traced(_hidden(scope), receive, send)

        return without_ids

    return around


def _hidden(scope: dict[str, Any]) -> dict[str, Any]:
    """Return what tracing sees of a request: no ids and no query; names of spans are few this way."""
    path = hide_ids(scope["path"]).encode(errors="replace").decode()
    told = {"path": path, "raw_path": path.encode(), "query_string": b""}
    return {**scope, **told, _REAL_SCOPE: scope}


def hide_ids(path: str) -> str:
    """Return a path without the ids in it.

    Examples
    --------
    >>> hide_ids("/v1/users/ann/interests/i7/preference")
    '/v1/users/{id}/interests/{id}/preference'
    """
    return _ID.sub(r"/\1/{id}", path)

"""OpenTelemetry traces of requests, without ids of users; by option, with the extra ``otel``."""

from __future__ import annotations

import re
from typing import Any

from pinnersage.errors import UnavailableError

_USER = re.compile(r"(/users/)[^/?#]+")
_WITH_PATHS = ("http.target", "http.url", "url.path", "url.full")


def tracing_plugin() -> Any:
    """Return the Litestar plugin that sends a span for each request where ``OTEL_*`` variables say.

    Raises
    ------
    UnavailableError
        The extra is not installed.
    """
    try:
        from litestar.plugins.opentelemetry import OpenTelemetryConfig, OpenTelemetryPlugin  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise UnavailableError(
            f"--otel needs the package {error.name}: pip install 'pinnersage[otel]'"
        ) from None
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetryPlugin(
        OpenTelemetryConfig(tracer_provider=provider, server_request_hook_handler=hide_users)
    )


def hide_users(span: Any, scope: dict[str, Any]) -> None:
    """Put ``{user_id}`` in the place of ids in what a span says of its request."""
    shown = _USER.sub(r"\1{user_id}", scope.get("path", ""))
    span.update_name(f"{scope.get('method', '')} {shown}".strip())
    for name in _WITH_PATHS:
        if name in (span.attributes or {}):
            span.set_attribute(name, shown)

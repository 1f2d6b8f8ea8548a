"""Health and metrics: what operators and their machines ask."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, get

from pinnersage.errors import PinnerSageError, UnavailableError
from pinnersage.serving.openapi import refusals
from pinnersage.serving.service import service_of
from pinnersage.serving.shapes import Live, Ready

READY_TIMEOUT_S = 5.0
OPEN = {"scope": "open"}


@get(
    "/health/live", opt=OPEN, tags=["operations"], sync_to_thread=False, response_description="It answers.",
    responses=refusals(with_keys=False),
)  # fmt: skip
def live() -> Live:
    """Tell that the process answers; restart it when this does not."""
    return Live("live")


@get(
    "/health/ready", opt=OPEN, tags=["operations"], response_description="Requests can be answered.",
    responses=refusals(503, with_keys=False),
)  # fmt: skip
async def ready(request: Request[Any, Any, Any]) -> Ready:
    """Tell that requests can be answered; 503 when store, journal, items or index is gone."""
    service = service_of(request)
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            await service.check(service.check_ready)
    except TimeoutError:
        raise UnavailableError(
            f"not ready: the check of the model's files has not ended within {READY_TIMEOUT_S:g} s; "
            "look at the disk, and at the load of this machine"
        ) from None
    except PinnerSageError as error:
        raise UnavailableError(f"not ready: {error}") from error
    return Ready("ready", service.backend.generation)


@get(
    "/metrics", tags=["operations"], response_description="The metrics.", responses=refusals(503, 504),
    media_type="text/plain",
)  # fmt: skip
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show metrics in Prometheus' text format, of all workers together."""
    service = service_of(request)
    await service.measure(service.observe_status)
    text = await service.measure(service.metrics.text)
    # The framework adds the charset.
    return Response(text, media_type="text/plain; version=0.0.4")


OPERATIONS = [live, ready, metrics]

"""What the routes share: the model, the bounds, the threads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request

from pinnersage.serving.backend import Backend
from pinnersage.serving.settings import ServiceSettings


class Service:
    """One model served by one worker process."""

    def __init__(self, backend: Backend, settings: ServiceSettings) -> None:
        self.backend, self.settings = backend, settings
        self.threads = ThreadPoolExecutor(settings.n_threads, thread_name_prefix="pinnersage-slow")

    @asynccontextmanager
    async def lifespan(self, _app: Litestar) -> AsyncIterator[None]:
        """Start what runs beside the requests, and end it after the last of them."""
        try:
            yield
        finally:
            self.threads.shutdown()
            self.backend.close()


def service_of(request: Request[Any, Any, Any]) -> Service:
    """Return the service that a request belongs to."""
    service: Service = request.app.state.service
    return service

"""The application: routes, errors and what stands around them, put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Litestar

from pinnersage.serving.backend import Backend
from pinnersage.serving.problems import EXCEPTION_HANDLERS
from pinnersage.serving.routes import ROUTES
from pinnersage.serving.service import Service
from pinnersage.serving.settings import ServiceSettings


def create_app(
    backend: Backend, settings: ServiceSettings | None = None, *, extra_routers: Sequence[Any] = ()
) -> Litestar:
    """Return the ASGI application that answers from ``backend``.

    Parameters
    ----------
    backend
        The model; it is closed when the application shuts down.
    settings
        Bounds; the defaults without.
    extra_routers
        Further Litestar routers or handlers, such as the page's. They reach the backend as
        ``request.app.state.service.backend``.
    """
    service = Service(backend, settings or ServiceSettings())
    app = Litestar(
        [*ROUTES, *extra_routers],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[service.lifespan],
        request_max_body_size=service.settings.max_body_bytes,
        openapi_config=None,
        logging_config=None,
    )
    app.state.service = service
    return app

"""The application: routes, errors and what stands around them, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from litestar import Litestar

from pinnersage.serving.access import access_middleware
from pinnersage.serving.backend import Backend
from pinnersage.serving.edge import Edge
from pinnersage.serving.keys import KeyRing
from pinnersage.serving.openapi import finish_document, openapi_config
from pinnersage.serving.operations import OPERATIONS
from pinnersage.serving.path_ids import ids_middleware
from pinnersage.serving.problems import EXCEPTION_HANDLERS
from pinnersage.serving.queries import queries_middleware
from pinnersage.serving.routes import ROUTES
from pinnersage.serving.service import Service
from pinnersage.serving.settings import ServiceSettings


def create_app(
    backend: Backend,
    settings: ServiceSettings | None = None,
    *,
    keys: KeyRing | None = None,
    allowed_hosts: Iterable[str] | None = None,
    cors_origins: Iterable[str] = (),
    extra_routers: Sequence[Any] = (),
    plugins: Sequence[Any] = (),
    around: Callable[[Any], Any] | None = None,
) -> Litestar:
    """Return the ASGI application that answers from ``backend``.

    Parameters
    ----------
    backend
        The model; it is closed when the application shuts down.
    settings
        Bounds; the defaults without.
    keys
        Who may call; everybody without.
    allowed_hosts
        Host names that are answered besides loopback's; all without.
    cors_origins
        Origins, such as ``https://app.example.org``, whose pages may call ``/v1``; none by default.
    extra_routers
        Further Litestar routers or handlers. They reach the model as
        ``request.app.state.service.backend``, and say who may call them by ``opt={"scope": ...}``.
    plugins
        Litestar plugins, such as the page.
    around
        Wraps the routes, such as tracing does.
    """
    service = Service(backend, settings or ServiceSettings())
    app = Litestar(
        [*ROUTES, *OPERATIONS, *extra_routers],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[service.lifespan],
        logging_config=None,
        middleware=[
            access_middleware(keys, service.settings.rate_per_s),
            queries_middleware,
            ids_middleware(service.settings.max_id_bytes),
        ],
        openapi_config=openapi_config(),
        plugins=plugins,
        request_max_body_size=service.settings.max_body_bytes,
    )
    app.state.service = service
    finish_document(app)
    inner = app.asgi_handler if around is None else around(app.asgi_handler)
    edge: Any = Edge(inner, service.settings, service.metrics, allowed_hosts, cors_origins)
    app.asgi_handler = edge
    return app

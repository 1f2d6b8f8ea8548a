"""The OpenAPI document at ``/schema``: what routes take, with examples, and how they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    SecurityScheme,
    Tag,
)
from litestar.openapi.spec.base import BaseSchemaObject
from litestar.routes import HTTPRoute

from pinnersage.serving.examples import ANSWERS, refusals_shown
from pinnersage.serving.problems import PROBLEM_JSON, Problem
from pinnersage.serving.queries import PARAMETERS
from pinnersage.serving.shapes import ActionsIn, ItemIn, PreferenceIn, RecommendationsIn

_REF = "#/components/schemas/{name}"
_TAKEN = (ActionsIn, RecommendationsIn, ItemIn, PreferenceIn)

_DESCRIPTION = """\
As many interests per user as their actions show, and recommendations from them.

Send actions with `POST /v1/actions`; what is acknowledged is on the disk and in the next answer. Ids in paths
are text, `/` in them is written `%2F`. Errors are `application/problem+json` and name the field. Every answer
has an `X-Request-ID`, yours if you send one of at most 128 letters, digits and `._:-`. A path answers 405 to
methods it has not; 500 tells of a defect of the service; HEAD is GET without the body.
"""


_REFUSALS = {
    400: "The request cannot be read; `errors` names the fields.",
    401: "No valid key was given.",
    403: "The key lacks the scope, or a page of another site asks for a change.",
    404: "No such user or item.",
    408: "The body did not arrive in time.",
    413: "The body is too large, or holds too many actions.",
    414: "The path is too long.",
    415: "The body is said to be another thing than JSON, or is compressed.",
    421: "This host name is not served.",
    422: "The values cannot be used; `errors` names the fields.",
    429: "More requests than the rate allows.",
    503: "Nothing can be read or written now, or too much waits; come again after `Retry-After` seconds. "
    "What was sent may have been taken, and repeats change nothing.",
    504: "No answer in time; what was sent may have been taken, and repeats change nothing.",
}
_WITH_KEYS = (401, 403, 429)
_WITH_BODY = (408, 413, 415)
OF_DELETE = (404, 414, 415)
"""Refusals that every DELETE knows."""


def refusals(
    *statuses: int, with_keys: bool = True, shapes: Mapping[int, type[Problem]] | None = None
) -> dict[int, ResponseSpec]:
    """Return how a route documents that it may refuse with these statuses, and for want of a key.

    ``shapes`` are those of problems that say more than others.
    """
    every = sorted({*statuses, 421, *(_WITH_KEYS if with_keys else ())})
    return {
        status: ResponseSpec(
            (shapes or {}).get(status, Problem), description=_REFUSALS[status], generate_examples=False,
            media_type=PROBLEM_JSON,
        )
        for status in every
    }  # fmt: skip


def reads(answer: str, *refused: int, body: RequestBody | None = None) -> dict[str, Any]:
    """Return what a route that reads says of itself: scope, answer, refusals besides the usual, body."""
    return _told("read", "read", answer, refused, body)


def writes(
    answer: str,
    *refused: int,
    body: RequestBody | None = None,
    shapes: Mapping[int, type[Problem]] | None = None,
) -> dict[str, Any]:
    """Return what a route that changes things says of itself."""
    return _told("write", "write", answer, refused, body, shapes)


def admin(answer: str, *refused: int) -> dict[str, Any]:
    """Return what a route about all of a user's data says of itself."""
    return _told("admin", "one user's data", answer, refused, None)


def _told(
    scope: str,
    tag: str,
    answer: str,
    refused: tuple[int, ...],
    body: RequestBody | None,
    shapes: Mapping[int, type[Problem]] | None = None,
) -> dict[str, Any]:
    usual = (400, 503, 504, *(_WITH_BODY if body is not None else ()))
    return {
        "opt": {"scope": scope, "body": body},
        "tags": [tag],
        "response_description": answer,
        "responses": refusals(*usual, *refused, shapes=shapes),
    }


def takes(shape: type[msgspec.Struct], **examples: Any) -> RequestBody:
    """Return how a route documents its JSON body, with examples by name."""
    content = OpenAPIMediaType(
        schema=Reference(_REF.format(name=shape.__name__)), examples=_examples(examples)
    )
    return RequestBody(content={"application/json": content}, required=True)


def openapi_config() -> OpenAPIConfig:
    """Return the configuration of the document and of its routes."""
    return OpenAPIConfig(
        title="pinnersage",
        version=version("pinnersage"),
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, _method, _path: str(handler.handler_name),
        openapi_router=Router("/schema", route_handlers=[], opt={"scope": "open"}, include_in_schema=False),
        render_plugins=[
            JsonRenderPlugin(path=["/", "/openapi.json"]),
            YamlRenderPlugin(path="/openapi.yaml"),
        ],
        tags=[
            Tag("read", "Interests, recommendations, neighbors."),
            Tag("write", "Actions, items, what users say about interests."),
            Tag("one user's data", "Export and erasure."),
            Tag("operations", "Health and metrics."),
        ],
        security=[{"bearer": []}, {"header": []}],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer"),
                "header": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
            },
        ),
    )


def finish_document(app: Litestar) -> None:
    """Add what the framework cannot know: the bodies that routes read themselves, and one-line summaries."""
    document = app.openapi_schema
    _, schemas = msgspec.json.schema_components(_TAKEN, ref_template=_REF)
    document.components.schemas.update(schemas)
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format in (document.paths or {}):
            item = (document.paths or {})[route.path_format]
            for method, (handler, _) in route.route_handler_map.items():
                operation = getattr(item, str(method).lower(), None)
                if operation is not None:
                    _finish(operation, handler)


def _finish(operation: Operation, handler: HTTPRouteHandler) -> None:
    summary, _, rest = (operation.description or "").partition("\n\n")
    operation.summary, operation.description = summary.rstrip("."), rest or None
    operation.request_body = handler.opt.get("body") or operation.request_body
    if handler.opt.get("scope") == "open":
        operation.security = []
    for status, response in (operation.responses or {}).items():
        if isinstance(response, OpenAPIResponse):
            _show(response, int(status), str(handler.handler_name))
    handler.opt[PARAMETERS] = [
        p.name for p in operation.parameters or () if isinstance(p, Parameter) and p.param_in == "query"
    ]


def _show(response: OpenAPIResponse, status: int, name: str) -> None:
    """Add the examples of an operation's answer."""
    for kind, content in (response.content or {}).items():
        if kind == PROBLEM_JSON:
            content.examples = _examples(refusals_shown(status, name))
        elif name in ANSWERS:
            content.examples = _examples(ANSWERS[name])


def _examples(values: Mapping[str, Any]) -> dict[str, Example | Reference]:
    return {name: Example(summary=name, value=_AsItIs(value)) for name, value in values.items()}


@dataclass
class _AsItIs(BaseSchemaObject):
    """A value whose nulls stay: the framework leaves out what is None."""

    value: Any

    def to_schema(self) -> Any:
        return self.value

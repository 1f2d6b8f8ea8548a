"""The OpenAPI document at ``/schema``: what routes take, with examples, and how they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import msgspec
from litestar import Router
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIMediaType,
    Operation,
    Reference,
    RequestBody,
    SecurityScheme,
    Tag,
)

from pinnersage.serving.problems import PROBLEM_JSON, Problem
from pinnersage.serving.shapes import ActionsIn, ItemIn, PreferenceIn, RecommendationsIn

_REF = "#/components/schemas/{name}"
_TAKEN = (ActionsIn, RecommendationsIn, ItemIn, PreferenceIn)

_DESCRIPTION = """\
As many interests per user as their actions show, and recommendations from them.

Send actions with `POST /v1/actions`; what is acknowledged is on the disk and in the next answer. Ids in paths are
text, `/` in them is written `%2F`. Errors are `application/problem+json` and name the field. Every answer has an
`X-Request-ID`, yours if you send one.
"""


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """Return how a route documents that it may refuse with these statuses."""
    told = {
        400: "The request cannot be read; `errors` names the fields.",
        404: "No such user or item.",
        413: "The body is too large.",
        415: "The body is not JSON.",
        422: "The values cannot be used; `errors` names the fields.",
        503: "Nothing can be read or written now; come again after `Retry-After` seconds.",
    }
    return {
        status: ResponseSpec(
            Problem, description=told[status], generate_examples=False, media_type=PROBLEM_JSON
        )  # type: ignore[arg-type]
        for status in statuses
    }


COMMON_REFUSALS = {
    status: ResponseSpec(Problem, description=told, generate_examples=False, media_type=PROBLEM_JSON)  # type: ignore[arg-type]
    for status, told in {
        401: "No valid key was given.",
        403: "The key lacks the scope.",
        429: "More requests than the rate allows.",
    }.items()
}


def takes(shape: type[msgspec.Struct], **examples: Any) -> type[Operation]:
    """Return an operation that documents its JSON body, with examples by name."""
    body = RequestBody(
        content={
            "application/json": OpenAPIMediaType(
                schema=Reference(_REF.format(name=shape.__name__)),
                examples={name: Example(summary=name, value=value) for name, value in examples.items()},
            )
        },
        required=True,
    )

    @dataclass
    class WithBody(Operation):
        request_body: RequestBody | None = field(default_factory=lambda: body)  # type: ignore[assignment]

        def __post_init__(self) -> None:
            self.request_body = body

    return WithBody


def openapi_config() -> OpenAPIConfig:
    """Return the configuration of the document and of its routes."""
    _, schemas = msgspec.json.schema_components(_TAKEN, ref_template=_REF)
    return OpenAPIConfig(
        title="pinnersage",
        version=version("pinnersage"),
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        openapi_router=Router("/schema", route_handlers=[], opt={"scope": "open"}),
        render_plugins=[JsonRenderPlugin(path="/openapi.json"), YamlRenderPlugin(path="/openapi.yaml")],
        tags=[
            Tag("read", "Interests, recommendations, neighbors."),
            Tag("write", "Actions, items, what users say about interests."),
            Tag("one user's data", "Export and erasure."),
            Tag("operations", "Health and metrics."),
        ],
        security=[{"bearer": []}, {"header": []}],
        components=Components(
            schemas=_as_spec(schemas),
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer"),
                "header": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
            },
        ),
    )


def _as_spec(schemas: Mapping[str, Any]) -> Any:
    """Return JSON schemas as they are: the document takes plain mappings where it takes schemas."""
    return dict(schemas)

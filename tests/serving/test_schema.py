"""The OpenAPI document: it is valid, its examples work, and nothing it allows ends in a defect."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.serving.conftest import N_DIMENSIONS, Server

from pinnersage.serving import examples

CHECKS = (
    not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance,
)  # fmt: skip


@pytest.fixture(scope="module")
def document(server: Server) -> Any:
    """Return the document of a service that runs."""
    return schemathesis.openapi.from_url(f"{server.url}/schema/openapi.json")


N_ASKED = {GenerationMode.POSITIVE: 15, GenerationMode.NEGATIVE: 5}
SETTINGS = settings(
    max_examples=10, deadline=None, derandomize=True, database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


def test_the_examples_work(client: httpx.Client) -> None:
    # Before what follows: hypothesis finds the ids of these tests, and erases their users.
    for body in examples.ACTIONS.values():
        assert client.post("/v1/actions", json=body).status_code == 202
    for body in examples.RECOMMENDATIONS.values():
        assert client.post("/v1/recommendations", json=body).status_code == 200
    for body in examples.ITEM.values():
        wide = body | {"embedding": [*body["embedding"], *[0.0] * (N_DIMENSIONS - len(body["embedding"]))]}
        assert client.put("/v1/items/example", json=wide).status_code == 200
    shown = client.get("/v1/users/u1/interests")
    assert shown.status_code == 200, shown.text
    medoid = shown.json()["interests"][0]["medoid_item_id"]
    for body in examples.PREFERENCE.values():
        path = f"/v1/users/u1/interests/{medoid}/preference"
        assert client.put(path, json=body).json()["preference"] == body["preference"]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_of_the_document_or_beside_it_ends_in_a_defect(
    document: Any, mode: GenerationMode
) -> None:
    asked = set()
    for found in document.get_all_operations():

        @SETTINGS
        @given(case=found.ok().as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            asked.add((case.method, case.path))
            case.call_and_validate(checks=CHECKS)

        with contextlib.suppress(Unsatisfiable):  # Where every text is an id, nothing is beside the document.
            check()
    assert len(asked) >= N_ASKED[mode]


def test_nothing_was_logged_as_a_defect(server: Server) -> None:
    assert [line for line in server.log_lines() if line["event"] == "defect"] == []


def test_every_route_is_told_with_a_summary_and_its_refusals(client: httpx.Client) -> None:
    found = client.get("/schema").json()
    assert found["openapi"].startswith("3.1")
    operations = [
        (path, method, operation)
        for path, item in found["paths"].items()
        for method, operation in item.items()
    ]
    assert {path for path, _, _ in operations} == {
        "/v1/actions", "/v1/users/{user_id}/recommendations", "/v1/recommendations",
        "/v1/users/{user_id}/interests", "/v1/users/{user_id}/explanations/{item_id}",
        "/v1/users/{user_id}/interests/{medoid_item_id}/preference", "/v1/items/{item_id}",
        "/v1/items/{item_id}/neighbors", "/v1/users/{user_id}", "/health/live", "/health/ready", "/metrics",
    }  # fmt: skip
    for path, method, operation in operations:
        assert operation["summary"], path
        assert operation["tags"], path
        if path.startswith("/v1/"):
            problems = {
                s for s, r in operation["responses"].items() if "application/problem+json" in r["content"]
            }
            assert {"400", "401", "403", "429", "503"} <= problems, (path, method)
        if method in ("post", "put"):
            assert operation["requestBody"]["content"]["application/json"]["examples"], path
    assert "securitySchemes" in found["components"]

"""The OpenAPI document by itself: nothing is left untold, and examples and real answers are as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from tests.serving.conftest import Server

Told = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    """Return the document of a service that runs."""
    found: dict[str, Any] = server.client.get("/schema").json()
    return found


def operations(document: dict[str, Any]) -> list[Told]:
    """Return method, path and operation of each."""
    return [(method, path, told) for path, item in document["paths"].items() for method, told in item.items()]


def complaints(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """Return what speaks against a value; fields that the document does not have among it."""
    components = {
        name: component | ({"additionalProperties": False} if "properties" in component else {})
        for name, component in document["components"]["schemas"].items()
    }
    whole = schema | {"components": {"schemas": components}}
    return [str(error) for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(value)]


def anonymous(schema: Any) -> Iterator[Any]:
    """Yield every object in a schema of which nothing is told."""
    if isinstance(schema, list):
        for part in schema:
            yield from anonymous(part)
    elif isinstance(schema, dict):
        is_object = schema.get("type") == "object" and "properties" not in schema
        if schema == {} or (is_object and not schema.get("additionalProperties")):
            yield schema
        for part in schema.values():
            yield from anonymous(part)


def test_every_operation_says_what_it_does_and_answers(document: dict[str, Any]) -> None:
    summaries = [told["summary"] for _, _, told in operations(document)]
    assert all(summaries)
    assert len(set(summaries)) == len(summaries)
    answers = [told["responses"][s]["description"] for _, _, told in operations(document)
               for s in told["responses"] if s.startswith("2")]  # fmt: skip
    assert len(answers) == len(summaries)
    assert not [answer for answer in answers if "off-line" in answer or "document follows" in answer]


def test_every_answer_and_parameter_has_an_example_that_its_schema_allows(document: dict[str, Any]) -> None:
    n_shown = 0
    for method, path, told in operations(document):
        shown = [(status, content) for status, response in told["responses"].items()
                 for content in response["content"].values()]  # fmt: skip
        shown += [(parameter["name"], parameter) for parameter in told.get("parameters", ())]
        shown += [("body", content) for content in told.get("requestBody", {}).get("content", {}).values()]
        for where, content in shown:
            assert content["examples"], (method, path, where)
            for example in content["examples"].values():
                found = complaints(document, content["schema"], example["value"])
                assert found == [], (method, path, where)
                n_shown += 1
    assert n_shown > 100


def test_the_check_of_examples_can_fail(document: dict[str, Any]) -> None:
    neighbors = {"$ref": "#/components/schemas/Neighbors"}
    assert complaints(document, neighbors, {"item_id": "i7"})
    assert complaints(document, neighbors, {"item_id": "i7", "neighbors": [], "more": 1})


def test_no_object_is_without_a_shape(document: dict[str, Any]) -> None:
    assert list(anonymous({"additionalProperties": {}, "type": "object"}))
    assert list(anonymous(document["components"]["schemas"])) == []
    for method, path, told in operations(document):
        for status, response in told["responses"].items():
            for content in response["content"].values():
                schema = content["schema"]
                named = schema.get("oneOf", [schema])
                assert all("$ref" in part or part == {"type": "string"} for part in named), (
                    method,
                    path,
                    status,
                )


def test_refusals_are_told_where_they_occur(document: dict[str, Any]) -> None:
    for method, path, told in operations(document):
        known = set(told["responses"])
        assert "421" in known, path
        if path.startswith("/v1/"):
            takes_body = "requestBody" in told
            assert ({"408", "413"} <= known) == takes_body, (method, path)
            assert ("415" in known) == (method != "get"), (method, path)
            assert "504" in known, (method, path)
            assert ("414" in known) == ("{" in path), (method, path)
    refused = document["paths"]["/v1/actions"]["post"]["responses"]["422"]["content"]
    assert refused["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/ActionsProblem"}


def ask(client: httpx.Client) -> Iterator[tuple[str, httpx.Response]]:
    """Yield the path of the document and a real answer to every operation."""
    action = {"user_id": "doc", "item_id": "i05", "timestamp": "2026-11-20T10:00:00Z", "event_id": "e"}
    body = {"actions": [action, action | {"item_id": "unknown", "event_id": "f"}, {}]}
    yield "/v1/actions", client.post("/v1/actions", json=body)
    yield "/v1/actions", client.post("/v1/actions", json={"actions": [{}]})
    for user in ("doc", "nobody"):
        yield "/v1/users/{user_id}/recommendations", client.get(f"/v1/users/{user}/recommendations")
    session = {"actions": [{"item_id": "i05"}, {"item_id": "unknown"}]}
    for asked in (session, {"user_ids": ["doc", "nobody"]}):
        yield "/v1/recommendations", client.post("/v1/recommendations", json=asked)
    yield "/v1/users/{user_id}/interests", client.get("/v1/users/doc/interests")
    yield "/v1/items/{item_id}/neighbors", client.get("/v1/items/i05/neighbors")
    for item in ("i05", "i06"):
        path = "/v1/users/{user_id}/explanations/{item_id}"
        yield path, client.get(f"/v1/users/doc/explanations/{item}")
    preference = "/v1/users/doc/interests/i05/preference"
    path = "/v1/users/{user_id}/interests/{medoid_item_id}/preference"
    yield path, client.put(preference, json={"preference": "muted"})
    yield "/v1/users/{user_id}", client.get("/v1/users/doc")
    yield path, client.delete(preference)
    for item in ("i05", "nowhere"):
        yield "/v1/items/{item_id}", client.get(f"/v1/items/{item}")
    yield "/v1/items/{item_id}", client.put("/v1/items/doc", json={"embedding": [1.0] * 8})
    yield "/v1/items/{item_id}", client.delete("/v1/items/doc")
    yield "/v1/items/{item_id}", client.delete("/v1/items/doc")
    yield "/v1/users/{user_id}", client.delete("/v1/users/doc")
    yield "/health/live", client.get("/health/live")
    yield "/health/ready", client.get("/health/ready")


def test_real_answers_are_as_the_document_says(document: dict[str, Any], client: httpx.Client) -> None:
    asked = set()
    for path, answer in ask(client):
        method = answer.request.method.lower()
        response = document["paths"][path][method]["responses"][str(answer.status_code)]
        content = response["content"][answer.headers["content-type"]]
        assert complaints(document, content["schema"], answer.json()) == [], (method, path, answer.text)
        asked.add((method, path))
    told = {(method, path) for method, path, _ in operations(document)}
    assert told - asked == {("get", "/metrics")}

"""What a 503 of writes means, and how to go on after one: nothing is lost, and nothing counts twice."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.serving.conftest import Serve, Server
from tests.serving.test_document import complaints

TIME = "2026-11-20T10:00:00Z"


def act(user: str, item: str, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "timestamp": TIME} | more


def post(client: httpx.Client, *actions: dict[str, Any]) -> httpx.Response:
    return client.post("/v1/actions", json={"actions": list(actions)})


@pytest.mark.parametrize("more", [{}, {"event_id": "e1"}])
def test_what_a_503_left_open_is_settled_by_sending_it_again(server: Server, more: dict[str, Any]) -> None:
    actions = [act(f"kim{len(more)}", "i05", **more), act(f"kim{len(more)}", f"unknown{len(more)}", **more)]
    generation = server.client.get("/health/ready").json()["generation"]
    store = server.directory / "generations" / generation / "store"
    away = store.rename(store.with_name("away"))
    refused = post(server.client, *actions)
    away.rename(store)
    assert refused.status_code == 503
    assert_told(server, refused)
    assert "may or may not have been taken" in refused.json()["detail"]
    for status in ("accepted", "duplicate"):
        again = post(server.client, *actions)
        assert [result["status"] for result in again.json()["results"]] == [status, "parked"]
    held = server.client.get(f"/v1/users/kim{len(more)}").json()
    assert [entry["item_id"] for entry in held["journal"]] == [action["item_id"] for action in actions]
    assert [action["item_id"] for action in held["actions"]] == ["i05"]


def assert_told(server: Server, refused: httpx.Response) -> None:
    """Hold a refusal of actions against the document, which must know its results, too."""
    document = server.client.get("/schema").json()
    told = document["paths"]["/v1/actions"]["post"]["responses"][str(refused.status_code)]["content"]
    content = told[refused.headers["content-type"]]
    assert complaints(document, content["schema"], refused.json()) == []
    reasons = [
        {result["reason"] for result in example["value"].get("results", [])}
        for example in content["examples"].values()
    ]
    assert {"too_many_parked"} in reasons


@pytest.fixture(scope="module")
def narrow(serve: Serve) -> Server:
    """Return a service in which one action may wait for an item."""
    return serve("--max-parked", 1)


def test_where_no_more_actions_may_wait_the_answer_says_to_come_again(narrow: Server) -> None:
    assert post(narrow.client, act("ida", "new-1")).json()["n_parked"] == 1
    refused = post(narrow.client, act("ida", "new-2"), act("ida", "i05", weight=-1))
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["errors"][0]["field"] == "actions[0].item_id"
    first, second = refused.json()["results"]
    assert (first["reason"], first["field"]) == ("too_many_parked", "item_id")
    assert "put the items" in first["message"]
    assert second["reason"] == "weight_negative"
    assert_told(narrow, refused)
    some = post(narrow.client, act("ida", "new-2"), act("ida", "i05"))
    assert some.status_code == 202
    assert [result["status"] for result in some.json()["results"]] == ["rejected", "accepted"]


def test_what_was_refused_for_want_of_room_is_taken_when_an_item_has_come(narrow: Server) -> None:
    post(narrow.client, act("jan", "new-1"))
    assert narrow.client.put("/v1/items/new-1", json={"embedding": [0.0] * 7 + [1.0]}).status_code == 200
    assert post(narrow.client, act("jan", "new-2")).json()["n_parked"] == 1

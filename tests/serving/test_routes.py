"""Every route of the contract, asked over HTTP of a service in its own process."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.serving.conftest import N_PER_TOPIC, Serve, Server, action_table

NOW = "2026-11-20T10:00:00Z"


def post(client: httpx.Client, *actions: dict[str, Any]) -> httpx.Response:
    return client.post("/v1/actions", json={"actions": list(actions)})


def act(user: object, item: object, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "timestamp": NOW} | more


def recommended(client: httpx.Client, user: str, **query: Any) -> dict[str, Any]:
    response = client.get(f"/v1/users/{user}/recommendations", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_recommendations_have_the_shape_of_the_contract(client: httpx.Client) -> None:
    found = recommended(client, "u1", k=7)
    assert set(found) == {"user_id", "items", "request_id"}
    assert found["user_id"] == "u1"
    assert [item["rank"] for item in found["items"]] == list(range(1, 8))
    medoids = {i["medoid_item_id"] for i in client.get("/v1/users/u1/interests").json()["interests"]}
    for item in found["items"]:
        assert set(item) == {"rank", "item_id", "score", "interest"}
        assert item["interest"] in medoids


def test_equal_questions_have_equal_answers_and_options_reach_the_model(client: httpx.Client) -> None:
    assert recommended(client, "u2", seed=4) == recommended(client, "u2", seed=4)
    acted = {item for i in client.get("/v1/users/u2/interests").json()["interests"] for item in i["item_ids"]}
    with_seen = {
        i["item_id"] for i in recommended(client, "u2", k=72, include_seen=True, mode="budgeted")["items"]
    }
    without = {i["item_id"] for i in recommended(client, "u2", k=72, mode="budgeted")["items"]}
    assert acted & with_seen
    assert not acted & without
    one = recommended(client, "u2", interests=1)
    assert len({item["interest"] for item in one["items"]}) == 1


def test_a_request_id_names_the_question_and_not_the_list(client: httpx.Client) -> None:
    before = recommended(client, "u4", k=3)
    assert before["request_id"] != recommended(client, "u4", k=4)["request_id"]
    medoids = [i["medoid_item_id"] for i in client.get("/v1/users/u4/interests").json()["interests"]]
    preferences = [f"/v1/users/u4/interests/{medoid}/preference" for medoid in medoids]
    for preference in preferences:
        client.put(preference, json={"preference": "muted"})
    muted = recommended(client, "u4", k=3)
    for preference in preferences:
        client.delete(preference)
    assert (len(before["items"]), muted["items"]) == (3, [])
    assert "popular" not in muted  # The answer has no mark of its own: docs/service.md says so.
    assert muted["request_id"] == before["request_id"]


def test_the_score_of_a_popular_item_is_its_number_of_users(client: httpx.Client) -> None:
    found = recommended(client, "nobody-yet", k=20)
    pairs = {(row["user_id"], row["item_id"]) for row in action_table().to_pylist()}
    assert found["popular"]
    assert len(found["items"]) == 20
    for item in found["items"]:
        assert item["score"] == sum(item["item_id"] == acted_on for _, acted_on in pairs)


def test_interests_have_the_shape_of_the_contract(client: httpx.Client) -> None:
    found = client.get("/v1/users/u3/interests").json()
    assert found["user_id"] == "u3"
    assert sum(i["share"] for i in found["interests"]) == pytest.approx(1)
    for interest in found["interests"]:
        assert set(interest) == {
            "medoid_item_id", "importance", "share", "n_actions", "newest_action", "oldest_action",
            "item_ids", "preference",
        }  # fmt: skip
        assert interest["newest_action"].endswith("Z")


def test_neighbors_have_the_shape_of_the_contract(client: httpx.Client) -> None:
    found = client.get("/v1/items/i00/neighbors", params={"k": 5}).json()
    assert found["item_id"] == "i00"
    assert [n["rank"] for n in found["neighbors"]] == [1, 2, 3, 4, 5]
    assert all(int(n["item_id"][1:]) < N_PER_TOPIC for n in found["neighbors"])


def test_an_acknowledged_action_is_in_the_next_answer(client: httpx.Client) -> None:
    answer = post(client, act("ada", "i05"), act("ada", "i05"), act("ada", "i06", event_id="e1"))
    assert answer.status_code == 202
    assert [r["status"] for r in answer.json()["results"]] == ["accepted", "duplicate", "accepted"]
    assert {k: v for k, v in answer.json().items() if k != "results"} == {
        "n_accepted": 2, "n_duplicate": 1, "n_parked": 0, "n_rejected": 0,
    }  # fmt: skip
    found = recommended(client, "ada", k=5)
    assert "popular" not in found
    assert all(int(item["item_id"][1:]) < N_PER_TOPIC for item in found["items"])
    assert not {"i05", "i06"} & {item["item_id"] for item in found["items"]}


def test_times_are_rfc3339_of_any_offset_or_milliseconds(client: httpx.Client) -> None:
    same = ["2026-11-20T10:00:00Z", "2026-11-20T12:00:00+02:00", "2026-11-20T10:00:00", 1_795_168_800_000]
    answer = post(client, *(act("times", "i01") | {"timestamp": time} for time in same)).json()
    assert [r["status"] for r in answer["results"]] == ["accepted"] + ["duplicate"] * 3


def test_bad_actions_are_rejected_one_by_one_with_field_and_reason(client: httpx.Client) -> None:
    answer = post(
        client,
        act("bea", "i01"),
        {"user_id": "bea", "item_id": "i02"},
        act("bea", "i02") | {"timestamp": "yesterday"},
        act("bea", "i02") | {"timestamp": "2199-01-01T00:00:00Z"},
        act("bea", "i02") | {"timestamp": -1},
        act("", "i02"),
        act("bea", [1]),
        act("bea", "i02", weight=-2),
        act("bea", "i02", weight="heavy"),
        act("x" * 2_000, "i02"),
        act(2**70, "i02"),
        "not an action",  # type: ignore[arg-type]
        act("bea", "i03"),
    )
    assert answer.status_code == 202
    rejected = [
        (r.get("field"), r.get("reason")) for r in answer.json()["results"] if r["status"] == "rejected"
    ]
    assert rejected == [
        ("timestamp", "time_missing"),
        ("timestamp", "time_unparsable"),
        ("timestamp", "time_in_future"),
        ("timestamp", "time_before_1970"),
        ("user_id", "empty_user_id"),
        ("item_id", "item_id_unparsable"),
        ("weight", "weight_negative"),
        ("weight", "weight_unparsable"),
        ("user_id", "user_id_too_long"),
        ("user_id", "user_id_out_of_range"),
        (None, "unreadable_row"),
    ]
    assert answer.json()["results"][0]["status"] == answer.json()["results"][-1]["status"] == "accepted"
    members = {
        item for i in client.get("/v1/users/bea/interests").json()["interests"] for item in i["item_ids"]
    }
    assert members == {"i01", "i03"}


def test_when_every_action_is_bad_the_answer_is_422_and_says_which(client: httpx.Client) -> None:
    answer = post(client, act("cid", "i01", weight=-1))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "actions[0].weight"
    assert answer.json()["results"][0]["reason"] == "weight_negative"


def test_no_actions_are_no_error(client: httpx.Client) -> None:
    assert post(client).status_code == 202


def test_an_action_is_taken_back(client: httpx.Client) -> None:
    post(client, act("dan", "i01", event_id="one"), act("dan", "i30"))
    assert post(client, act("dan", "i01", event_id="one", retract=True)).json()["n_accepted"] == 1
    found = client.get("/v1/users/dan/interests").json()["interests"]
    assert [i["item_ids"] for i in found] == [["i30"]]


def test_an_unknown_user_gets_popular_items_marked_as_such(client: httpx.Client) -> None:
    found = recommended(client, "nobody-knows-me", k=4)
    assert (found["popular"], found["user_id"], len(found["items"])) == (True, "nobody-knows-me", 4)
    assert client.get("/v1/users/nobody-knows-me/interests").status_code == 404


def test_a_session_is_answered_and_leaves_nothing(client: httpx.Client) -> None:
    before = client.get("/metrics").text
    answer = client.post(
        "/v1/recommendations", json={"actions": [{"item_id": "i40"}, {"item_id": "??"}], "k": 3}
    )
    assert answer.status_code == 200
    found = answer.json()
    assert (found["user_id"], len(found["items"]), found["n_unknown_items"]) == (None, 3, 1)
    assert {item["interest"] for item in found["items"]} == {"i40"}
    head = [line for line in before.splitlines() if line.startswith("pinnersage_journal_head")]
    assert head
    assert head == [
        x for x in client.get("/metrics").text.splitlines() if x.startswith("pinnersage_journal_head")
    ]


def test_several_users_are_answered_in_order(client: httpx.Client) -> None:
    body = {"user_ids": ["u3", "nobody-at-all", "u1"], "k": 4, "seed": 9}
    answers = client.post("/v1/recommendations", json=body).json()["answers"]
    assert [a["user_id"] for a in answers] == body["user_ids"]
    assert [a.get("popular", False) for a in answers] == [False, True, False]
    assert answers[2] == recommended(client, "u1", k=4, seed=9)


def test_interests_are_muted_pinned_and_left_alone_again(client: httpx.Client) -> None:
    medoids = [i["medoid_item_id"] for i in client.get("/v1/users/u7/interests").json()["interests"]]
    path = f"/v1/users/u7/interests/{medoids[0]}/preference"
    assert client.put(path, json={"preference": "muted"}).json()["preference"] == "muted"
    asked = {"k": 20, "mode": "budgeted"}
    assert medoids[0] not in {item["interest"] for item in recommended(client, "u7", **asked)["items"]}
    assert client.get("/v1/users/u7/interests").json()["interests"][0]["preference"] == "muted"
    assert client.delete(path).status_code == 200
    assert medoids[0] in {item["interest"] for item in recommended(client, "u7", **asked)["items"]}
    assert client.put(path, json={"preference": "loved"}).json()["errors"][0]["field"] == "preference"
    assert (
        client.put("/v1/users/u7/interests/i71/preference", json={"preference": "muted"}).status_code == 404
    )


def test_an_item_counts_as_soon_as_it_is_put_and_never_after_it_is_deleted(client: httpx.Client) -> None:
    parked = post(client, act("eve", "new/item 1")).json()
    assert parked["results"] == [{"status": "parked", "reason": "unknown_item"}]
    path = "/v1/items/new%2Fitem%201"
    embedding = [0.0] * 7 + [1.0]
    put = client.put(path, json={"embedding": embedding, "title": "New", "created_at": NOW})
    assert put.json() == {"item_id": "new/item 1", "created": True, "n_applied": 1}
    members = client.get("/v1/users/eve/interests").json()["interests"][0]
    assert members["medoid_item_id"] == "new/item 1"
    near = client.put("/v1/items/near", json={"embedding": [0.0] * 6 + [0.4, 1.0]})
    assert near.json()["created"] is True
    assert recommended(client, "eve", k=1)["items"][0]["item_id"] == "near"
    assert client.delete("/v1/items/near").status_code == 200
    assert "near" not in {item["item_id"] for item in recommended(client, "eve", k=70)["items"]}
    assert client.delete("/v1/items/near-to-nothing").status_code == 404


def test_an_item_is_shown_in_the_fields_that_put_it(client: httpx.Client) -> None:
    """So one of them can be changed without the others being known."""
    path = "/v1/items/shown%2F1"
    assert client.get(path).status_code == 404
    client.put(path, json={"embedding": [0.0] * 6 + [3.0, 4.0], "title": "Pot", "created_at": NOW})
    found = client.get(path).json()
    assert found == {
        "item_id": "shown/1", "embedding": pytest.approx([0.0] * 6 + [0.6, 0.8]), "available": True,
        "title": "Pot", "created_at": NOW,
    }  # fmt: skip
    assert client.put(path, json=found | {"available": False}).json()["created"] is False
    assert client.get(path).json() == found | {"available": False}
    built = client.get("/v1/items/i05").json()
    assert client.put("/v1/items/i05", json=built).json()["created"] is False
    assert client.get("/v1/items/i05").json() == built
    client.delete(path)
    assert client.get(path).json()["code"] == "item_not_found"


def test_a_wrong_embedding_is_refused_by_name(client: httpx.Client) -> None:
    for body, field in (
        ({"embedding": [1.0]}, "embedding"),
        ({"embedding": "x"}, "embedding"),
        ({}, "embedding"),
        ({"embedding": [0.0] * 8}, "embedding"),
        ({"embedding": [1.0] * 8, "available": 3}, "available"),
        ({"embedding": [1.0] * 8, "title": "x" * 70_000}, "attributes"),
        ({"embedding": [1.0] * 8, "embedding_version": "other"}, "embedding_version"),
    ):
        answer = client.put("/v1/items/wrong", json=body)
        assert answer.status_code in (400, 422), body
        assert answer.json()["errors"][0]["field"] == field


def test_export_and_erasure_of_one_user(client: httpx.Client) -> None:
    post(client, act("fay", "i10", action="buy", event_id="secret-id"), act("fay", "i50"))
    held = client.get("/v1/users/fay").json()
    assert {a["item_id"] for a in held["actions"]} == {"i10", "i50"}
    assert {a["action"] for a in held["actions"]} == {"buy", None}
    receipt = client.delete("/v1/users/fay")
    assert receipt.status_code == 200
    assert receipt.json()["user_id"] == "fay"
    assert client.delete("/v1/users/fay").status_code == 404
    assert client.get("/v1/users/fay").status_code == 404
    assert recommended(client, "fay")["popular"] is True


def test_ids_in_paths_may_be_anything_that_text_can_be(client: httpx.Client) -> None:
    for user in ("a/b", "../u1", "ünï😀", "a b?c#d", "%2F", "u1/interests", " "):
        assert post(client, act(user, "i05")).json()["n_accepted"] == 1, user
        quoted = "".join(f"%{byte:02X}" for byte in user.encode())
        assert client.get(f"/v1/users/{quoted}/interests").json()["user_id"] == user
    assert client.get("/v1/users//interests").status_code == 400


def test_the_item_is_explained(client: httpx.Client) -> None:
    first = recommended(client, "u4", k=1, mode="budgeted")["items"][0]
    why = client.get(f"/v1/users/u4/explanations/{first['item_id']}").json()
    assert (why["recommendable"], why["interest"]) == (True, first["interest"])


def test_health_and_metrics(server: Server) -> None:
    assert server.client.get("/health/live").json() == {"status": "live"}
    assert server.client.get("/health/ready").json() == {"status": "ready", "generation": "00000001"}
    text = server.client.get("/metrics").text
    for name in (
        'pinnersage_requests_total{method="GET",route="/health/ready",status="200"}',
        "pinnersage_queue_depth",
        'pinnersage_stage_seconds_count{stage="retrieve"}', "pinnersage_freshness_seconds_count",
        "pinnersage_cache_hits_total", "pinnersage_cache_misses_total", "pinnersage_cache_n_entries",
        "pinnersage_generation 1.0", "pinnersage_n_users", "pinnersage_store_bytes",
        "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds",
    ):  # fmt: skip
        assert name in text, name


def test_metrics_tell_what_was_waited_for_only(serve: Serve) -> None:
    """The rehearsal is no list that anybody waited for, and what is rejected is never seen by readers."""
    client = serve().client
    assert 'pinnersage_stage_seconds_count{stage="retrieve"} 0.0' in client.get("/metrics").text
    assert client.post("/v1/actions", json={"actions": [{"user_id": ""}]}).status_code == 422
    text = client.get("/metrics").text
    assert "pinnersage_freshness_seconds_count 0.0" in text
    assert 'pinnersage_actions_total{status="rejected"} 1.0' in text
    assert 'pinnersage_actions_total{status="accepted"} 0.0' in text
    assert post(client, act("u1", "i05")).status_code == 202
    # It is counted when the record is made, after the answer.
    while "pinnersage_freshness_seconds_count 1.0" not in (text := client.get("/metrics").text):
        assert "pinnersage_freshness_seconds_count 0.0" in text


def test_lists_of_some_items_only(serve: Serve) -> None:
    client = serve().client
    plain = [item["item_id"] for item in recommended(client, "u5", k=9, mode="budgeted")["items"]]
    excluded, titles = [*plain[:2], "none such"], [f"Item {n}" for n in range(40, 72)]
    wanted = {"exclude": excluded, "where": [f"title:{title}" for title in titles]}
    body = {"k": 72, "mode": "budgeted", "exclude": excluded, "where": {"title": titles}}
    lists = [
        recommended(client, "u5", k=72, mode="budgeted", **wanted),
        client.post("/v1/recommendations", json=body | {"user_ids": ["u5"]}).json()["answers"][0],
        client.post("/v1/recommendations", json=body | {"actions": [{"item_id": "i45"}]}).json(),
        recommended(client, "nobody", k=72, **wanted),
    ]
    for found in lists:
        ids = {item["item_id"] for item in found["items"]}
        assert ids
        assert ids <= {f"i{n}" for n in range(40, 72)} - set(plain[:2])
    assert lists[0] == lists[1]
    assert lists[3]["popular"]
    assert len(lists[3]["items"]) == len({f"i{n}" for n in range(40, 72)} - set(plain[:2]))


def test_an_item_put_now_is_of_its_kind_at_once(serve: Serve) -> None:
    client = serve().client
    assert client.get("/v1/users/u5/recommendations?where=provider:Ann").status_code == 400
    embedding = [0.0] * 5 + [1.0, 0.1, 0.1]
    client.put("/v1/items/new:1", json={"embedding": embedding, "provider": "Ann: pots"})
    found = recommended(client, "u5", where="provider:Ann: pots")
    assert [item["item_id"] for item in found["items"]] == ["new:1"]
    assert recommended(client, "u5", where="provider:Ann: pots", exclude="new:1")["items"] == []


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ("where=title", "where", "where: expected attribute:value, got 'title'"),
        ("where=:x", "where", "where: expected attribute:value, got ':x'"),
        ("where=colour:red", "where", "where: expected one of "),
        ("where=title:a&where=" + "x" * 300, "where", "where: expected attribute:value, got 'xxx"),
    ],
)
def test_what_items_must_be_like_is_told_in_words(
    client: httpx.Client, query: str, field: str, told: str
) -> None:
    response = client.get(f"/v1/users/u1/recommendations?{query}")
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["field"] == field
    assert error["message"].startswith(told), error
    assert len(error["message"]) < 300

"""What bad input gets: 4xx that names the field, never 5xx, and never at the cost of others."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import time
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from litestar import get
from litestar.testing import TestClient
from structlog.testing import capture_logs
from tests.serving.conftest import Serve, Server

from pinnersage.config import RecommendMode
from pinnersage.model.live import LiveModel
from pinnersage.serving.app import create_app
from pinnersage.serving.keys import add_key

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """Return a service with little patience, and a name besides this machine's."""
    return serve("--read-timeout", "1", "--allowed-host", "Shop.example")


def problem(response: httpx.Response, status: int, field: str | None = None) -> dict[str, Any]:
    """Return the problem, which must have this status and name this field."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(found)
    assert found["instance"].endswith(response.headers["x-request-id"])
    if field is not None:
        assert found["errors"][0]["field"] == field, found
    return found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("k=0.0", "k"), (f"k=-{'9' * 5_000}", "k"),
        ("k=0", "k"), ("k=-3", "k"), ("k=1000000000", "k"), ("k=ten", "k"), ("k=", "k"), ("k=1e9", "k"),
        ("k=1001", "k"), ("interests=0", "interests"), ("interests=x", "interests"), ("seed=-1", "seed"),
        (f"seed={10**30}", "seed"), ("mode=best", "mode"), ("mode=ranked", "mode"),
        ("include_seen=perhaps", "include_seen"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(client: httpx.Client, query: str, field: str) -> None:
    problem(client.get(f"/v1/users/u1/recommendations?{query}"), 400, field)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"k": 0}, "expected k of at least 1"), ({"k": -3}, "expected k of at least 1"),
        ({"interests": 0}, "expected interests of at least 1"),
        ({"interests": 10_001}, "expected interests of at most 10,000"),
        ({"seed": -1}, "expected seed of at least 0"),
        ({"seed": 2**63}, f"expected seed of at most {2**63 - 1:,}"),
    ],
)  # fmt: skip
def test_an_integer_out_of_its_range_is_answered_with_its_bound(
    client: httpx.Client, given: dict[str, int], told: str
) -> None:
    (field,), (value,) = given, given.values()
    found = problem(client.get("/v1/users/u1/recommendations", params=given), 400, field)
    assert found["detail"] == found["errors"][0]["message"] == f"{told}, got {value:,}"
    found = problem(client.post("/v1/recommendations", json={"user_ids": ["u1"]} | given), 400, field)
    assert found["detail"] == found["errors"][0]["message"] == told


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("k=abc", "expected k as an integer, got 'abc'"),
        ("k=", "expected k as an integer, got ''"),
        ("k=1&k=abc", "expected k as an integer, got 'abc'"),
        ("k=0.0", "expected k of at least 1, got '0.0'"),
        ("interests=x", "expected interests as an integer, got 'x'"),
        ("include_seen=perhaps", "expected include_seen as true or false, got 'perhaps'"),
        (f"seed={'z' * 1_000}", f"expected seed as an integer, got '{'z' * 50}…'"),
    ],
)
def test_a_parameter_of_another_kind_is_answered_with_its_kind_and_what_came(
    client: httpx.Client, query: str, told: str
) -> None:
    found = problem(client.get(f"/v1/users/u1/recommendations?{query}"), 400, query.partition("=")[0])
    assert found["detail"] == found["errors"][0]["message"] == told


def test_all_wrong_parameters_are_told(client: httpx.Client) -> None:
    found = problem(client.get("/v1/users/u1/recommendations?k=0&seed=x&interests=0"), 400)
    assert {error["field"] for error in found["errors"]} == {"k", "seed", "interests"}
    for told in (
        "expected k of at least 1, got 0",
        "expected seed as an integer",
        "expected interests of at least 1",
    ):
        assert told in found["detail"]


def test_a_wrong_mode_is_answered_with_the_modes(client: httpx.Client) -> None:
    asked = (
        client.get("/v1/users/u1/recommendations?mode=best"),
        client.post("/v1/recommendations", json={"user_ids": ["u1"], "mode": "best"}),
    )
    for answer in asked:
        (error,) = problem(answer, 400, "mode")["errors"]
        assert all(mode in error["message"] for mode in get_args(RecommendMode))


@pytest.mark.parametrize(
    ("method", "path", "field", "expected"),
    [
        (
            "GET",
            "/v1/users/u1/recommendations?interest=1",
            "interest",
            "k, interests, seed, mode, include_seen",
        ),
        ("GET", "/v1/items/i00/neighbors?k=2&seed=1", "seed", "parameters k,"),
        ("GET", "/v1/users/u1/interests?k=1", "k", "no parameters"),
        ("POST", "/v1/actions?durable=1", "durable", "no parameters"),
    ],
)
def test_parameters_that_do_not_exist_are_named(
    client: httpx.Client, method: str, path: str, field: str, expected: str
) -> None:
    found = problem(client.request(method, path, headers=JSON, content=b'{"actions": []}'), 400, field)
    assert expected in found["detail"]
    assert client.get("/health/live?probe=7").status_code == 200


@pytest.mark.parametrize(
    ("action", "field"),
    [
        ({"retract": True}, "actions[1].retract"),
        ({"evnt_id": "x"}, "actions[1].evnt_id"),
        ({"timestamp": int(time.time() * 1_000) + 200 * 86_400_000}, "actions[1].timestamp"),
        ({"timestamp": int(time.time())}, "actions[1].timestamp"),
    ],
)
def test_sessions_are_judged_as_actions_of_users_are(
    client: httpx.Client, action: dict[str, Any], field: str
) -> None:
    actions = [{"item_id": "i00"}, {"item_id": "i01"} | action]
    problem(client.post("/v1/recommendations", json={"actions": actions}), 400, field)


def test_a_session_or_users_asked_with_a_field_that_does_not_exist(client: httpx.Client) -> None:
    problem(client.post("/v1/recommendations", json={"actions": [], "interest": 3}), 400, "interest")


def test_the_longest_list_is_a_thousand(client: httpx.Client) -> None:
    assert client.get("/v1/users/u1/recommendations?k=1000").status_code == 200
    problem(client.get("/v1/items/i00/neighbors?k=1001"), 400, "k")
    problem(client.post("/v1/recommendations", json={"actions": [], "k": 1001}), 400, "k")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"), (b"{", "body"), (b"[]", "body"), (b"null", "body"), (b"\xff\xfe", "body"),
        (b'{"actions": 3}', "actions"), (b"{}", "actions"), (b"[" * 100_000, "body"),
        (b'{"actions": ' + b"[" * 100_000, "body"), (b'{"actions": [NaN]}', "body"),
    ],
)  # fmt: skip
def test_unreadable_bodies_are_400(client: httpx.Client, body: bytes, field: str) -> None:
    problem(client.post("/v1/actions", content=body, headers=JSON), 400, field)


def test_an_action_that_cannot_be_decoded_is_about_no_field(client: httpx.Client) -> None:
    good = b'{"user_id": "kim", "item_id": "i01", "timestamp": "2026-11-20T10:00:00Z"}'
    for bad in (b'{"user_id": "\xff"}', b"3"):
        alone = client.post("/v1/actions", content=b'{"actions": [%s]}' % bad, headers=JSON)
        assert problem(alone, 422, "actions[0]")["results"][0]["reason"] == "unreadable_row"
        mixed = client.post("/v1/actions", content=b'{"actions": [%s, %s]}' % (good, bad), headers=JSON)
        assert mixed.status_code == 202
        assert set(mixed.json()["results"][1]) == {"status", "reason", "message"}


def test_a_request_of_many_is_bounded(client: httpx.Client) -> None:
    action = {"user_id": "many", "item_id": "i01", "timestamp": 1}
    problem(client.post("/v1/actions", json={"actions": [action] * 10_001}), 413, "actions")
    problem(client.post("/v1/recommendations", json={"user_ids": ["u1"] * 501}), 400, "user_ids")
    problem(client.post("/v1/recommendations", json={"user_ids": ["u1", ""]}), 400, "user_ids[1]")
    problem(client.post("/v1/recommendations", json={"user_ids": ["u1"], "actions": []}), 400, "actions")
    problem(client.post("/v1/recommendations", json={"actions": [{"item_id": 1, "timestamp": -1}]}), 400,
            "actions[0].timestamp")  # fmt: skip


def test_a_body_must_say_that_it_is_json(client: httpx.Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        problem(client.post("/v1/actions", content=b'{"actions": []}', headers={"content-type": kind}), 415)
    problem(client.post("/v1/actions", content=b'{"actions": []}'), 415)


def test_a_body_is_neither_compressed_nor_in_another_charset(client: httpx.Client) -> None:
    body = b'{"actions": []}'
    for header, told in (
        ({"content-encoding": "gzip"}, "Content-Encoding, got gzip"),
        ({"content-type": "application/json; charset=latin-1"}, "charset latin-1"),
    ):
        found = problem(client.post("/v1/actions", content=body, headers=JSON | header), 415)
        assert told in found["detail"]
        problem(client.post("/%761/actions", content=body, headers=JSON | header), 415)
    same = {"content-type": 'application/json;charset="UTF-8"', "content-encoding": "identity"}
    assert client.post("/v1/actions", content=body, headers=same).status_code == 202


def test_pages_of_other_sites_change_nothing(client: httpx.Client) -> None:
    cross = JSON | {"sec-fetch-site": "cross-site"}
    problem(client.post("/v1/actions", json={"actions": []}, headers=cross), 403)
    problem(client.get("/v1/users/u1/interests", headers={"host": "evil.example"}), 421)


def test_head_is_answered_where_get_is_with_its_headers_and_no_body(client: httpx.Client) -> None:
    for path in (
        "/",
        "/health/live",
        "/health/ready",
        "/schema",
        "/v1/users/u1/interests",
        "/v1/users/nobody/interests",
    ):
        head, got = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
        assert head.headers["content-length"] == got.headers["content-length"]
    assert client.head("/v1/actions").status_code == 405
    assert 'method="HEAD",route="/health/live",status="200"' in client.get("/metrics").text


def test_pages_of_other_origins_call_the_api_only_where_that_is_allowed(
    serve: Serve, client: httpx.Client, tmp_path: Path
) -> None:
    path, friend = "/v1/users/u1/interests", "https://app.example.org"
    asks = {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type, x-api-key",
    }
    key = add_key(tmp_path / "keys.json", "page", ["read", "write"], "2026-11-20T10:00:00Z")
    served = serve(
        "--keys", tmp_path / "keys.json", "--cors-origin", friend, "--picture-origin", friend
    ).client
    for origin in ("https://evil.example", "https://app.example.org.evil.example", "null"):
        for asked in (client, served):
            for answer in (asked.options(path, headers=asks | {"origin": origin}), asked.get(path)):
                assert not [name for name in answer.headers if name.startswith("access-control")]
    before = served.options(path, headers=asks | {"origin": friend})
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (204, friend)
    assert "PUT" in before.headers["access-control-allow-methods"]
    assert "X-API-Key" in before.headers["access-control-allow-headers"]
    told = {"origin": friend, "sec-fetch-site": "cross-site", "x-api-key": key}
    taken = served.post("/v1/recommendations", json={"user_ids": ["u1"]}, headers=told)
    refused = served.get(path, headers={"origin": friend})
    for answer, status in ((served.get(path, headers=told), 200), (taken, 200), (refused, 401)):
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, friend)
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
    other = told | {"origin": "https://evil.example"}
    assert served.post("/v1/recommendations", json={"user_ids": ["u1"]}, headers=other).status_code == 403
    for outside in ("/health/live", "/"):  # Only the API.
        assert "access-control-allow-origin" not in served.get(outside, headers=told).headers
    assert served.post("/logout", headers=told).status_code == 403
    page = served.get("/", headers={"accept": "text/html"})
    assert f"img-src 'self' data: {friend};" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example", 200), ("SHOP.EXAMPLE:8443", 200), ("localhost:1", 200), ("[::1]:8765", 200),
        ("shop.example.evil.example", 421), ("evil.example:80", 421), ("127.0.0.1.evil.example", 421),
        ("evil.example:shop.example", 421), ("shop.example:evil.example", 421),
    ],
)  # fmt: skip
def test_host_names_are_answered_whatever_their_port(client: httpx.Client, host: str, status: int) -> None:
    assert client.get("/health/live", headers={"host": host}).status_code == status


def test_oversized_bodies_are_413_said_or_unsaid(client: httpx.Client) -> None:
    large = b" " * (8 * 2**20 + 1)
    found = problem(client.post("/v1/actions", content=large, headers=JSON), 413, "body")
    assert "at most 8,388,608 bytes" in found["detail"]

    def chunks() -> Any:
        for _ in range(20):
            yield b" " * 2**20

    try:
        response = client.post("/v1/actions", content=chunks(), headers=JSON)
    except httpx.TransportError:
        return  # The service closed the connection while the client still wrote.
    problem(response, 413)


def test_megabyte_ids_are_refused(server: Server, client: httpx.Client) -> None:
    long = "x" * 2**20
    found = client.post("/v1/actions", json={"actions": [{"user_id": long, "item_id": "i1", "timestamp": 1}]})
    problem(found, 422, "actions[0].user_id")
    problem(client.get(f"/v1/users/{'x' * 2_000}/interests"), 400, "user_id")
    problem(client.get(f"/v1/users/{'x' * 20_000}/interests"), 414)
    assert _raw(server, b"GET /v1/users/" + b"x" * 2**17 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n") in (
        400,
        414,
    )


def test_unknown_things_are_404_and_wrong_methods_405(client: httpx.Client) -> None:
    problem(client.get("/v1/items/none/neighbors"), 404)
    problem(client.get("/v1/users/none"), 404)
    problem(client.get("/v2/users"), 404)
    found = problem(client.delete("/v1/actions"), 405)
    assert found["detail"] == "expected POST or OPTIONS on this path, got DELETE"
    wrong = client.patch("/v1/items/i00")
    told = problem(wrong, 405)["detail"]
    assert all(method in told for method in (*wrong.headers["allow"].split(", "), "PATCH"))


def test_request_ids_are_taken_over_if_they_are_sane(client: httpx.Client) -> None:
    assert client.get("/health/live", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/health/live", headers={"x-request-id": "a b\tc" * 99}).headers["x-request-id"]
    assert len(made) == 16


def test_invalid_escapes_and_bytes_in_paths_are_no_defect(server: Server) -> None:
    for path in (
        b"/v1/users/%ff%fe/interests", b"/v1/users/\xc3\xbc/interests", b"/v1/users/%/interests",
        b"/v1/users/%00/interests", b"/v1/users/%ED%A0%80/recommendations", b"/%2F%2F", b"//", b"*",
    ):  # fmt: skip
        assert 200 <= _raw(server, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n") < 500, path


def test_a_slow_body_ends_in_408_and_a_slow_head_in_a_closed_connection(
    server: Server, client: httpx.Client
) -> None:
    head = b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    body = _connected(server, head + b"Content-Length: 100\r\n\r\n{")
    slow = _connected(server, b"GET / HTT")
    assert client.get("/health/live").status_code == 200  # Others are not kept waiting.
    assert b" 408 " in body.recv(4_096)
    assert slow.recv(4_096) == b""
    body.close()
    slow.close()


def test_a_client_that_goes_away_leaves_no_defect(server: Server, client: httpx.Client) -> None:
    head = b"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    _connected(server, head + b"Content-Length: 100\r\n\r\n{").close()
    assert client.get("/health/live").status_code == 200
    assert not [line for line in server.log_lines() if line["level"] == "error"]


def test_a_defect_is_logged_under_the_request_id_that_its_answer_tells(
    server: Server, tmp_path: Path
) -> None:
    @get("/broken", opt={"scope": "open"}, sync_to_thread=False)
    def broken() -> None:
        raise ZeroDivisionError

    model = LiveModel.open(shutil.copytree(server.directory, tmp_path / "model"))
    app = create_app(model, extra_routers=[broken])
    with capture_logs() as lines, TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/broken")
    (defect,) = [line for line in lines if line["event"] == "defect"]
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, defect["request_id"])


def test_logs_name_no_user(server: Server, client: httpx.Client) -> None:
    client.get("/v1/users/very-secret-name/interests")
    client.get("/v1/users/very-secret-name")
    lines = server.log_lines()
    assert "very-secret-name" not in server.log_text()
    routes = {line.get("route") for line in lines}
    assert "/v1/users/{user_id}/interests" in routes
    assert {"request_id", "method", "route", "status", "ms", "timestamp", "level", "event"} <= set(lines[-1])


def _connected(server: Server, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=30)
    connection.sendall(sent)
    return connection


def _raw(server: Server, request: bytes) -> int:
    connection = _connected(server, request)
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    body = answer.read()
    connection.close()
    if answer.getheader("content-type") == "application/problem+json":
        assert json.loads(body)["status"] == answer.status
    return answer.status


def raw(server: Server, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    """Send a path as it stands; clients mend what is no URL."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body), JSON)
    response = connection.getresponse()
    found = json.loads(response.read())
    connection.close()
    return response.status, found


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/items/%E9", "expected a path in UTF-8, percent-encoded; 0xe9 is not"),
        ("/v1/items/%C3", "expected a path in UTF-8, percent-encoded; 0xc3 is not"),
        ("/v1/items/a%FF%2Fb", "expected a path in UTF-8, percent-encoded; 0xff is not"),
        ("/v1/items/%zz", "expected %25 for a percent sign in the path"),
        ("/v1/items/100%", "expected %25 for a percent sign in the path"),
    ],
)
def test_ids_that_are_no_text_are_nobody(server: Server, path: str, told: str) -> None:
    """Put together as one replacement character they would all be the same item, or user."""
    good = "/v1/items/%EF%BF%BD%C3%A9%25"
    assert raw(server, "PUT", good, {"embedding": [1.0] * 8})[1]["item_id"] == "\ufffdé%"
    for method, body in (("PUT", {"embedding": [1.0] * 8}), ("DELETE", None), ("GET", None)):
        status, found = raw(server, method, path if method != "GET" else f"{path}/neighbors", body)
        assert (status, found["detail"], found["errors"][0]["field"]) == (400, told, "path")
    assert raw(server, "DELETE", good)[0] == 200


def test_fewer_items_than_usual_are_the_most_there_may_be(serve: Serve) -> None:
    client = serve("--max-k", "5").client
    asked = client.get("/v1/users/u1/recommendations"), client.get("/v1/users/nobody/recommendations")
    for response in asked:
        assert len(response.json()["items"]) == 5
    assert len(client.get("/v1/items/i05/neighbors").json()["neighbors"]) == 5
    for body in ({"user_ids": ["u1"]}, {"user_ids": ["u1"], "k": None}):
        (answer,) = client.post("/v1/recommendations", json=body).json()["answers"]
        assert len(answer["items"]) == 5
    session = client.post("/v1/recommendations", json={"actions": [{"item_id": "i05"}]}).json()
    assert len(session["items"]) == 5
    problem(client.get("/v1/users/u1/recommendations?k=6"), 400, "k")
    problem(client.post("/v1/recommendations", json={"user_ids": ["u1"], "k": 6}), 400, "k")


@pytest.mark.parametrize(
    ("item", "field", "told"),
    [
        ({"availabel": False}, "availabel", "expected the fields available, category, "),
        ({"in stock": True, "title": "t"}, "in stock", "got 'in stock'"),
        ({"item_id": "other"}, "item_id", "expected item_id as in the path, or none, got 'other'"),
        ({"created_at": 1_795_168_800}, "created_at", "got 1,795,168,800: are these seconds?"),
    ],
)
def test_an_item_with_a_field_that_is_wrong_is_not_put(
    client: httpx.Client, item: dict[str, Any], field: str, told: str
) -> None:
    before = client.get("/v1/items/i05/neighbors").json()
    found = problem(client.put("/v1/items/half", json={"embedding": [1.0] * 8} | item), 400)
    assert told in found["detail"]
    if field != "created_at":
        assert found["errors"][0]["field"] == field
    problem(client.get("/v1/items/half/neighbors"), 404)
    assert client.get("/v1/items/i05/neighbors").json() == before


def test_an_item_may_say_its_id_and_a_time_before_1980_in_words(client: httpx.Client) -> None:
    item = {"embedding": [1.0] * 8, "item_id": "old", "title": "Film", "created_at": "1965-03-02T00:00:00Z"}
    for named in ("old", None):
        assert client.put("/v1/items/old", json=item | {"item_id": named}).status_code == 200
    assert client.delete("/v1/items/old").json() == {"item_id": "old", "deleted": True}


def test_codes_tell_what_was_not_found(client: httpx.Client) -> None:
    asked = {
        ("DELETE", "/v1/users/nobody"): "user_not_found",
        ("DELETE", "/v1/user/u1"): "no_such_route",
        ("GET", "/v1/nothing"): "no_such_route",
        ("GET", "/v1/items/none/neighbors"): "item_not_found",
    }
    for (method, path), code in asked.items():
        assert problem(client.request(method, path), 404)["code"] == code
    assert problem(client.get("/v1/users/u1/recommendations?k=0"), 400)["code"] == "bad_request"
    assert problem(client.patch("/v1/actions"), 405)["code"] == "method_not_allowed"


def test_a_mode_the_model_has_not_is_wrong_of_anybody(client: httpx.Client) -> None:
    problem(client.get("/v1/users/nobody/recommendations?mode=ranked"), 400, "mode")
    bodies: list[dict[str, Any]] = [
        {"user_ids": ["nobody"]},
        {"actions": []},
        {"actions": [{"item_id": "?"}]},
    ]
    for body in bodies:
        problem(client.post("/v1/recommendations", json=body | {"mode": "ranked"}), 400, "mode")

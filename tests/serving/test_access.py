"""Who may call what: keys, their scopes, and how often."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient
from tests.serving.conftest import Serve, Server

from pinnersage.model.live import LiveModel
from pinnersage.serving.app import create_app
from pinnersage.serving.keys import SCOPES, KeyRing, add_key, read_keys, remove_key
from pinnersage.serving.settings import ServiceSettings

PATH = "/v1/users/u2/interests"
ACTIONS = {"actions": [{"user_id": "u1", "item_id": "i01", "timestamp": "2026-11-20T10:00:00Z"}]}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def keys(file: Path) -> dict[str, str]:
    """Return a key for each scope, and the file of their hashes."""
    return {scope: add_key(file, scope, [scope], "2026-11-20T10:00:00Z") for scope in SCOPES}


@pytest.fixture(scope="module")
def server(serve: Serve, keys: dict[str, str], file: Path) -> Server:
    assert keys
    return serve("--keys", file, "--host", "0.0.0.0")


def asked(server: Server, key: str | None, method: str, path: str, **more: Any) -> int:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return server.client.request(method, path, headers=headers, **more).status_code


def test_every_scope_opens_its_routes_and_no_others(server: Server, keys: dict[str, str]) -> None:
    routes: list[tuple[str, str, str, dict[str, Any]]] = [
        ("read", "GET", "/v1/users/u1/recommendations", {}),
        ("read", "GET", "/v1/users/u1/interests", {}),
        ("read", "GET", "/v1/items/i00/neighbors", {}),
        ("read", "POST", "/v1/recommendations", {"json": {"user_ids": ["u1"]}}),
        ("read", "GET", "/metrics", {}),
        ("write", "POST", "/v1/actions", {"json": ACTIONS}),
        ("read", "GET", "/v1/items/i00", {}),
        ("write", "PUT", "/v1/items/mine", {"json": {"embedding": [1.0] * 8}}),
        ("write", "DELETE", "/v1/items/mine", {}),
        ("write", "PUT", "/v1/users/u1/interests/i01/preference", {"json": {"preference": "pinned"}}),
        ("write", "DELETE", "/v1/users/u1/interests/i01/preference", {}),
        ("admin", "GET", "/v1/users/u1", {}),
        ("admin", "DELETE", "/v1/users/u1", {}),
    ]
    for needed, method, path, more in routes:
        assert asked(server, None, method, path, **more) == 401, path
        for scope in ("read", "write"):
            if scope != needed:
                assert asked(server, keys[scope], method, path, **more) == 403, (scope, path)
        assert asked(server, keys[needed], method, path, **more) < 300, path
    assert asked(server, keys["admin"], "GET", PATH) == 200


def test_health_and_the_document_are_open(server: Server) -> None:
    for path in ("/health/live", "/health/ready", "/schema", "/schema/openapi.json", "/schema/openapi.yaml"):
        assert asked(server, None, "GET", path) == 200


def test_keys_come_in_three_ways(server: Server, keys: dict[str, str]) -> None:
    get = server.client.get
    assert get(PATH, headers={"X-API-Key": keys["read"]}).status_code == 200
    assert get(PATH, auth=httpx.BasicAuth("", keys["read"])).status_code == 200
    refused = get(PATH, headers={"X-API-Key": keys["read"][:-1] + "?"})
    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert get(PATH, headers={"Accept": "text/html"}).headers["www-authenticate"].startswith("Basic")
    for header in ("Basic !!!", "Basic", "Bearer", "Bearer ps_", "Bearer ps_x_y", "\xff", "Digest x"):
        odd = [(b"authorization", header.encode("latin-1"))]
        assert get(PATH, headers=odd).status_code == 401, header


def test_the_file_holds_hashes_only_and_is_its_owners(keys: dict[str, str], file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0
    for key in keys.values():
        assert key.split("_", 2)[2] not in text
    assert [key.name for key in read_keys(file)] == list(SCOPES)
    assert len(json.loads(text)["keys"][0]["sha256"]) == 64


def test_a_removed_key_is_refused_by_a_service_that_runs(server: Server, file: Path) -> None:
    key = add_key(file, "brief", ["read"], "2026-11-20T10:00:00Z")
    _until(lambda: asked(server, key, "GET", PATH) == 200)
    remove_key(file, "brief")
    _until(lambda: asked(server, key, "GET", PATH) == 401)


def test_logs_name_the_key_and_not_what_it_is(server: Server, keys: dict[str, str]) -> None:
    asked(server, keys["read"], "GET", PATH)
    assert "read" in {line.get("key") for line in server.log_lines()}
    assert keys["read"].split("_", 2)[2] not in server.log_text()


def test_more_than_the_rate_is_429_for_one_and_not_for_others(server: Server, tmp_path: Path) -> None:
    ring = tmp_path / "keys.json"
    hasty, calm = (add_key(ring, name, ["read"], "2026-11-20T10:00:00Z") for name in ("hasty", "calm"))
    model = LiveModel.open(shutil.copytree(server.directory, tmp_path / "model"))
    app = create_app(model, ServiceSettings(rate_per_s=5), keys=KeyRing(ring))
    with TestClient(app) as client:
        hasty_ones = [client.get(PATH, headers={"X-API-Key": hasty}) for _ in range(20)]
        assert [answer.status_code for answer in hasty_ones[:5]] == [200] * 5
        limited = [answer for answer in hasty_ones if answer.status_code == 429]
        assert limited
        assert limited[0].headers["retry-after"] == "1"
        assert client.get(PATH, headers={"X-API-Key": calm}).status_code == 200


def test_requests_without_a_valid_key_are_limited_by_address_and_those_with_one_are_not(
    server: Server, tmp_path: Path
) -> None:
    ring = tmp_path / "keys.json"
    key = add_key(ring, "testclient", ["read"], "2026-11-20T10:00:00Z")  # named like the address
    model = LiveModel.open(shutil.copytree(server.directory, tmp_path / "model"))
    app = create_app(model, ServiceSettings(rate_per_s=5), keys=KeyRing(ring))
    with TestClient(app) as client:
        codes = [client.get(PATH, headers={"X-API-Key": f"ps_x_{n}"}).status_code for n in range(20)]
        assert codes[:5] == [401] * 5
        assert set(codes) == {401, 429}
        assert client.get(PATH, headers={"X-API-Key": key}).status_code == 200
        assert client.get("/health/live").status_code == 200


def _until(holds: object, seconds: float = 10) -> None:
    until_s = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until_s
        time.sleep(0.1)

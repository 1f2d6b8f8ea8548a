"""Requests that ask for much: others are answered meanwhile, and nothing goes on that nobody waits for."""

from __future__ import annotations

import json
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from structlog.testing import capture_logs
from tests.serving.conftest import Serve, build_model

from pinnersage.model.live import LiveModel
from pinnersage.serving.app import create_app
from pinnersage.serving.connections import server_options
from pinnersage.serving.page import Page
from pinnersage.serving.settings import ServiceSettings
from pinnersage.streaming.events import NewAction

PATH = "/v1/recommendations"


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    """Keep log lines: services run in this process, where another test may have closed what logs go to."""
    with capture_logs() as lines:
        yield lines


class Kept(dict[str, Any]):
    """An answer of which can be told whether anybody still has it."""


class HeldBack:
    """A model whose lists come only when they are let go."""

    def __init__(self, directory: Path) -> None:
        self.model = LiveModel.open(directory, swaps_warm=True)
        self.begun: list[Any] = []
        self.most_kept = 0
        self.holds_exports = False
        self.let_go = threading.Event()
        self._answers: list[weakref.ref[Kept]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def recommend(self, user_id: Any, k: int = 100, *, may_wait: bool = True, **options: Any) -> Any:
        if not may_wait:  # Where requests are taken: what is held back here would hold back all.
            return self.model.recommend(user_id, k, may_wait=False, **options)
        self.begun.append(user_id)
        assert self.let_go.wait(60)
        answer = Kept(self.model.recommend(user_id, k, **options))
        self._answers.append(weakref.ref(answer))
        self.most_kept = max(self.most_kept, sum(kept() is not None for kept in self._answers))
        return answer

    def export(self, user_id: Any) -> Any:
        if self.holds_exports:
            self.begun.append(user_id)
            assert self.let_go.wait(60)
        return self.model.export(user_id)

    def recommend_session(self, *asked: Any, **options: Any) -> Any:
        self.begun.append("session")
        assert self.let_go.wait(60)
        return self.model.recommend_session(*asked, **options)


class Served:
    """A service in this process, with a client that asks it."""

    def __init__(self, model: HeldBack, url: str) -> None:
        self.model, self.url = model, url
        self.client = httpx.Client(base_url=url, timeout=60)

    def later(self, body: Any = None, path: str = PATH) -> Callable[[], httpx.Response]:
        """Send a request beside the test, one of lists with a body; what is returned waits for the answer."""
        found: list[httpx.Response] = []
        method = "GET" if body is None else "POST"
        asker = threading.Thread(
            target=lambda: found.append(httpx.request(method, self.url + path, json=body, timeout=60))
        )
        asker.start()

        def answer() -> httpx.Response:
            asker.join()
            return found[0]

        return answer

    def until(self, holds: Callable[[], bool]) -> None:
        until_s = time.monotonic() + 180  # The first start on a machine compiles.
        while not holds():
            assert time.monotonic() < until_s
            time.sleep(0.02)


@contextmanager
def served(directory: Path, **settings: Any) -> Iterator[Served]:
    model = HeldBack(directory)
    app: Any = create_app(model, ServiceSettings(**settings), plugins=[Page(())])
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = uvicorn.Server(uvicorn.Config(app, **server_options(5)))
        runs = threading.Thread(target=server.run, args=([bound],))
        runs.start()
        asked = Served(model, f"http://127.0.0.1:{bound.getsockname()[1]}")
        try:
            asked.until(lambda: server.started)
            yield asked
        finally:
            model.let_go.set()
            asked.client.close()
            server.should_exit = True
            runs.join()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where a model is."""
    return build_model(tmp_path_factory.mktemp("heavy") / "model")


def test_health_metrics_the_watch_and_other_reads_wait_for_no_lists(directory: Path) -> None:
    with served(directory, n_threads=2) as service:
        answers = [service.later({"user_ids": ["u1", "u2"], "k": 5}) for _ in range(3)]
        service.until(lambda: len(service.model.begun) == 2)  # The third waits.
        before = service.client.get("/health/ready").json()["generation"]
        assert "pinnersage_requests_in_flight" in service.client.get("/metrics").text
        assert "Ready." in service.client.get("/system").text
        for path in ("/v1/users/u1", "/v1/users/u1/explanations/i05", "/", "/items/i05"):
            assert service.client.get(path).status_code == 200
        build_model(directory)
        service.until(lambda: service.client.get("/health/ready").json()["generation"] > before)
        service.model.let_go.set()
        assert [answer().status_code for answer in answers] == [200] * 3


def test_after_its_504_a_request_begins_no_further_list(directory: Path) -> None:
    with served(directory, n_threads=1, request_timeout_s=0.5) as service:
        refused = service.client.post(PATH, json={"user_ids": ["u1", "u2", "u3"]})
        assert refused.status_code == 504
        service.model.let_go.set()
        assert service.client.post(PATH, json={"user_ids": ["u9"]}).status_code == 200
        assert service.model.begun == ["u1", "u9"]


def test_after_its_504_a_read_that_waited_for_a_thread_is_not_begun(directory: Path) -> None:
    with served(directory, n_threads=1, request_timeout_s=0.5) as service:
        service.model.holds_exports = True
        for user in ("u1", "u2"):
            refused = service.client.get(f"/v1/users/{user}")
            assert refused.status_code == 504
            assert "send it again" in refused.json()["detail"]
        late = 'pinnersage_requests_total{method="GET",route="/v1/users/{user_id}",status="504"} 2.0'
        assert late in service.client.get("/metrics").text
        service.model.let_go.set()
        assert service.client.get("/v1/users/u9").json()["user_id"] == "u9"
        assert service.model.begun == ["u1", "u9"]


def test_when_its_client_is_gone_a_request_begins_no_further_list(directory: Path) -> None:
    with served(directory, n_threads=1, read_timeout_s=0.5) as service:
        patient = service.later({"user_ids": ["u7", "u8"]})
        service.until(lambda: service.model.begun == ["u7"])
        body = json.dumps({"user_ids": ["u1", "u2", "u3"]}).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2]))) as client:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            service.until(lambda: "requests_in_flight 3.0" in service.client.get("/metrics").text)
        gone = f'pinnersage_requests_total{{method="POST",route="{PATH}",status="499"}} 1.0'
        service.until(lambda: gone in service.client.get("/metrics").text)
        time.sleep(0.6)  # Longer than a body may take: that of the patient one has come.
        service.model.let_go.set()
        assert patient().status_code == 200
        assert service.client.post(PATH, json={"user_ids": ["u9"]}).status_code == 200
        assert service.model.begun == ["u7", "u8", "u9"]


@pytest.mark.parametrize(("n_actions", "k"), [(101, 20), (26, 60)])
def test_a_list_that_takes_long_holds_up_no_other_request(
    directory: Path, monkeypatch: pytest.MonkeyPatch, n_actions: int, k: int
) -> None:
    """Only what is made beside the requests is held back here, and counted as begun."""
    with served(directory) as service:
        live, user = service.model.model, f"busy-{k}"
        n_wide = live.opened().retriever.n_wide(k)
        monkeypatch.setattr("pinnersage.model.listing._LONG", (n_actions - 1) * n_wide)
        newest_ms = live.opened().now_ms
        live.add_actions(
            [NewAction(user, f"i{n % 30:02d}", newest_ms - n * 1_000, "view") for n in range(n_actions)]
        )
        path = "/v1/users/{}/recommendations?k={}&mode={}"
        answer = service.later(path=path.format(user, k, "balanced"))
        service.until(lambda: service.model.begun == [user])
        assert service.client.get(path.format("u1", k, "balanced")).json()["items"]
        assert service.client.get(path.format(user, k, "budgeted")).json()["items"]
        assert service.model.begun == [user]
        service.model.let_go.set()
        assert answer().json()["items"] == live.recommend(user, k, mode="balanced")["items"]


def test_a_request_that_began_stops_when_its_client_goes(directory: Path) -> None:
    with served(directory, n_threads=1) as service:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(service.url + PATH, json={"user_ids": ["u1", "u2", "u3"]}, timeout=0.5)
        service.until(lambda: 'status="499"' in service.client.get("/metrics").text)
        service.model.let_go.set()
        assert service.client.post(PATH, json={"user_ids": ["u9"]}).status_code == 200
        assert service.model.begun == ["u1", "u9"]


def test_of_the_lists_of_many_users_only_one_is_held_that_is_not_written_yet(directory: Path) -> None:
    with served(directory) as service:
        service.model.let_go.set()
        users = [f"u{number}" for number in range(20)]
        answers = service.client.post(PATH, json={"user_ids": users, "k": 3}).json()["answers"]
        assert answers == [
            service.client.get(f"/v1/users/{user}/recommendations?k=3").json() for user in users
        ]
        assert service.model.most_kept == 1


def test_readiness_says_of_the_disk_only_what_it_knows(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinnersage.serving.operations.READY_TIMEOUT_S", 0.3)
    with served(directory) as service:
        held = threading.Event()
        monkeypatch.setattr(service.model.model, "check_ready", lambda: held.wait(60))
        refused = service.client.get("/health/ready")
        held.set()
        assert refused.status_code == 503
        assert "has not ended within 0.3 s" in refused.json()["detail"]
        assert "does not answer" not in refused.json()["detail"]


def test_the_items_of_all_lists_of_a_request_are_bounded(serve: Serve) -> None:
    client, bound = serve().client, ServiceSettings().max_items
    for n_users, k in ((500, bound // 500), (100, 100), (bound // 1_000, 1_000)):
        assert client.post(PATH, json={"user_ids": ["u1"] * n_users, "k": k}).status_code == 200
    refused = client.post(PATH, json={"user_ids": ["u1"] * 500, "k": bound // 500 + 1})
    assert refused.status_code == 400
    found = refused.json()
    assert [error["field"] for error in found["errors"]] == ["user_ids", "k"]
    assert f"at most {bound:,} items, got 500 times {bound // 500 + 1}" in found["detail"]


def test_muting_on_the_page_is_a_write_and_waits_for_no_reads(directory: Path) -> None:
    with served(directory, n_threads=1) as service:
        medoid = service.client.get("/v1/users/u1/interests").json()["interests"][0]["medoid_item_id"]
        answer = service.later({"actions": [{"item_id": "i05"}]})
        service.until(lambda: service.model.begun == ["session"])
        form = {"medoid_item_id": medoid, "preference": "muted"}
        assert service.client.post("/users/u1/preference", data=form, timeout=10).status_code == 303
        service.model.let_go.set()
        assert answer().status_code == 200

"""The page over HTTP: what it sends, what it refuses, and how keys open it."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from litestar.testing import TestClient
from tests.serving.conftest import action_table, item_table
from tests.serving.page.world import HOSTILE_TITLE, NOW_MS, ODD_USER, build_world

from pinnersage import PinnerSage
from pinnersage.errors import UsageError
from pinnersage.model.live import LiveModel
from pinnersage.retrieval.words import FEATURE_WORDS
from pinnersage.serving.app import create_app
from pinnersage.serving.keys import KeyRing, add_key
from pinnersage.serving.page import Page
from pinnersage.serving.page.links import user_link
from pinnersage.serving.settings import ServiceSettings

HTML = {"accept": "text/html"}
Client = TestClient[Any]


def client_of(directory: Path, page: Page | None = None, keys: Path | None = None) -> Client:
    ring = None if keys is None else KeyRing(keys)
    settings = ServiceSettings(access_log=False)
    app = create_app(LiveModel.open(directory), settings, keys=ring, plugins=[page or Page()])
    return TestClient(app)


@pytest.fixture(scope="module")
def directory(model_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("pages") / "model"
    return Path(shutil.copytree(model_directory, copy))


@pytest.fixture(scope="module")
def client(directory: Path) -> Iterator[Client]:
    with client_of(directory) as opened:
        yield opened


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return str(answer.text)


def post(client: Client, path: str, **fields: object) -> Any:
    return client.post(path, data=fields, headers=HTML, follow_redirects=False)


def acted(client: Client, user: str) -> list[tuple[str, str]]:
    found = client.get(f"/v1/users/{user}").json()["actions"]
    return [(action["item_id"], action["timestamp"]) for action in found]


def test_pages_keep_to_themselves(client: Client) -> None:
    answer = client.get("/users/ada", headers=HTML)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; img-src 'self' data:;")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?! src=)|\sstyle=|\son\w+=", answer.text)
    loaded = re.findall(r'<(?:img|script|link|image)[^>]*?\s(?:src|href)="([^"]*)"', answer.text)
    assert loaded
    assert all(address.startswith(("/assets/", "data:image/")) for address in loaded)


def test_pictures_of_other_origins_are_loaded_only_where_that_is_allowed(directory: Path) -> None:
    with client_of(directory, Page(["https://elsewhere.example/"])) as client:
        answer = client.get("/users/ada", headers=HTML)
    assert "img-src 'self' data: https://elsewhere.example;" in answer.headers["content-security-policy"]
    assert 'src="https://elsewhere.example/a.png"' in answer.text
    for bad in (
        "elsewhere.example",
        "https://",
        "https://a.example; script-src *",
        "ftp://a.example",
        "*",
        "https://*",
    ):
        with pytest.raises(UsageError, match="expected an origin"):
            Page([bad])


def test_assets_are_kept_until_they_change(client: Client) -> None:
    style = re.search(r'href="(/assets/page\.css\?v=\w+)"', text(client, "/"))
    assert style is not None
    answer = client.get(style[1])
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/assets/page.css?v=other").headers["cache-control"] == "no-cache"
    assert client.get("/assets/page.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/assets/plugin.py").status_code == 404


def test_what_users_and_items_are_called_is_text_and_nothing_else(client: Client) -> None:
    shown = text(client, "/items/chairs-49")
    assert HOSTILE_TITLE not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; bench" in shown
    shown = text(client, user_link(ODD_USER))
    assert "<i>&" not in shown
    assert '<a href="/users/%3Cb%3E">' in text(client, "/users?q=%3Cb%3E")


def test_search_finds_by_prefix_and_goes_to_the_user_whose_id_it_is(client: Client) -> None:
    answer = client.get("/suggestions", params={"q": "ch"})
    assert answer.json() == [{"user_id": "chen", "link": "/users/chen"}]
    assert client.get("/suggestions", params={"q": "zo"}).json()[0]["link"] == user_link(ODD_USER)
    exact = client.get("/users", params={"q": " chen "}, headers=HTML, follow_redirects=False)
    assert (exact.status_code, exact.headers["location"]) == (303, "/users/chen")
    assert "id begins with “nobody”" in text(client, "/users?q=nobody")


def test_an_action_happens_in_the_time_of_the_log_and_is_taken_back(client: Client) -> None:
    before = acted(client, "bela")
    answer = post(client, "/users/bela/actions", item_id="bread-01", mode="balanced")
    at_ms = NOW_MS + 1
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/users/bela?mode=balanced&done=acted&item=bread-01&at_ms={at_ms}"
    assert "Counted: <strong>Seeded rye loaf</strong>" in text(client, answer.headers["location"])
    assert acted(client, "bela") == [*before, ("bread-01", "2025-03-14T18:10:00.001Z")]
    back = post(client, "/users/bela/actions", item_id="bread-01", back_ms=at_ms)
    assert "Taken back" in text(client, back.headers["location"])
    assert acted(client, "bela") == before


def test_a_notice_that_the_data_do_not_bear_out_is_not_shown(client: Client) -> None:
    assert "Counted" not in text(client, f"/users/ada?done=acted&item=bread-02&at_ms={NOW_MS}")
    assert "Counted" not in text(client, "/users/ada?done=acted&item=bread-02&at_ms=x")


def test_an_unknown_item_is_refused_in_words(client: Client) -> None:
    answer = post(client, "/users/bela/actions", item_id="no-such-item")
    assert "Not counted: <strong>no-such-item</strong>" in text(client, answer.headers["location"])


def test_an_action_in_a_log_whose_seconds_were_taken_for_milliseconds_is_refused_in_words(
    tmp_path: Path,
) -> None:
    times = pa.array([1_741_975_800, 1_741_975_900], pa.timestamp("ms", "UTC"))
    actions = action_table().slice(0, 2).set_column(2, "timestamp", times)
    PinnerSage.build(item_table(), actions, path=tmp_path / "model").close()
    with client_of(tmp_path / "model") as client:
        answer = post(client, "/users/u0/actions", item_id="i20")
        assert "were those seconds" in text(client, answer.headers["location"])


def test_an_interest_is_muted_and_pinned(client: Client) -> None:
    medoid = client.get("/v1/users/ivo/interests").json()["interests"][0]["medoid_item_id"]
    for preference in ("muted", "pinned", ""):
        answer = post(client, "/users/ivo/preference", medoid_item_id=medoid, preference=preference)
        assert answer.status_code == 303
        held = client.get("/v1/users/ivo/interests").json()["interests"][0]["preference"]
        assert held == (preference or None)
        told = {"muted": "Muted", "pinned": "Pinned", "": "As usual again"}[preference]
        assert told in text(client, answer.headers["location"])


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/users/ada/actions", {}, 400),
        ("/users/ada/actions", {"item_id": "bread-01", "back_ms": "soon"}, 400),
        ("/users/ada/preference", {"medoid_item_id": "bread-01", "preference": "loved"}, 400),
        ("/users/ada/preference", {"medoid_item_id": "no-such-item", "preference": "muted"}, 404),
        ("/users/nobody-yet/preference", {"medoid_item_id": "bread-01", "preference": "muted"}, 404),
        ("/users/" + "x" * 2_000 + "/actions", {"item_id": "bread-01"}, 400),
    ],
)
def test_what_cannot_be_done_is_said_on_a_page(
    client: Client, path: str, fields: dict[str, str], status: int
) -> None:
    answer = post(client, path, **fields)
    assert answer.status_code == status
    assert "data-problem=" in answer.text


def test_fields_that_are_no_form_and_posts_of_other_sites_are_refused(client: Client) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/users/ada/actions", content=b"item_id=%ff", headers=headers).status_code == 400
    crossed = headers | {"sec-fetch-site": "cross-site"}
    answer = client.post("/users/ada/actions", content=b"item_id=bread-01", headers=crossed)
    assert answer.status_code == 403
    for host, origin, status in (
        ("127.0.0.1:8765", "http://evil.example", 403), ("127.0.0.1:8765", "http://127.0.0.1:3000", 403),
        ("127.0.0.1:8765", "null", 403), ("127.0.0.1:8765", "http://127.0.0.1:8765", 303),
        ("shop.example", "https://shop.example", 303), ("shop.example", "https://shop.example:8443", 303),
        ("shop.example", "https://evil.shop.example", 403),
    ):  # fmt: skip
        sent = headers | {"host": host, "origin": origin}
        answer = client.post(
            "/users/ada/actions", content=b"item_id=bread-01", headers=sent, follow_redirects=False
        )
        assert answer.status_code == status, (host, origin)


def test_browsers_get_pages_of_errors_and_programs_get_problems(client: Client) -> None:
    assert "Not found" in text(client, "/no/such/page", 404)
    assert "no-such-item" in text(client, "/items/no-such-item", 404)
    assert client.get("/items/no-such-item").headers["content-type"] == "application/problem+json"
    answer = client.get("/v1/items/no-such-item/neighbors", headers=HTML)
    assert answer.headers["content-type"] == "application/problem+json"
    many = "&".join(f"item=bread-{n:02d}" for n in range(51))
    assert "at most 50 items" in text(client, f"/session?{many}", 400)


def test_a_session_groups_by_what_was_picked_and_keeps_nothing(client: Client) -> None:
    shown = text(client, "/session?item=bread-07&item=films-02&item=no-such-item")
    assert "2 interests from 2 items" in shown
    assert "1 item left out" in shown
    assert "Because of" in shown
    assert 'href="/session?item=films-02"' in shown
    assert "Nothing picked yet" in text(client, "/session")


def test_an_item_says_why_it_is_for_a_user(client: Client) -> None:
    first = client.get("/v1/users/ada/recommendations").json()["items"][0]["item_id"]
    shown = text(client, f"/items/{first}?user=ada")
    assert "It is <strong>number 1</strong> of 100 recommended, because of" in shown
    assert "Actions that count most for it" in shown
    assert "second stage" not in shown
    seen = acted(client, "ada")[0][0]
    assert "the user has acted on it already" in text(client, f"/items/{seen}?user=ada")
    assert "Actions that speak" not in text(client, f"/items/{first}?user=nobody-yet")


def test_an_item_says_when_the_interest_that_speaks_for_it_is_muted(directory: Path, tmp_path: Path) -> None:
    with client_of(Path(shutil.copytree(directory, tmp_path / "model"))) as client:
        first = client.get("/v1/users/ada/recommendations", params={"k": 1}).json()["items"][0]["item_id"]
        for interest in client.get("/v1/users/ada/interests").json()["interests"]:
            path = f"/v1/users/ada/interests/{interest['medoid_item_id']}/preference"
            assert client.put(path, json={"preference": "muted"}).status_code == 200
        shown = text(client, f"/items/{first}?user=ada")
        assert "It would not be recommended: its interest is muted." in shown
        assert "How near to each interest" in shown
        assert "Nothing of this user is in the window" not in shown


def test_an_item_says_what_a_second_stage_adds_up(tmp_path: Path) -> None:
    trees = {"fit_ranker": True, "horizon_days": 7, "n_trees": 10, "min_leaf_rows": 5}
    with client_of(build_world(tmp_path / "model", **trees)) as ranked:
        first = ranked.get("/v1/users/ada/recommendations?k=1").json()["items"][0]["item_id"]
        told = ranked.get(f"/v1/users/ada/explanations/{first}").json()["ranking"]
        shown = text(ranked, f"/items/{first}?user=ada")
        assert "What the second stage adds up" in shown
        assert f"log-odds, number 1 of {told['n_candidates']} candidates" in shown
        rows = re.findall(r"<span>([^<]*)</span> <b>([+\u2212][0-9.]+)</b>", shown)
        numbers = [float(number.replace("\N{MINUS SIGN}", "-")) for _, number in rows]
        assert numbers[-1] == pytest.approx(told["score"], abs=0.006)
        assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.006 * len(numbers))
        largest = next(iter(told["contributions"]))
        assert rows[0][0] == html.escape(FEATURE_WORDS[largest]).replace("&#x27;", "&#39;")


@pytest.mark.parametrize("mode", ["sampled", "budgeted", "balanced", "ranked", "no-such-mode"])
def test_every_way_to_recommend_is_shown(client: Client, mode: str) -> None:
    shown = text(client, f"/users/ada?mode={mode}")
    chosen = mode if mode in ("sampled", "budgeted", "balanced") else "budgeted"
    assert f'aria-current="true">{chosen}</a>' in shown
    assert "ranked</a>" not in shown


def test_the_system_page_counts_what_happened(client: Client) -> None:
    post(client, "/users/bela/actions", item_id="bread-05")
    shown = text(client, "/system")
    assert "<strong>Ready.</strong>" in shown
    for told in ("Latency", "Freshness", "<dd>300", "accepted: ", "exact", "00000001"):
        assert told in shown
    assert re.search(r'<svg class="histogram".*?<rect', shown, re.S)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    made = {scope: add_key(path, scope, [scope], "2025-03-14T00:00:00Z") for scope in ("read", "write")}
    made["both"] = add_key(path, "both", ["read", "write"], "2025-03-14T00:00:00Z")
    return path, made


@pytest.fixture
def locked(directory: Path, keys: tuple[Path, dict[str, str]]) -> Iterator[Client]:
    with client_of(directory, keys=keys[0]) as opened:
        yield opened


def test_without_a_key_a_form_asks_for_it_and_a_cookie_keeps_it(
    locked: Client, keys: tuple[Path, dict[str, str]]
) -> None:
    asked = locked.get("/users/zo%C3%AB%2F7?mode=balanced", headers=HTML)
    assert asked.status_code == 401
    assert "www-authenticate" not in asked.headers
    assert 'name="next" value="/users/zo%C3%AB%2F7?mode=balanced"' in asked.text
    assert "data-swap" not in asked.text
    answer = post(locked, "/login", key=keys[1]["both"], next="/users/ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/users/ada")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "Forget key" in text(locked, "/users/ada")
    assert post(locked, "/users/ada/actions", item_id="bread-09").status_code == 303
    assert locked.get("/v1/users/ada/interests").status_code == 401
    post(locked, "/logout")
    assert locked.get("/users/ada", headers=HTML).status_code == 401


def test_a_key_opens_what_its_scopes_allow_and_no_more(
    locked: Client, keys: tuple[Path, dict[str, str]]
) -> None:
    post(locked, "/login", key=keys[1]["read"])
    assert "From one averaged vector" in text(locked, "/users/ada")
    refused = post(locked, "/users/ada/actions", item_id="bread-10")
    assert refused.status_code == 403
    assert 'data-problem="Not with this key' in refused.text
    post(locked, "/login", key="ps_00000000_wrong")
    assert "The key that was given is not valid" in text(locked, "/users/ada", 401)
    answer = post(locked, "/login", key="not a key; Path=/", next="//evil.example")
    assert answer.headers["location"] == "/"
    assert "not a key" not in answer.headers["set-cookie"]


@pytest.mark.parametrize("created", [1_768_521_600_000, "in spring", -1, 10**18, None])
def test_an_item_is_shown_whatever_its_attributes_are_called(
    model_directory: Path, tmp_path: Path, created: object
) -> None:
    home = Path(shutil.copytree(model_directory, tmp_path / "model"))
    with LiveModel.open(home) as live:
        width = live.status()["n_dimensions"]
        attributes = {"created_at_ms": created, "available": True}
        live.put_item("odd", [1.0] * width, attributes)
    with client_of(home) as client:
        shown = text(client, "/items/odd")
    assert ("2026-01-16T00:00:00Z" in shown) == (created == 1_768_521_600_000)

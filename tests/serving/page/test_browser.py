"""The page in a real browser, served by a real process."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pytest
from tests.serving.page.world import (
    HOSTILE_TITLE,
    ODD_USER,
    PageServer,
    build_world,
    item_table,
    picture,
)

from pinnersage.serving.page.histograms import Histogram
from pinnersage.serving.page.rendering import environment
from pinnersage.serving.page.system_view import SystemView
from pinnersage.serving.page.tiles import initials

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
expect = sync_api.expect

CHROMIUM = shutil.which("chromium")
PICTURES = "https://pictures.example"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SMALL_PHONE = {"width": 360, "height": 780}
PAGES = ("/", "/users/ada", "/users/nobody-yet", "/items/films-42?user=ada", "/system", "/users?q=a",
         "/session?item=bread-07&item=films-02")  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")

SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
FORGET_SHIFTS = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  window.shifted = 0; done();
})))"""
# The least contrast of any text with what it stands on; large text may have 3 where other text has 4.5.
LEAST_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (color) => known.get(color) ?? known.set(color, read(color)).get(color);
  const read = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  let least = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest(".hidden, .skip, title, script")) continue;
    const style = getComputedStyle(element);
    const color = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(rgba(color)), light(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05) * (isLarge ? 1.5 : 1);
    if (ratio < least[0]) least = [ratio, text];
  }
  return least;
}"""


# Dots with no other within 24 px, and those of them that a touch 11 px beside their middle would miss.
MISSED_DOTS = """() => {
  const result = { n: 0, missed: [] };
  for (const lane of document.querySelectorAll(".dots")) {
    const middles = [...lane.querySelectorAll(".dot")].map((dot) => {
      const box = dot.getBoundingClientRect();
      return { link: dot.closest("a"), x: box.x + box.width / 2, y: box.y + box.height / 2 };
    });
    for (const dot of middles) {
      if (middles.some((other) => other !== dot && Math.abs(other.x - dot.x) < 24)) continue;
      result.n += 1;
      dot.link.scrollIntoView({ block: "center" });
      const box = dot.link.querySelector(".dot").getBoundingClientRect();
      const y = box.y + box.height / 2;
      for (const [dx, dy] of [[0, 0], [11, 0], [-11, 0], [0, 10], [0, -10]]) {
        const x = Math.min(Math.max(dot.x + dx, 1), innerWidth - 1);
        const hit = document.elementFromPoint(x, y + dy)?.closest("a");
        if (hit !== dot.link) result.missed.push([dot.x, dx, dy]);
      }
    }
  }
  return result;
}"""


# What can be touched, and what of it a touch 11.5 px above or below its middle would miss; without dots.
MISSED_TARGETS = """() => {
  const all = [...document.querySelectorAll("a[href], button, summary, label, input:not([type=hidden])")]
    .filter((one) => one.checkVisibility() && !one.closest(".hidden, .skip, .dots, label.act > input"));
  const missed = all.filter((one) => {
    one.scrollIntoView({ block: "center" });
    const box = one.getClientRects()[0];
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    return [-11.5, 11.5].some((dy) => !one.contains(document.elementFromPoint(x, y + dy)));
  });
  return { n: all.length, missed: missed.map((one) => one.outerHTML.slice(0, 80)) };
}"""


# Labels of the first histogram that are shown, and those that run into the one before or out of their panel.
LABELS = """() => {
  const panel = document.querySelector(".histogram").closest(".panel").getBoundingClientRect();
  const boxes = [...document.querySelector(".histogram").querySelectorAll("text")]
    .filter((label) => label.checkVisibility()).map((label) => label.getBoundingClientRect());
  const gaps = boxes.slice(1).map((box, place) => box.left - boxes[place].right);
  return { n: boxes.length, gap: Math.min(...gaps),
           inside: boxes.every((box) => box.left > panel.left && box.right < panel.right) };
}"""


@pytest.fixture(scope="module")
def server(model_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve a copy of the world, which the tests may change."""
    copy = tmp_path_factory.mktemp("served") / "model"
    shutil.copytree(model_directory, copy)
    running = PageServer(copy)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Run one browser for the module."""
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def pictured_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the world with all its pictures at another origin, which is allowed."""
    items = item_table()
    addresses = pa.array([f"{PICTURES}/{item_id}.svg" for item_id in items["item_id"].to_pylist()])
    items = items.set_column(items.schema.get_field_index("image_url"), "image_url", addresses)
    directory = build_world(tmp_path_factory.mktemp("pictured") / "model", items)
    running = PageServer(directory, "--picture-origin", PICTURES)
    yield running
    running.stop()


@pytest.fixture
def open_page(browser: Any, server: PageServer) -> Iterator[Open]:
    """Return a function that opens a path; what the pages asked and complained of is judged at the end."""
    asked: list[str] = []
    complaints: list[str] = []
    contexts = []

    def opened(path: str, **options: Any) -> Any:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        if options.get("java_script_enabled", True):
            page.add_init_script(SHIFTS)
        page.on("request", lambda request: asked.append(request.url))
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((f"{server.url}/", "data:"))] == []
    assert complaints == []


def own_items(page: Any) -> list[str]:
    found: list[str] = page.locator(".own [data-item]").evaluate_all("all => all.map(i => i.dataset.item)")
    return found


# Initials in the place of pictures, pictures that are seen, and those that are seen to be broken.
SHOWN = """() => {
  const named = (list) => [...list].map((one) => one.src || one.href.baseVal);
  const pictures = [...document.querySelectorAll(".picture img, .dots image")]
    .filter((one) => one.checkVisibility());
  const broken = pictures.filter((one) => one.complete && !one.naturalWidth);
  return { n_initials: document.querySelectorAll(".picture > .initials, .dots .initials").length,
           dots: named(document.querySelectorAll(".dots image")),
           pictures: named(pictures), broken: named(broken) };
}"""


def _topic(address: str) -> str:
    return address.removeprefix(f"{PICTURES}/").partition("-")[0]


@pytest.mark.parametrize("is_script_late", [False, True])
def test_initials_stand_where_a_picture_cannot_be_loaded(
    browser: Any, pictured_server: PageServer, is_script_late: bool
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 8_000})
    page.add_init_script(SHIFTS)
    asked: list[str] = []
    waiting: list[Any] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        topic = _topic(route.request.url)
        if topic != "films":
            route.fulfill(status=404, body="")
        else:
            drawing = unquote(picture(topic, 1).partition(",")[2])
            route.fulfill(body=drawing, content_type="image/svg+xml")

    page.route(f"{PICTURES}/**", answer)
    if is_script_late:
        page.route("**/page.js*", lambda route: waiting.append(route))
    page.goto(pictured_server.url + "/users/ada", wait_until="commit" if is_script_late else "load")
    page.wait_for_function("() => document.querySelectorAll('.dots .dot').length > 30")
    if is_script_late:
        page.wait_for_function(
            """() => document.readyState !== "loading" && document.images.length > 40
                && [...document.images].every((one) => one.complete || !one.checkVisibility())"""
        )
        assert page.evaluate(SHOWN)["n_initials"] == 0
        page.evaluate(FORGET_SHIFTS)
        waiting[0].continue_()
    page.wait_for_function("() => document.querySelectorAll('.dots .initials').length > 3")
    page.wait_for_load_state("networkidle")
    for _ in range(2):
        shown = page.evaluate(SHOWN)
        assert shown["broken"] == []
        assert shown["n_initials"] > 40
        assert {_topic(address) for address in shown["pictures"]} == {"films"}
        assert {_topic(address) for address in shown["dots"]} == {"films"}
        # A row of tiles that is painted before all of it has come may still shift; pictures may not.
        assert page.evaluate("window.shifted") <= (0 if is_script_late else 0.1)
        failed, asked[:] = {address for address in asked if _topic(address) != "films"}, []
        page.locator(".own .act").first.click()
        expect(page.get_by_role("status")).to_contain_text("Counted")
        page.wait_for_load_state("networkidle")
        assert not failed & set(asked)
    shown_in = page.locator(".thumbs a:has(.initials)").first
    assert shown_in.locator(".initials").inner_text() == initials(shown_in.get_attribute("title"))
    page.close()


@pytest.mark.parametrize("n_bars", [2, 6, 9, 10, 13, 16])
def test_labels_of_histograms_stand_apart_on_every_screen(
    browser: Any, server: PageServer, n_bars: int
) -> None:
    bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
    bounds = [*bounds, math.inf][-n_bars:] if n_bars > 9 else bounds[-n_bars:]
    filled = Histogram(bounds, range(1, n_bars + 1))
    view = SystemView(None, [], [], [], filled, filled, [], [])
    values: dict[str, Any] = {"view": view, "has_key": False, "now_ms": 0}
    html = environment().get_template("system.html.jinja").render(**values)
    page = browser.new_page()
    page.route("**/system", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(server.url + "/system")
    for width in (1280, 1000, 800, 650, 390, 360):
        page.set_viewport_size({"width": width, "height": 900})
        found = page.evaluate(LABELS)
        assert found["inside"], (width, found)
        assert found["gap"] >= 3, (width, found)
        assert found["n"] >= min(n_bars, 4) / 2, (width, found)
    page.close()


def test_a_user_is_found_by_typing_and_with_the_keyboard_alone(open_page: Open) -> None:
    page = open_page("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    box = page.get_by_role("combobox")
    expect(box).to_be_focused()
    page.keyboard.type("e")
    expect(page.get_by_role("option")).to_have_text(["emil"])
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("emil")


def test_both_lists_stand_side_by_side_and_say_what_they_cover(open_page: Open) -> None:
    page = open_page("/users/ada")
    n_interests = page.locator(".lane:not(.axis)").count()
    assert n_interests >= 4
    assert len(own_items(page)) == page.locator(".mean .row").count() == 20
    expect(page.locator(".own .verdict strong")).to_have_text(f"{n_interests} of {n_interests}")
    covered = int(page.locator(".mean .verdict strong").inner_text().split()[0])
    assert covered < n_interests
    assert page.locator(".mean .missing .chip").count() == n_interests - covered
    own, mean = page.locator(".own").bounding_box(), page.locator(".mean").bounding_box()
    assert own["y"] == mean["y"]
    assert own["x"] + own["width"] < mean["x"]
    assert page.locator(".own .strip").bounding_box()["y"] < 900
    assert page.locator(".dots a").count() == page.locator(".dots .dot").count() >= 30


def test_acting_on_an_item_changes_interests_and_list_without_a_reload_and_can_be_taken_back(
    open_page: Open,
) -> None:
    page = open_page("/users/emil")
    page.evaluate("window.stayed = true")
    before, summary = own_items(page), page.locator("#summary").inner_text()
    acted = before[0]
    page.locator(f".own [data-item='{acted}'] .act").click()
    expect(page.get_by_role("status")).to_contain_text("Counted")
    expect(page.locator("[data-changes]")).to_contain_text("of 20 items")
    assert acted not in own_items(page)
    assert page.locator("#summary").inner_text() != summary
    assert page.locator(".is-new").count() >= 1
    assert page.evaluate("document.activeElement.dataset.key").startswith("act:own:")
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("Taken back")
    assert own_items(page) == before
    assert page.locator("#summary").inner_text().partition(",")[0] == summary.partition(",")[0]
    assert page.evaluate("window.stayed")


def test_a_muted_interest_proposes_nothing_until_it_may_again(open_page: Open) -> None:
    page = open_page("/users/gus")
    first = page.locator("#interest-0")
    medoid = first.locator("h3 a").inner_text()
    assert page.locator(".own .group h3 a", has_text=medoid).count() == 1
    first.get_by_role("button", name="Mute").click()
    expect(first.get_by_role("button", name="Muted")).to_have_attribute("aria-pressed", "true")
    expect(first.get_by_role("button", name="Muted")).to_be_focused()
    assert page.locator(".own .group h3 a", has_text=medoid).count() == 0
    assert page.locator(".own .cell.c0").count() == 0
    n_others = page.locator(".lane:not(.axis)").count() - 1
    expect(page.locator(".own .verdict strong")).to_have_text(f"{n_others} of {n_others}")
    page.keyboard.press("Enter")
    expect(page.locator(".own .group h3 a", has_text=medoid)).to_have_count(1)


def test_the_tab_key_reaches_an_item_and_enter_acts_on_it(open_page: Open) -> None:
    page = open_page("/users/hana")
    before = own_items(page)
    for _ in range(40):
        page.keyboard.press("Tab")
        key = page.evaluate("document.activeElement.dataset.key || ''")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
        if key.startswith("act:own:"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Counted")
    assert before[0] not in own_items(page)


def test_the_actions_of_an_interest_are_a_group_of_links_that_say_what_and_when(open_page: Open) -> None:
    for with_script in (True, False):
        page = open_page("/users/ada", java_script_enabled=with_script)
        interest = page.locator(".lane-name .lane-title").first.inner_text()
        told = page.locator("#interest-0 .note").first.inner_text()
        lane = page.get_by_role("group", name=f"Interest A, {interest}: ")
        links = lane.get_by_role("link", name=re.compile(r"^.+ · \d+ \w+ 20\d\d, \d\d:\d\d"))
        assert f"{links.count()} actions" in told
        assert links.count() == lane.locator("a").count() > 5


def test_arrow_keys_go_along_a_lane_in_which_tab_stops_once(open_page: Open) -> None:
    page = open_page("/users/ada")
    lanes = page.locator(".lane:not(.axis)")
    page.locator(".lane-name").first.focus()
    page.keyboard.press("Tab")
    dots = lanes.nth(0).locator(".dots a")
    expect(dots.last).to_be_focused()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    focused = dots.nth(dots.count() - 3)
    expect(focused).to_be_focused()
    expect(page.locator(".told")).to_have_text(focused.locator("title").text_content())
    page.keyboard.press("Home")
    expect(dots.first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(dots.first).to_be_focused()
    page.keyboard.press("Tab")
    expect(lanes.nth(1).locator(".lane-name")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(dots.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="For ada")).to_be_visible()


def test_without_a_script_tab_stops_at_every_dot(open_page: Open) -> None:
    page = open_page("/users/ada", java_script_enabled=False)
    page.locator(".lane-name").first.focus()
    dots = page.locator(".dots").first.locator("a")
    for place in range(3):
        page.keyboard.press("Tab")
        expect(dots.nth(place)).to_be_focused()


def test_a_finger_need_not_hit_a_dot_exactly(open_page: Open) -> None:
    page = open_page("/users/ada", viewport=PHONE)
    missed = page.evaluate(MISSED_DOTS)
    assert missed["n"] > 10
    assert missed["missed"] == []


def test_whatever_is_touched_on_a_phone_is_24_px_high(open_page: Open) -> None:
    page = open_page("/", viewport=SMALL_PHONE, has_touch=True, is_mobile=True)
    origin, n = page.url.rstrip("/"), 0
    for path in PAGES:
        page.goto(origin + path)
        found = page.evaluate(MISSED_TARGETS)
        assert found["missed"] == [], path
        n += found["n"]
    assert n > 100


def test_pages_do_not_shift_and_read_well_wherever_they_are_seen_in_light_and_dark(open_page: Open) -> None:
    schemes = [("light", DESKTOP, PAGES[:4]), ("dark", PHONE, PAGES), ("dark", DESKTOP, PAGES),
               ("light", PHONE, PAGES)]  # fmt: skip
    for scheme, viewport, paths in schemes:
        page = open_page("/", color_scheme=scheme, viewport=viewport)
        origin = page.url.rstrip("/")
        for path in paths:
            page.goto(origin + path)
            page.wait_for_timeout(50)
            assert page.evaluate("window.shifted") < 0.1, path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            ratio, text = page.evaluate(LEAST_CONTRAST)
            assert ratio >= 4.5, (path, scheme, text)
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            is_dark = sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(", "))) < 150
            assert is_dark == (scheme == "dark")


def test_everything_works_without_a_script(open_page: Open) -> None:
    page = open_page("/", java_script_enabled=False)
    page.get_by_label("Find a user").fill("hana")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("hana")
    before = own_items(page)
    page.locator(f".own [data-item='{before[-1]}'] button").click()
    expect(page.get_by_role("status")).to_contain_text("Counted")
    assert before[-1] not in own_items(page)
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("Taken back")
    assert own_items(page) == before
    page.get_by_role("link", name="pinnersage").click()
    for box in page.get_by_role("checkbox").all()[:2]:
        box.check()
    page.get_by_role("button", name="Recommend from these").click()
    expect(page.locator(".picked li")).to_have_count(2)
    page.locator(".group .tile a").first.click()
    expect(page.locator(".picked li")).to_have_count(3)


def test_any_id_and_title_is_shown_as_it_is(open_page: Open) -> None:
    page = open_page(f"/users?q={quote(ODD_USER)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(ODD_USER)
    page.locator(".own .act").first.click()
    expect(page.get_by_role("status")).to_contain_text("Counted")
    page.locator(".own .why").first.click()
    expect(page.get_by_role("link", name=ODD_USER)).to_be_visible()
    page = open_page("/items/chairs-49")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE_TITLE)


def test_somebody_new_has_an_interest_after_one_click(open_page: Open) -> None:
    page = open_page("/users/somebody-new")
    expect(page.get_by_role("heading", name="Popular items")).to_be_visible()
    page.locator(".act").first.click()
    expect(page.locator("#summary")).to_contain_text("1 interest from 1 action")
    assert len(own_items(page)) == 20


def test_the_system_page_looks_again_by_itself_until_told_not_to(open_page: Open) -> None:
    page = open_page("/system")
    expect(page.locator(".state")).to_contain_text("Ready")
    with page.expect_response("**/system", timeout=10_000):
        pass
    watch = page.get_by_role("button", name="Refresh every 5 s")
    watch.click()
    expect(watch).to_have_attribute("aria-pressed", "false")
    assert page.locator(".histogram rect").count() >= 1

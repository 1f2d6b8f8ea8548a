"""The report on a phone and in the dark, in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.evaluation.page.values import forty, with_blanks

from pinnersage.evaluation.page.writing import page_of

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")

WIDTH = 390
HEAD_STAYS = """() => {
  const box = document.querySelector("#results .scroll.long");
  box.scrollTop = 400;
  const head = box.querySelector("thead th:last-child").getBoundingClientRect().top;
  return [box.scrollTop, Math.abs(head - box.getBoundingClientRect().top) < 3];
}"""


def test_a_phone_shows_the_page_in_its_width_and_heads_of_long_tables_stay(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page_of(with_blanks(forty())), encoding="utf-8")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 844}, color_scheme="dark")
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == WIDTH
        assert page.evaluate(HEAD_STAYS) == [400, True]
        browser.close()

"""Make the pictures of the page that the README and docs/page.md show, from the made world of the tests.

    python scripts/page_screenshots.py            # needs chromium, playwright and pillow

The world is ``tests/serving/page/world.py``: 300 items of six topics, twelve users. The same world gives the
same pages; how letters are drawn depends on the fonts of the machine.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.serving.page.world import PageServer, build_world  # noqa: E402

OUT = ROOT / "docs" / "img"
MAX_BYTES = 300_000
NO_SCROLLBAR = "::-webkit-scrollbar { display: none } html { scrollbar-gutter: auto !important }"
DESKTOP, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 960}


def user(page: Any) -> None:
    """Act on an item that one averaged vector would have left out."""
    page.locator(".own .group").nth(1).locator(".act").first.click()
    expect(page.get_by_role("status")).to_contain_text("Counted")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.wait_for_timeout(2_600)


SHOTS = (
    ("page-user.png", "/users/ada", DESKTOP, "light", user),
    ("page-phone.png", "/users/bela", PHONE, "dark", None),
)


def optimized(png: bytes) -> bytes:
    """Return the same picture in fewer bytes."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "PNG", optimize=True)
    return file.getvalue()


def main() -> None:
    """Build the world, serve it, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = PageServer(build_world(Path(folder) / "model"))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, path, viewport, scheme, prepare in SHOTS:
            context = browser.new_context(
                base_url=server.url, viewport=viewport, color_scheme=scheme,
                device_scale_factor=2 if viewport == PHONE else 1, is_mobile=viewport == PHONE,
            )  # fmt: skip
            page = context.new_page()
            page.goto(path)
            if prepare is not None:
                prepare(page)
            png = optimized(page.screenshot(style=NO_SCROLLBAR))
            assert len(png) <= MAX_BYTES, f"{name} has {len(png):,} bytes"
            (out / name).write_bytes(png)
            print(f"{name}: {len(png):,} bytes")
        browser.close()
        server.stop()


if __name__ == "__main__":
    main()

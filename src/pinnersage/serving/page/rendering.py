"""Templates into answers, with the headers that keep the page to itself."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from pinnersage.serving.page import links, words

_PACKAGE = "pinnersage.serving.page"
_ASSETS = {"page.css": "text/css", "page.js": "text/javascript",
           "icon.svg": "image/svg+xml"}  # fmt: skip
N_COLORS = 8


class Asset(NamedTuple):
    """A file of this package that pages load."""

    content: bytes
    media_type: str
    version: str


@cache
def asset(name: str) -> Asset | None:
    """Return a style sheet, script or picture of the page; None if there is none of that name."""
    if name not in _ASSETS:
        return None
    content = files(_PACKAGE).joinpath("assets", name).read_bytes()
    return Asset(content, _ASSETS[name], sha256(content).hexdigest()[:16])


def asset_link(name: str) -> str:
    """Return where an asset is loaded from; it changes with the content, so it may be kept forever."""
    found = asset(name)
    return f"/assets/{name}?v={found.version if found else ''}"


@cache
def environment() -> Environment:
    """Return the templates, which escape everything, with the words of numbers and times."""
    made = Environment(
        loader=PackageLoader(_PACKAGE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        name: getattr(words, name)
        for name in ("day", "day_and_time", "ago", "percent", "size", "duration", "letters", "signed")
    }
    made.globals |= {
        "asset": asset_link, "count": words.count, "user_link": links.user_link,
        "item_link": links.item_link, "session_link": links.session_link, "n_colors": N_COLORS,
    }  # fmt: skip
    return made


class Pages:
    """Renders templates.

    Parameters
    ----------
    picture_origins
        Other origins that pictures may come from.
    """

    def __init__(self, picture_origins: tuple[str, ...] = ()) -> None:
        images = " ".join(("'self'", "data:", *picture_origins))
        policy = (
            f"default-src 'self'; img-src {images}; object-src 'none'; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'none'"
        )
        self._headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    def page(self, template: str, status: int = 200, **values: Any) -> Response[bytes]:
        """Return a page."""
        text = environment().get_template(f"{template}.html.jinja").render(**values)
        return Response(
            text.encode(errors="replace"), status_code=status, media_type="text/html",
            headers=self._headers,
        )  # fmt: skip

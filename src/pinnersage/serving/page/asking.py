"""What the page's routes share: the service, the templates, and fields of forms."""

from __future__ import annotations

import time
from typing import Annotated, Any, get_args
from urllib.parse import parse_qs

from litestar import Request
from litestar.params import PathParameter

from pinnersage.config import RecommendMode
from pinnersage.serving.page.door import COOKIE
from pinnersage.serving.page.rendering import Pages
from pinnersage.serving.page.tiles import Tiles
from pinnersage.serving.problems import RequestError
from pinnersage.serving.service import Service, service_of

AnyRequest = Request[Any, Any, Any]
UserIdInPath = Annotated[str, PathParameter(description="A user.", min_length=1)]
ItemIdInPath = Annotated[str, PathParameter(description="An item.", min_length=1)]
AssetName = Annotated[str, PathParameter(description="A file that pages load.")]
MODES: tuple[str, ...] = get_args(RecommendMode)
DEFAULT_MODE = "budgeted"
_MAX_FIELDS, _MAX_DIGITS = 20, 15
_SETTLED_MS = 7 * 86_400_000


class Desk:
    """Answers one request of a page.

    Parameters
    ----------
    request
        The request.
    """

    def __init__(self, request: AnyRequest) -> None:
        self.service: Service = service_of(request)
        self.pages: Pages = request.app.state.page.pages
        self.tiles = Tiles(self.service.backend, request.app.state.page.picture_origins)
        self.backend = self.service.backend
        self._request = request

    @property
    def frame(self) -> dict[str, Any]:
        """What every template needs."""
        return {"has_key": COOKIE in self._request.scope}

    def query(self, name: str) -> str:
        """Return a parameter of the query, without the spaces around it; empty without one."""
        return str(self._request.query_params.get(name) or "").strip()

    def mode(self, text: str) -> RecommendMode:
        """Return the way to recommend that was asked for, or the page's own."""
        wanted: Any = text if text in MODES else DEFAULT_MODE
        if wanted == "ranked" and not self.has_ranker:
            wanted = DEFAULT_MODE
        found: RecommendMode = wanted
        return found

    @property
    def has_ranker(self) -> bool:
        """Whether the model can order in a second stage."""
        return bool(self.backend.status()["has_ranker"])


def form_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form.

    Raises
    ------
    RequestError
        It is not one.
    """
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise RequestError("expected the fields of a form, in UTF-8", field="body") from None
    return {name: values[-1] for name, values in fields.items()}


def field(form: dict[str, str], name: str) -> str:
    """Return a field of a form.

    Raises
    ------
    RequestError
        It is not there.
    """
    if not form.get(name):
        raise RequestError(f"expected the field {name}", field=name)
    return form[name]


def number_of(text: str) -> int | None:
    """Return a whole number of at most 15 digits; None if the text is none.

    Examples
    --------
    >>> [number_of(text) for text in ("12", "", "-1", "9" * 16)]
    [12, None, None, None]
    """
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None


def action_time_ms(as_of_ms: int, now_ms: int | None = None) -> int:
    """Return the time of an action that happens on the page.

    A log that ended long ago keeps its own time, for the newest action moves the window of everybody: the
    action then happens just after the newest one.

    Examples
    --------
    >>> action_time_ms(1_000, 2_000)
    2000
    >>> action_time_ms(1_000, 90 * 86_400_000)
    1001
    """
    now_ms = wall_clock_ms() if now_ms is None else now_ms
    return now_ms if now_ms - as_of_ms <= _SETTLED_MS else as_of_ms + 1


def wall_clock_ms() -> int:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000

"""Routes of the page that show something."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.response import Redirect

from pinnersage._ids import UserId
from pinnersage.errors import PinnerSageError, UserNotFoundError
from pinnersage.serving.access import OPEN
from pinnersage.serving.page.asking import (
    MODES,
    AnyRequest,
    AssetName,
    Desk,
    ItemIdInPath,
    UserIdInPath,
    wall_clock_ms,
)
from pinnersage.serving.page.door import PAGE
from pinnersage.serving.page.item_view import item_view
from pinnersage.serving.page.links import user_link
from pinnersage.serving.page.notices import notice_of
from pinnersage.serving.page.rendering import asset
from pinnersage.serving.page.session_view import MAX_PICKS, session_view
from pinnersage.serving.page.system_view import system_view
from pinnersage.serving.page.user_view import example_users, user_view, varied_popular
from pinnersage.serving.problems import RequestError

READ = PAGE | {"scope": "read"}
N_SUGGESTED = 8
_N_FOUND, _N_EXAMPLES, _N_PICKS = 60, 6, 18


@get("/", opt=READ, include_in_schema=False)
async def home(request: AnyRequest) -> Response[bytes]:
    """Show where to begin: a search, a few users, and items to try out."""
    desk = Desk(request)

    def show() -> Response[bytes]:
        users = example_users(desk.backend, desk.tiles, _N_EXAMPLES)
        picks = varied_popular(desk.backend, desk.tiles, _N_PICKS)
        model = desk.backend.status()
        return desk.pages.page("home", users=users, picks=picks, model=model, **desk.frame)

    found: Response[bytes] = await desk.service.slow(show)
    return found


@get("/suggestions", opt=READ, include_in_schema=False)
async def suggestions(request: AnyRequest) -> list[dict[str, str]]:
    """Return the first users whose id begins with ``q``, for the script of the search box."""
    desk = Desk(request)
    users = await desk.service.slow(_users_like, desk, desk.query("q"), N_SUGGESTED)
    return [{"user_id": str(user), "link": user_link(user)} for user in users]


@get("/users", opt=READ, include_in_schema=False)
async def find_users(request: AnyRequest) -> Response[Any]:
    """Show users whose id begins with ``q``; go on to the one whose id it is."""
    desk = Desk(request)
    wanted = desk.query("q")
    users = await desk.service.slow(_users_like, desk, wanted, _N_FOUND + 1)
    if wanted and wanted in map(str, users):
        return Redirect(user_link(wanted), status_code=303)
    return desk.pages.page(
        "users", wanted=wanted, users=users[:_N_FOUND], has_more=len(users) > _N_FOUND, **desk.frame
    )


@get("/users/{user_id:str}", opt=READ, include_in_schema=False)
async def show_user(request: AnyRequest, user_id: UserIdInPath) -> Response[bytes]:
    """Show a user: interests over time, what is recommended, and what one averaged vector would."""
    desk = Desk(request)

    def show() -> Response[bytes]:
        mode = desk.mode(desk.query("mode"))
        view = user_view(desk.backend, desk.tiles, user_id, mode)
        modes = [name for name in MODES if name != "ranked" or desk.has_ranker]
        notice = notice_of(view, desk.tiles, dict(request.query_params))
        return desk.pages.page(
            "user", view=view, mode=mode, modes=modes, notice=notice, now_ms=wall_clock_ms(), **desk.frame
        )

    found: Response[bytes] = await desk.service.slow(show)
    return found


@get("/items/{item_id:str}", opt=READ, include_in_schema=False)
async def show_item(request: AnyRequest, item_id: ItemIdInPath) -> Response[bytes]:
    """Show an item: what is known of it, its neighbors, and why it is for ``user``, if one is named."""
    desk = Desk(request)
    user = desk.query("user")

    def show() -> Response[bytes]:
        view = item_view(desk.backend, desk.tiles, item_id, user or None)
        return desk.pages.page("item", view=view, **desk.frame)

    found: Response[bytes] = await desk.service.slow(show)
    return found


@get("/session", opt=READ, include_in_schema=False)
async def show_session(request: AnyRequest) -> Response[bytes]:
    """Show what a session of somebody unknown is recommended; nothing is kept of it."""
    desk = Desk(request)
    picked = [item for item in request.query_params.getall("item", []) if item]
    if len(picked) > MAX_PICKS:
        raise RequestError(f"expected at most {MAX_PICKS} items in a session, got {len(picked):,}")

    def show() -> Response[bytes]:
        view = session_view(desk.backend, desk.tiles, picked, wall_clock_ms())
        return desk.pages.page("session", view=view, **desk.frame)

    found: Response[bytes] = await desk.service.slow(show)
    return found


@get("/system", opt=READ, include_in_schema=False)
async def show_system(request: AnyRequest) -> Response[bytes]:
    """Show how the model and the service are doing."""
    desk = Desk(request)
    now_ms = wall_clock_ms()
    view = await desk.service.measure(system_view, desk.service, now_ms)
    return desk.pages.page("system", view=view, now_ms=now_ms, **desk.frame)


@get("/assets/{name:str}", opt={"scope": OPEN}, include_in_schema=False, sync_to_thread=False)
def show_asset(request: Request[Any, Any, Any], name: AssetName) -> Response[bytes]:
    """Return a file that pages load; its address changes with its content."""
    found = asset(name)
    if found is None:
        raise RequestError("no such file", status=404)
    kept = (
        "public, max-age=31536000, immutable"
        if request.query_params.get("v") == found.version
        else "no-cache"
    )
    return Response(
        found.content, media_type=found.media_type,
        headers={"Cache-Control": kept, "ETag": f'"{found.version}"'},
    )  # fmt: skip


def _users_like(desk: Desk, wanted: str, n: int) -> list[UserId]:
    try:
        return desk.backend.find_users(wanted, n)
    except (UserNotFoundError, PinnerSageError):
        return []


READING = [home, suggestions, find_users, show_user, show_item, show_session, show_system, show_asset]

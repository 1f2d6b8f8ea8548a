"""Routes of the page that change something; each leads back to what it changed."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.params import RawBody
from litestar.response import Redirect

from pinnersage.serving.access import OPEN
from pinnersage.serving.intake import read_actions
from pinnersage.serving.page.asking import (
    AnyRequest,
    Desk,
    UserIdInPath,
    action_time_ms,
    field,
    form_of,
    number_of,
)
from pinnersage.serving.page.door import PAGE, key_cookie
from pinnersage.serving.page.links import is_inside, user_link
from pinnersage.serving.page.words import ms_of
from pinnersage.serving.problems import RequestError

WRITE = PAGE | {"scope": "write"}
_PREFERENCES: dict[str, Any] = {"muted": "muted", "pinned": "pinned", "": None}


@post("/users/{user_id:str}/actions", opt=WRITE, include_in_schema=False)
async def act(request: AnyRequest, user_id: UserIdInPath, body: RawBody) -> Redirect:
    """Take an action of the user on an item, or take one back: the one of ``back_ms``."""
    desk = Desk(request)
    form = form_of(body)
    item, back_ms = field(form, "item_id"), form.get("back_ms", "")
    back_at_ms = number_of(back_ms)
    if back_ms and back_at_ms is None:
        raise RequestError("expected back_ms as milliseconds", field="back_ms")
    status = await desk.service.slow(desk.backend.status)
    time_ms = action_time_ms(ms_of(status["as_of"])) if back_at_ms is None else back_at_ms
    # As a body of the API, so that it is judged as one.
    action = {"user_id": user_id, "item_id": item, "timestamp": time_ms, "action": form.get("action") or None}
    body_of_api = msgspec.json.encode({"actions": [action | {"retract": back_at_ms is not None}]})
    result = (await desk.service.take(read_actions(body_of_api, desk.service.settings)))[0]
    mode = desk.mode(form.get("mode", ""))
    if result.status in ("rejected", "parked"):
        told: dict[str, object] = {"done": "refused", "item": item, "reason": result.reason}
    else:
        told = {"done": "back" if back_ms else "acted", "item": item, "at_ms": None if back_ms else time_ms}
    return Redirect(user_link(user_id, mode=mode, **told), status_code=303)


@post("/users/{user_id:str}/preference", opt=WRITE, include_in_schema=False)
async def prefer(request: AnyRequest, user_id: UserIdInPath, body: RawBody) -> Redirect:
    """Mute an interest of the user, let it always propose, or neither."""
    desk = Desk(request)
    form = form_of(body)
    medoid, preference = field(form, "medoid_item_id"), form.get("preference", "")
    if preference not in _PREFERENCES:
        raise RequestError("expected the preference muted, pinned or none", field="preference")
    await desk.service.write(desk.backend.set_preference, user_id, medoid, _PREFERENCES[preference])
    mode = desk.mode(form.get("mode", ""))
    return Redirect(user_link(user_id, mode=mode, done="preference", item=medoid), status_code=303)


@post("/login", opt={"scope": OPEN}, include_in_schema=False, sync_to_thread=False)
def login(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Keep a key in a cookie, and go on to where it was asked for."""
    form = form_of(body)
    wanted = form.get("next", "/")
    answer = Redirect(wanted if is_inside(wanted) else "/", status_code=303)
    answer.set_cookie(key_cookie(form.get("key", "").strip(), is_secure=_is_secure(request)))
    return answer


@post("/logout", opt={"scope": OPEN}, include_in_schema=False, sync_to_thread=False)
def logout(request: Request[Any, Any, Any]) -> Response[Any]:
    """Forget the key."""
    answer = Redirect("/", status_code=303)
    answer.set_cookie(key_cookie("", is_secure=_is_secure(request)))
    return answer


def _is_secure(request: Request[Any, Any, Any]) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


DOING = [act, prefer, login, logout]

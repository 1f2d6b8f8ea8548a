"""The routes of the contract."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import Parameter

from pinnersage.errors import UserNotFoundError
from pinnersage.serving.service import service_of
from pinnersage.serving.shapes import Mode, Recommendations

K = Annotated[int, Parameter(ge=1)]


@get("/v1/users/{user_id:str}/recommendations", sync_to_thread=False)
def recommend(
    request: Request[Any, Any, Any],
    user_id: str,
    k: K = 100,
    interests: Annotated[int | None, Parameter(ge=1)] = None,
    seed: int = 0,
    mode: Mode | None = None,
    include_seen: bool = False,
) -> Response[Recommendations]:
    """Recommend items to a user."""
    backend = service_of(request).backend
    try:
        found = backend.recommend(
            user_id, k, interests=interests, seed=seed, mode=mode, include_seen=include_seen
        )
    except UserNotFoundError:
        found = backend.popular(k) | {"user_id": user_id}
    return Response(msgspec.json.encode(found), media_type="application/json")  # type: ignore[arg-type]


ROUTES = [recommend]

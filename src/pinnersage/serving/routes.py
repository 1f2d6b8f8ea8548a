"""The routes of the contract: each asks the model one thing and sends what it says.

What stands around them: ids, times and logs in ``edge``, keys and rates in ``access``, errors in
``problems``, commits shared by concurrent requests in ``commits``.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.params import Parameter

from pinnersage.errors import UserNotFoundError
from pinnersage.serving import examples
from pinnersage.serving.backend import Answer
from pinnersage.serving.bodies import read_item, read_preference, read_recommendations
from pinnersage.serving.intake import read_actions, session_actions
from pinnersage.serving.openapi import refusals, takes
from pinnersage.serving.results import actions_answer
from pinnersage.serving.service import Service, service_of
from pinnersage.serving.shapes import (
    ActionsIn,
    ActionsOut,
    Interests,
    ItemIn,
    ItemOut,
    Mode,
    Neighbors,
    PreferenceIn,
    Recommendations,
    RecommendationsBatch,
    RecommendationsIn,
    UserExport,
)

AnyRequest = Request[Any, Any, Any]
K = Annotated[int, Parameter(ge=1, description="Length of the list; at most 1,000 unless set otherwise.")]
NInterests = Annotated[int | None, Parameter(ge=1, le=10_000, description="How many interests are asked.")]
Seed = Annotated[int, Parameter(ge=0, le=2**63 - 1, description="Equal seeds give equal lists.")]
UserId = Annotated[str, Parameter(description="A user.", min_length=1)]
ItemId = Annotated[str, Parameter(description="An item.", min_length=1)]
READ, WRITE, ADMIN = {"scope": "read"}, {"scope": "write"}, {"scope": "admin"}


@post("/v1/actions", status_code=202, opt=WRITE | takes(ActionsIn, **examples.ACTIONS), tags=["write"],
      response_description="Durable and visible; one result per action.",
      responses=refusals(400, 413, 415, 422, 503),
)  # fmt: skip
async def add_actions(request: AnyRequest, body: bytes) -> Response[ActionsOut]:
    """Take actions; the answer comes when they are on the disk and count in every recommendation.

    Each action is judged by itself. `duplicate` changes nothing, so send again whatever got no answer. An
    action on an unknown item is `parked` until the item appears. 422 if every action was rejected.
    """
    service = service_of(request)
    bounds = service.settings
    taken = service.timed(
        "parse", read_actions, body, max_actions=bounds.max_actions, max_id_bytes=bounds.max_id_bytes
    )
    return service.respond(actions_answer(await service.take(taken)), 202)


@get(
    "/v1/users/{user_id:str}/recommendations",
    tags=["read"],
    responses=refusals(400, 503),
)
async def recommend(
    request: AnyRequest,
    user_id: UserId,
    k: K = 100,
    interests: NInterests = None,
    seed: Seed = 0,
    mode: Mode | None = None,
    include_seen: bool = False,
) -> Response[Recommendations]:
    """Recommend items to a user, each with the interest it comes from.

    A user of whom nothing is known gets popular items, and the answer says `"popular": true`.
    """
    service = service_of(request)
    service.check_most(k, "k", service.settings.max_k)
    await service.fresh()
    options = {"interests": interests, "seed": seed, "mode": mode, "include_seen": include_seen}
    return service.respond(_recommended(service, service.path_id(user_id, "user_id"), k, options))


@post("/v1/recommendations", status_code=200, opt=READ | takes(RecommendationsIn, **examples.RECOMMENDATIONS),
      tags=["read"], responses=refusals(400, 413, 415, 503))  # fmt: skip
async def recommend_many(
    request: AnyRequest, body: bytes
) -> Response[Recommendations | RecommendationsBatch]:
    """Recommend items from the `actions` of an anonymous session, or to several `user_ids` at once.

    A session leaves nothing behind; its answer is one list with `user_id` null. Several users get
    `{"answers": [...]}`, a list each in the order asked.
    """
    service = service_of(request)
    asked = read_recommendations(body, service.settings)
    options = {name: getattr(asked, name) for name in ("interests", "seed", "mode", "include_seen")}
    if asked.user_ids is None:
        bound = service.settings.max_id_bytes
        actions = session_actions(asked.actions or [], time.time_ns() // 1_000_000, bound)
        return service.respond(
            await service.slow(service.backend.recommend_session, actions, asked.k, **options)
        )
    users = asked.user_ids
    answers = await service.slow(lambda: [_recommended(service, user, asked.k, options) for user in users])
    return service.respond({"answers": answers})


@get(
    "/v1/users/{user_id:str}/interests",
    tags=["read"],
    responses=refusals(400, 404, 503),
)
async def show_interests(request: AnyRequest, user_id: UserId) -> Response[Interests]:
    """Show what a user is interested in, most important first."""
    service = service_of(request)
    await service.fresh()
    found = service.timed("interests", service.backend.interests, service.path_id(user_id, "user_id"))
    return service.respond(found)


@get(
    "/v1/items/{item_id:str}/neighbors",
    tags=["read"],
    responses=refusals(400, 404, 503),
)
async def show_neighbors(request: AnyRequest, item_id: ItemId, k: K = 10) -> Response[Neighbors]:
    """Show the items nearest to an item."""
    service = service_of(request)
    service.check_most(k, "k", service.settings.max_k)
    await service.fresh()
    found = service.timed("retrieve", service.backend.neighbors, service.path_id(item_id, "item_id"), k)
    return service.respond(found)


@get("/v1/users/{user_id:str}/explanations/{item_id:str}", tags=["read"], responses=refusals(400, 404, 503))
async def explain(request: AnyRequest, user_id: UserId, item_id: ItemId) -> Response[Answer]:
    """Tell why an item would, or would not, be recommended to a user, and the actions behind it."""
    service = service_of(request)
    user, item = service.path_id(user_id, "user_id"), service.path_id(item_id, "item_id")
    return service.respond(await service.slow(service.backend.explain, user, item))


_PREFERENCE = "/v1/users/{user_id:str}/interests/{medoid_item_id:str}/preference"


@put(_PREFERENCE, opt=WRITE | takes(PreferenceIn, **examples.PREFERENCE), tags=["write"],
     responses=refusals(400, 404, 415, 503))  # fmt: skip
async def set_preference(
    request: AnyRequest, user_id: UserId, medoid_item_id: ItemId, body: bytes
) -> Response[Answer]:
    """Mute an interest, so that nothing comes from it, or keep it pinned, so that it always counts."""
    service = service_of(request)
    user, medoid = service.path_id(user_id, "user_id"), service.path_id(medoid_item_id, "medoid_item_id")
    wanted = read_preference(body)
    return service.respond(await service.write(service.backend.set_preference, user, medoid, wanted))


@delete(_PREFERENCE, status_code=200, opt=WRITE, tags=["write"], responses=refusals(400, 404, 503))
async def forget_preference(request: AnyRequest, user_id: UserId, medoid_item_id: ItemId) -> Response[Answer]:
    """Forget what was said about an interest."""
    service = service_of(request)
    user, medoid = service.path_id(user_id, "user_id"), service.path_id(medoid_item_id, "medoid_item_id")
    return service.respond(await service.write(service.backend.set_preference, user, medoid, None))


@put("/v1/items/{item_id:str}", opt=WRITE | takes(ItemIn, **examples.ITEM), tags=["write"],
     responses=refusals(400, 413, 415, 422, 503))  # fmt: skip
async def put_item(request: AnyRequest, item_id: ItemId, body: bytes) -> Response[ItemOut]:
    """Add an item or replace it; it can be recommended at once, and actions parked for it count."""
    service = service_of(request)
    item = service.path_id(item_id, "item_id")
    embedding, attributes = read_item(body)
    return service.respond(await service.write(service.backend.put_item, item, embedding, attributes))


@delete(
    "/v1/items/{item_id:str}", status_code=200, opt=WRITE, tags=["write"], responses=refusals(400, 404, 503)
)
async def delete_item(request: AnyRequest, item_id: ItemId) -> Response[Answer]:
    """Take an item out: it is never recommended again, and users whose medoid it was get another."""
    service = service_of(request)
    return service.respond(
        await service.write(service.backend.delete_item, service.path_id(item_id, "item_id"))
    )


@get("/v1/users/{user_id:str}", opt=ADMIN, tags=["one user's data"], responses=refusals(400, 404, 503))
async def export_user(request: AnyRequest, user_id: UserId) -> Response[UserExport]:
    """Export everything held of one user, actions included."""
    service = service_of(request)
    return service.respond(await service.slow(service.backend.export, service.path_id(user_id, "user_id")))


@delete("/v1/users/{user_id:str}", status_code=200, opt=ADMIN, tags=["one user's data"],
        responses=refusals(400, 404, 503))  # fmt: skip
async def erase_user(request: AnyRequest, user_id: UserId) -> Response[Answer]:
    """Erase everything held of one user, and return a receipt of what was removed."""
    service = service_of(request)
    return service.respond(await service.write(service.backend.erase, service.path_id(user_id, "user_id")))


def _recommended(service: Service, user_id: str | int, k: int, options: dict[str, Any]) -> Answer:
    """Return a user's list; popular items, and word of it, where nothing is known of the user."""
    try:
        found: Answer = service.timed("retrieve", service.backend.recommend, user_id, k, **options)
    except UserNotFoundError:
        found = service.timed("retrieve", service.backend.popular, k) | {"user_id": user_id, "popular": True}
    return found


ROUTES = [
    add_actions, recommend, recommend_many, show_interests, show_neighbors, explain, set_preference,
    forget_preference, put_item, delete_item, export_user, erase_user,
]  # fmt: skip

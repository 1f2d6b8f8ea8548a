"""The routes of the contract: each asks the model one thing and sends what it says.

What stands around them: ids, times and logs in ``edge``, keys and rates in ``access``, errors in
``problems``, commits shared by concurrent requests in ``commits``, what the document says in ``openapi``.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter, RawBody

from pinnersage.errors import UserNotFoundError
from pinnersage.items.matching import where_of
from pinnersage.serving import examples, held, shapes
from pinnersage.serving.backend import Answer
from pinnersage.serving.bodies import read_item, read_preference, read_recommendations
from pinnersage.serving.encoded import EncodedJson, NoAnswer
from pinnersage.serving.intake import read_actions, session_actions
from pinnersage.serving.openapi import OF_DELETE, admin, reads, takes, writes
from pinnersage.serving.receiving import whole_body
from pinnersage.serving.results import ActionsProblem, ActionsUnavailable, actions_answer
from pinnersage.serving.service import Service, service_of
from pinnersage.serving.threads import ClientGoneError, unless_gone

AnyRequest = Request[Any, Any, Any]
UserId = Annotated[str, PathParameter(description="A user.", min_length=1, examples=[Example(value="u42")])]
ItemId = Annotated[str, PathParameter(description="An item.", min_length=1, examples=[Example(value="i7")])]
K = Annotated[
    int | None,
    QueryParameter(
        ge=1,
        description="Length of the list; at most 1,000, unless set otherwise. By default 100, 10 of "
        "neighbors, or the most there may be.",
        examples=[Example(value=20)],
    ),
]
NInterests = Annotated[
    int | None,
    QueryParameter(ge=1, le=10_000, description="How many interests are asked.", examples=[Example(value=5)]),
]
Seed = Annotated[
    int,
    QueryParameter(
        ge=0, le=2**63 - 1, description="Equal seeds give equal lists.", examples=[Example(value=7)]
    ),
]
Mode = Annotated[
    shapes.Mode | None,
    QueryParameter(
        description="How the list is made; as built by default.", examples=[Example(value="budgeted")]
    ),
]
IncludeSeen = Annotated[
    bool, QueryParameter(description="Items acted on may come too.", examples=[Example(value=True)])
]
Exclude = Annotated[
    list[str] | None,
    QueryParameter(description="Items that may not come; repeat it.", examples=[Example(value=["i7"])]),
]
Where = Annotated[
    list[str] | None,
    QueryParameter(
        description="`attribute:value` that items must have; of one attribute several values may be told, "
        "and one is enough. Texts, whole numbers, `true` and `false`.",
        examples=[Example(value=["category:kitchen"])],
    ),
]
USER, ITEM = "/v1/users/{user_id:str}", "/v1/items/{item_id:str}"
_N_NEIGHBORS = 10
_LIST_OPTIONS = ("interests", "seed", "mode", "include_seen", "exclude", "where")
PREFERENCE = USER + "/interests/{medoid_item_id:str}/preference"


@post(
    "/v1/actions", status_code=202,
    **writes(
        "On the disk and in every recommendation, but for those that say otherwise.", 422,
        body=takes(shapes.ActionsIn, **examples.ACTIONS),
        shapes={422: ActionsProblem, 503: ActionsUnavailable},
    ),
)  # fmt: skip
async def add_actions(request: AnyRequest) -> Response[shapes.ActionsOut]:
    """Take actions; the answer comes when they are on the disk and count in every recommendation.

    Each action is judged by itself. `duplicate` changes nothing, so send again whatever got no answer. An
    action on an unknown item is `parked` until the item appears. 422 if every action was rejected; 503 if
    some of them can be taken later: those with the reason `too_many_parked`.
    """
    service = service_of(request)
    body = await whole_body(request, service.settings.max_body_bytes)
    taken = service.timed("parse", read_actions, body, service.settings)
    return service.respond(actions_answer(await service.take(taken)), 202)


@get(USER + "/recommendations", **reads("The list.", 414))
async def recommend(
    request: AnyRequest,
    user_id: UserId,
    k: K = None,
    interests: NInterests = None,
    seed: Seed = 0,
    mode: Mode = None,
    include_seen: IncludeSeen = False,
    exclude: Exclude = None,
    where: Where = None,
) -> Response[shapes.Recommendations]:
    """Recommend items to a user, each with the interest it comes from.

    A user of whom nothing is known gets popular items, and the answer says `"popular": true`.
    """
    service = service_of(request)
    k = service.length(k)
    options = {
        "interests": interests, "seed": seed, "mode": mode, "include_seen": include_seen,
        "exclude": exclude or (), "where": where_of(where or (), ":"),
    }  # fmt: skip
    return service.respond(await service.prompt(_recommended, service, user_id, k, options))


@post(
    "/v1/recommendations", status_code=200,
    **reads("A list, or one a user.", body=takes(shapes.RecommendationsIn, **examples.RECOMMENDATIONS)),
)  # fmt: skip
async def recommend_many(
    request: AnyRequest, body: RawBody
) -> Response[shapes.Recommendations | shapes.RecommendationsBatch]:
    """Recommend items from the `actions` of an anonymous session, or to several `user_ids` at once.

    A session leaves nothing behind; its answer is one list with `user_id` null. Several users get
    `{"answers": [...]}`, a list each in the order asked; users times `k` is at most 50,000, unless set
    otherwise.
    """
    service = service_of(request)
    asked, k = read_recommendations(body, service.settings)
    options = {name: getattr(asked, name) for name in _LIST_OPTIONS} | {"exclude": asked.exclude or ()}
    if asked.user_ids is None:
        now_ms = time.time_ns() // 1_000_000
        actions = session_actions(asked.actions or (), now_ms, service.settings.max_id_bytes)
        found = await service.slow(service.backend.recommend_session, actions, k, **options)
        return service.respond(found)

    def one(user_id: str | int) -> bytes:  # In bytes at once: the lists of many users take a lot of memory.
        return service.encoded(_recommended(service, user_id, k, options))

    try:
        answers = await unless_gone(request.receive, service.slow_each(one, asked.user_ids))
    except ClientGoneError:
        return NoAnswer()
    return EncodedJson(b'{"answers":[' + b",".join(answers) + b"]}")


@get(USER + "/interests", **reads("The interests.", 404, 414))
async def show_interests(request: AnyRequest, user_id: UserId) -> Response[shapes.Interests]:
    """Show what a user is interested in, most important first."""
    service = service_of(request)
    return service.respond(
        await service.prompt(service.timed, "interests", service.backend.interests, user_id)
    )


@get(ITEM + "/neighbors", **reads("The neighbors.", 404, 414))
async def show_neighbors(request: AnyRequest, item_id: ItemId, k: K = None) -> Response[shapes.Neighbors]:
    """Show the items nearest to an item."""
    service = service_of(request)
    k = service.length(k, usual=_N_NEIGHBORS)
    return service.respond(
        await service.prompt(service.timed, "retrieve", service.backend.neighbors, item_id, k)
    )


@get(USER + "/explanations/{item_id:str}", **reads("The reasons.", 404, 414))
async def explain(request: AnyRequest, user_id: UserId, item_id: ItemId) -> Response[shapes.Explanation]:
    """Tell why an item would, or would not, be recommended to a user, and the actions behind it."""
    service = service_of(request)
    return service.respond(await service.slow(service.backend.explain, user_id, item_id))


@put(
    PREFERENCE, **writes("What holds now.", 404, 414, body=takes(shapes.PreferenceIn, **examples.PREFERENCE))
)
async def set_preference(
    request: AnyRequest, user_id: UserId, medoid_item_id: ItemId, body: RawBody
) -> Response[shapes.PreferenceOut]:
    """Mute an interest, so that nothing comes from it, or keep it pinned, so that it always counts."""
    service = service_of(request)
    wanted = read_preference(body)
    return service.respond(
        await service.write(service.backend.set_preference, user_id, medoid_item_id, wanted)
    )


@delete(PREFERENCE, status_code=200, **writes("What holds now.", *OF_DELETE))
async def forget_preference(
    request: AnyRequest, user_id: UserId, medoid_item_id: ItemId
) -> Response[shapes.PreferenceOut]:
    """Forget what was said about an interest."""
    service = service_of(request)
    return service.respond(await service.write(service.backend.set_preference, user_id, medoid_item_id, None))


@get(ITEM, **reads("The item.", 404, 414))
async def show_item(request: AnyRequest, item_id: ItemId) -> Response[held.ItemHeld]:
    """Show what is known of an item; change a part of it and `PUT` it back to change that part alone."""
    service = service_of(request)
    return service.respond(await service.slow(service.backend.item, item_id))


@put(ITEM, **writes("The item is in the catalogue.", 414, body=takes(shapes.ItemIn, **examples.ITEM)))
async def put_item(request: AnyRequest, item_id: ItemId, body: RawBody) -> Response[shapes.ItemOut]:
    """Add an item or replace it; it can be recommended at once, and actions parked for it count.

    The item is what the body says: what it does not say is not known of it afterwards, whatever was, and it
    is available. 400 if `embedding_version` is given and is not the name of the model's embeddings.
    """
    service = service_of(request)
    embedding, attributes = read_item(body, item_id, service.backend.item_attributes())
    return service.respond(await service.write(service.backend.put_item, item_id, embedding, attributes))


@delete(ITEM, status_code=200, **writes("The item is gone.", *OF_DELETE))
async def delete_item(request: AnyRequest, item_id: ItemId) -> Response[shapes.ItemDeleted]:
    """Take an item out: it is never recommended again, and users whose medoid it was get another."""
    service = service_of(request)
    return service.respond(await service.write(service.backend.delete_item, item_id))


@get(USER, **admin("All there is.", 404, 414))
async def export_user(request: AnyRequest, user_id: UserId) -> Response[held.UserExport]:
    """Export everything held of one user, actions included."""
    service = service_of(request)
    return service.respond(await service.slow(service.backend.export, user_id))


@delete(USER, status_code=200, **admin("What was removed.", *OF_DELETE))
async def erase_user(request: AnyRequest, user_id: UserId) -> Response[held.Receipt]:
    """Erase everything held of one user, and return a receipt of what was removed."""
    service = service_of(request)
    return service.respond(await service.write(service.backend.erase, user_id))


def _recommended(
    service: Service, user_id: str | int, k: int, options: dict[str, Any], *, may_wait: bool = True
) -> Answer:
    """Return a user's list; popular items, and word of it, where nothing is known of the user."""
    try:
        return service.backend.recommend(user_id, k, may_wait=may_wait, **options)
    except UserNotFoundError:
        which = {name: options[name] for name in ("exclude", "where")}
        return service.backend.popular(k, may_wait=may_wait, **which) | {"user_id": user_id, "popular": True}


ROUTES = [
    add_actions, recommend, recommend_many, show_interests, show_neighbors, explain, set_preference,
    forget_preference, show_item, put_item, delete_item, export_user, erase_user,
]  # fmt: skip

"""What the routes take and give, as types: the contract's JSON, checked and documented from one place."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = str | int
Time = Annotated[
    datetime | int,
    Meta(
        description="RFC 3339 text (no zone: UTC), or integer milliseconds since 1970; not before 1980.",
        examples=["2026-11-24T18:30:00Z", 1_795_545_000_000],
    ),
]
Value = str | int | bool
Mode = Literal["sampled", "budgeted", "balanced", "ranked"]
Preference = Literal["muted", "pinned"]
ReadTime = Annotated[
    str,
    Meta(
        description="RFC 3339 in UTC.",
        examples=["2026-11-24T18:30:00Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
Score = Annotated[
    float,
    Meta(
        description="A cosine in the modes sampled and budgeted, what an item adds to those before it in "
        "balanced, log-odds in ranked; of popular items a count of users. Compare within one list only."
    ),
]
RequestId = Annotated[
    str,
    Meta(
        description="Names the question: equal when the same was asked of the same build with the same "
        "newest action. Lists may differ all the same."
    ),
]


class ActionIn(Struct, frozen=True, forbid_unknown_fields=True):
    """One action of a user on an item."""

    user_id: Id
    item_id: Id
    timestamp: Time
    action: Annotated[str | None, Meta(description="Kind of action.", examples=["buy"])] = None
    weight: Annotated[float | None, Meta(description="0 or more; 1 by default.")] = None
    event_id: Annotated[Id | None, Meta(description="Equal ids are one action, however often sent.")] = None
    retract: Annotated[
        bool, Meta(description="Takes back the action of this event_id or, without one, of these columns.")
    ] = False


class ActionsIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Actions to take, each judged by itself."""

    actions: list[ActionIn]


class ActionResult(Struct, frozen=True, omit_defaults=True):
    """What became of one action.

    A ``duplicate`` changes nothing, unless it differs from the other one under its ``event_id``: then one of
    the two counts, whatever their order. ``parked`` waits for its item to appear. ``reason``, ``field`` and
    ``message`` say why one was parked or rejected, or from when on an accepted one counts, if not now.
    """

    status: Literal["accepted", "duplicate", "parked", "rejected"]
    reason: str | None = None
    field: str | None = None
    message: str | None = None


class ActionsOut(Struct, frozen=True):
    """What became of the actions, in the order given, and how many of each."""

    results: list[ActionResult]
    n_accepted: int
    n_duplicate: int
    n_parked: int
    n_rejected: int


class SessionAction(Struct, frozen=True, forbid_unknown_fields=True):
    """One action of a session; without a ``timestamp`` it happened now."""

    item_id: Id
    timestamp: Time | None = None
    action: str | None = None
    weight: float | None = None
    event_id: Id | None = None


class RecommendationsIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Either ``actions`` of an anonymous session, or ``user_ids`` for one list each; never both."""

    actions: list[SessionAction] | None = None
    user_ids: list[Id] | None = None
    k: Annotated[int, Meta(ge=1, description="100 by default, or the most there may be.")] | None = None
    interests: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    mode: Mode | None = None
    include_seen: bool = False
    exclude: Annotated[list[Id] | None, Meta(description="Items that may not come; at most 10,000.")] = None
    where: Annotated[
        dict[str, list[Value]] | None,
        Meta(description="Items must have one of the values of each of these attributes."),
    ] = None


class Recommended(Struct, frozen=True):
    """One item of a list; ``interest`` is the medoid item that speaks for it, null for popular items."""

    rank: int
    item_id: Id
    score: Score
    interest: Id | None


class Recommendations(Struct, frozen=True, omit_defaults=True):
    """A list of items; ``popular`` is there, and true, where nothing is known of the user."""

    user_id: Id | None
    items: list[Recommended]
    request_id: RequestId
    popular: bool = False
    n_unknown_items: Annotated[int, Meta(description="Sessions: actions on items that are not known.")] = 0


class RecommendationsBatch(Struct, frozen=True):
    """One list for each of the ``user_ids`` asked, in their order."""

    answers: list[Recommendations]


class Interest(Struct, frozen=True):
    """One interest: its medoid, its weight among the others, and the items acted on."""

    medoid_item_id: Id
    importance: float
    share: float
    n_actions: int
    newest_action: ReadTime
    oldest_action: ReadTime
    item_ids: list[Id]
    preference: Preference | None = None


class Interests(Struct, frozen=True):
    """A user's interests, most important first."""

    user_id: Id
    as_of: ReadTime
    interests: list[Interest]


class Neighbor(Struct, frozen=True):
    """An item near another; ``score`` is their cosine."""

    rank: int
    item_id: Id
    score: float


class Neighbors(Struct, frozen=True):
    """The items nearest to one item."""

    item_id: Id
    neighbors: list[Neighbor]


class ActionBehind(Struct, frozen=True):
    """One action behind an item; ``contribution`` is its similarity times what it counts now."""

    item_id: Id
    timestamp: ReadTime
    action: str | None
    weight: float
    similarity: float
    decayed_weight: float
    contribution: float


class Similarity(Struct, frozen=True):
    """How near an item is to one of a user's interests, as the cosine with its medoid."""

    medoid_item_id: Id
    similarity: float
    share: float


class Ranking(Struct, frozen=True):
    """Where the ranker places an item; ``contributions`` by feature and ``expected`` add up to ``score``."""

    rank: Annotated[int, Meta(description="From 1 among the candidates; 0 when it is none of them.")]
    n_candidates: int
    sources: list[str]
    score: float
    expected: float
    contributions: dict[str, float]


class Explanation(Struct, frozen=True, omit_defaults=True):
    """Why an item would be recommended, or would not: then ``reasons`` says what speaks against it."""

    user_id: Id
    item_id: Id
    rank: Annotated[int | None, Meta(description="In the list of 100 that the user gets; null if not in it.")]
    score: Annotated[float | None, Meta(description="Cosine with the interest.")]
    interest: Annotated[Id | None, Meta(description="Medoid item of the interest that speaks for it.")]
    rank_in_interest: Annotated[
        int | None, Meta(description="Its place by nearness to the interest, among the items that may come.")
    ]
    n_offered: Annotated[
        int, Meta(description="How many of these the interest may offer; 0 if it is not asked.")
    ]
    recommendable: Annotated[bool, Meta(description="Whether it is among those the list is chosen from.")]
    reasons: list[
        Literal[
            "no_interests",
            "seen",
            "unavailable",
            "muted",
            "near_duplicate",
            "too_far",
            "missed",
        ]
    ]
    seen: bool
    available: bool
    near_duplicate_of_seen: Id | None
    near_duplicate_instead: Annotated[
        Id | None, Meta(description="What the list has, or may have, that is nearly the same.")
    ]
    actions: list[ActionBehind]
    interests: list[Similarity]
    ranking: Annotated[Ranking | None, Meta(description="With a ranker only.")] = None


class PreferenceIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What the user says about an interest."""

    preference: Preference


class PreferenceOut(Struct, frozen=True):
    """What holds of an interest now; ``preference`` is null when it is neither muted nor pinned."""

    user_id: Id
    medoid_item_id: Id
    preference: Preference | None


class ItemIn(Struct, frozen=True):
    """An item: its embedding, as wide as the model's, and attributes, also others that its items have."""

    embedding: Annotated[list[float], Meta(min_length=1)]
    title: str | None = None
    url: str | None = None
    image_url: str | None = None
    category: str | None = None
    provider: str | None = None
    quality: float | None = None
    created_at: Time | None = None
    available: bool | None = None
    embedding_version: str | None = None


class ItemOut(Struct, frozen=True):
    """What became of an item; ``n_applied`` parked actions on it count now."""

    item_id: Id
    created: bool
    n_applied: int


class ItemDeleted(Struct, frozen=True):
    """An item that is gone."""

    item_id: Id
    deleted: bool


class Live(Struct, frozen=True):
    """The process answers."""

    status: Literal["live"]


class Ready(Struct, frozen=True):
    """Requests are answered, from this generation of the model."""

    status: Literal["ready"]
    generation: str

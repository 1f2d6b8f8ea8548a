"""What the page of one item shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinnersage._ids import ItemId
from pinnersage._times import rfc3339
from pinnersage.errors import UserNotFoundError
from pinnersage.retrieval.explain import LIST_LENGTH
from pinnersage.retrieval.words import FEATURE_WORDS, REASON_WORDS, SOURCE_WORDS, in_a_row
from pinnersage.serving.backend import Answer, Backend
from pinnersage.serving.page.tiles import Tile, Tiles
from pinnersage.serving.page.words import ms_of

N_NEIGHBORS = 24
_N_BEHIND, _N_NEAREST = 8, 8
_SHOWN_ELSEWHERE = ("item_id", "title", "image_url", "url")
_N_ADDED = 6
_LAST_MS = 253_402_300_799_999  # The year 9999.


@dataclass(frozen=True, slots=True)
class Behind:
    """An action that speaks for the item."""

    tile: Tile
    time_ms: int
    similarity: float


@dataclass(frozen=True, slots=True)
class SecondStage:
    """What a ranker makes of an item.

    Attributes
    ----------
    place, n_candidates
        Where it stands among the candidates, from 1; 0 when it is none of them.
    sources
        What made it a candidate, in words.
    added
        Feature in words and what it adds to the score, in log-odds, largest size first.
    rest, expected, score
        What all else adds, what any candidate begins with, and the sum of all.
    """

    place: int
    n_candidates: int
    sources: str
    added: Sequence[tuple[str, float]]
    rest: float
    expected: float
    score: float


@dataclass(frozen=True, slots=True)
class Why:
    """Why an item would, or would not, be recommended to a user.

    Attributes
    ----------
    place
        Where it stands in the list of ``LIST_LENGTH`` that the user gets; None when it is not in it.
    interest
        Position of the interest that speaks for it, and its medoid; None without interests.
    similarities
        Position, medoid and cosine of the nearest interests.
    n_farther
        How many interests are farther than those.
    actions
        Those that speak for it most.
    reasons
        What speaks against it.
    twin
        An item that is nearly the same and comes before it.
    second_stage
        With a ranker.
    """

    user_id: str
    place: int | None
    interest: tuple[int, Tile] | None
    similarities: Sequence[tuple[int, Tile, float]]
    n_farther: int
    rank: int | None
    n_offered: int
    actions: Sequence[Behind]
    reasons: Sequence[str]
    twin: Tile | None
    second_stage: SecondStage | None


@dataclass(frozen=True, slots=True)
class ItemView:
    """One item.

    Attributes
    ----------
    tile
        How it is shown.
    address
        A link to it outside, where it has one that is a web address.
    attributes
        Name and value of everything else.
    neighbors
        Nearest first, with their cosine.
    why
        For a user; None without one.
    n_listed
        Length of the list that it speaks of.
    """

    tile: Tile
    address: str | None
    attributes: Sequence[tuple[str, Any]]
    neighbors: Sequence[tuple[Tile, float]]
    why: Why | None
    n_listed: int = LIST_LENGTH


def item_view(backend: Backend, tiles: Tiles, item_id: ItemId, user_id: str | None) -> ItemView:
    """Return what the page shows of an item.

    Raises
    ------
    ItemNotFoundError
        There is no such item.
    """
    found = backend.neighbors(item_id, N_NEIGHBORS)
    own = found["item_id"]
    info = backend.items_info([own])[0]
    near = tiles.of(neighbor["item_id"] for neighbor in found["neighbors"])
    return ItemView(
        tile=tiles.from_attributes(info),
        address=_web_address(info),
        attributes=[_readable(name, value) for name, value in info.items() if name not in _SHOWN_ELSEWHERE],
        neighbors=[(near[n["item_id"]], n["score"]) for n in found["neighbors"]],
        why=None if user_id is None else _why(backend, tiles, user_id, own),
    )


def _readable(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return name, "yes" if value else "no"
    if name == "created_at_ms" and isinstance(value, int) and 0 <= value <= _LAST_MS:
        return "created_at", rfc3339(value)
    return name, value  # Who puts an item names its attributes, and may call anything so.


def _why(backend: Backend, tiles: Tiles, user_id: str, item_id: ItemId) -> Why | None:
    try:
        interests, told = backend.interests(user_id)["interests"], backend.explain(user_id, item_id)
    except UserNotFoundError:
        return None
    positions = {interest["medoid_item_id"]: n for n, interest in enumerate(interests)}
    behind = told["actions"][:_N_BEHIND]
    nearest, twin = told["interest"], told["near_duplicate_instead"]
    twins = [] if twin is None else [twin]
    shown = tiles.of([*positions, *twins, *(action["item_id"] for action in behind)])
    return Why(
        user_id=user_id,
        place=told["rank"],
        interest=(positions[nearest], shown[nearest]) if nearest in positions else None,
        similarities=_similarities(told, positions, shown)[:_N_NEAREST],
        n_farther=max(0, len(positions) - _N_NEAREST),
        rank=told["rank_in_interest"],
        n_offered=told["n_offered"],
        actions=[Behind(shown[a["item_id"]], ms_of(a["timestamp"]), a["similarity"]) for a in behind],
        reasons=[REASON_WORDS.get(reason, reason) for reason in told["reasons"]],
        twin=shown[twin] if twin is not None else None,
        second_stage=_second_stage(told["ranking"]) if "ranking" in told else None,
    )


def _second_stage(ranking: Answer) -> SecondStage:
    added = [(FEATURE_WORDS[name], value) for name, value in ranking["contributions"].items()][:_N_ADDED]
    return SecondStage(
        place=ranking["rank"],
        n_candidates=ranking["n_candidates"],
        sources=in_a_row([SOURCE_WORDS[source] for source in ranking["sources"]]),
        added=added,
        rest=ranking["score"] - ranking["expected"] - sum(value for _, value in added),
        expected=ranking["expected"],
        score=ranking["score"],
    )


def _similarities(
    told: Answer, positions: Mapping[ItemId, int], shown: Mapping[ItemId, Tile]
) -> list[tuple[int, Tile, float]]:
    return [
        (positions[i["medoid_item_id"]], shown[i["medoid_item_id"]], i["similarity"])
        for i in told["interests"]
        if i["medoid_item_id"] in positions
    ]


def _web_address(info: Mapping[str, Any]) -> str | None:
    address = str(info.get("url") or "")
    return address if address.startswith(("https://", "http://")) else None

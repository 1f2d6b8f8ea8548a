"""Everything that the page of one user shows, asked of the model and put in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from pinnersage._ids import ItemId, UserId
from pinnersage.config import RecommendMode
from pinnersage.errors import PinnerSageError, UserNotFoundError
from pinnersage.serving.backend import Answer, Backend
from pinnersage.serving.page.lists import RecommendedList, nearest_list, own_list
from pinnersage.serving.page.tiles import Tile, Tiles
from pinnersage.serving.page.timeline import ActionAt, Timeline, timeline
from pinnersage.serving.page.words import ms_of

N_ITEMS = 20
N_POPULAR = 24
_N_MEMBERS = 12


@dataclass(frozen=True, slots=True)
class InterestView:
    """One interest as a card and as a lane.

    Attributes
    ----------
    position
        Its place by importance, from 0; gives letter and color.
    medoid
        The item that stands for it.
    share
        Its part of all importance, from 0 to 1.
    n_actions
        Actions in the window.
    newest_ms, oldest_ms
        Of its actions.
    members
        The items acted on, newest first, those that are shown at once.
    more_members
        The others.
    preference
        ``muted``, ``pinned`` or None.
    """

    position: int
    medoid: Tile
    share: float
    n_actions: int
    newest_ms: int
    oldest_ms: int
    members: Sequence[Tile]
    more_members: Sequence[Tile]
    preference: str | None


@dataclass(frozen=True, slots=True)
class UserView:
    """One user.

    Attributes
    ----------
    user_id
        As the model has it.
    as_of_ms
        The moment the interests refer to.
    interests
        Most important first.
    timeline
        None without interests.
    own, mean
        The list from the interests, and the one from one averaged vector.
    popular
        What is shown to a user without interests.
    actions
        Those that count.
    tiles
        Item -> how it is shown.
    """

    user_id: UserId
    as_of_ms: int
    interests: Sequence[InterestView]
    timeline: Timeline | None
    own: RecommendedList
    mean: RecommendedList
    popular: Sequence[Tile]
    actions: Sequence[ActionAt]
    tiles: Mapping[ItemId, Tile]

    @property
    def heard(self) -> list[InterestView]:
        """The interests that are not muted."""
        return [interest for interest in self.interests if interest.preference != "muted"]

    def left_out(self, recommended: RecommendedList) -> list[InterestView]:
        """Return the interests that are not muted and that a list has nothing for."""
        covered = set(recommended.covered)
        return [interest for interest in self.heard if interest.position not in covered]

    def share_covered(self, recommended: RecommendedList) -> float:
        """Return how much of the importance of the interests that are not muted a list has something for."""
        total = sum(interest.share for interest in self.heard) or 1.0
        return 1 - sum(interest.share for interest in self.left_out(recommended)) / total


def user_view(
    backend: Backend, tiles: Tiles, user_id: UserId, mode: RecommendMode | None = "budgeted"
) -> UserView:
    """Return what the page shows of a user; popular items alone where nothing is known.

    Parameters
    ----------
    mode
        How to recommend; None for the model's own.
    """
    try:
        held = backend.export(user_id)
    except UserNotFoundError:
        return _stranger(backend, tiles, user_id, _as_of_ms(backend))
    interests: list[Answer] = held["interests"]
    if not interests:
        return _stranger(backend, tiles, held["user_id"], ms_of(held["as_of"]))
    own = backend.recommend(user_id, N_ITEMS, mode=mode)["items"]
    mean = backend.mean_list(user_id, N_ITEMS)["items"]
    members = [item_id for interest in interests for item_id in interest["item_ids"]]
    medoids = [interest["medoid_item_id"] for interest in interests]
    listed = list(dict.fromkeys(item["item_id"] for item in (*own, *mean)))
    shown = tiles.of([*members, *medoids, *listed])
    cosines = dict(zip(listed, backend.similarities(user_id, listed), strict=True))
    actions = [ActionAt(a["item_id"], ms_of(a["timestamp"]), a["action"] or "") for a in held["actions"]]
    as_of_ms = ms_of(held["as_of"])
    positions = {medoid: position for position, medoid in enumerate(medoids)}
    return UserView(
        user_id=held["user_id"],
        as_of_ms=as_of_ms,
        interests=[_interest(n, interest, shown) for n, interest in enumerate(interests)],
        timeline=timeline(
            [interest["item_ids"] for interest in interests], actions, as_of_ms, _with_picture(shown)
        ),
        own=own_list(own, positions, cosines, shown),
        mean=nearest_list(mean, len(interests), cosines, shown),
        popular=(),
        actions=actions,
        tiles=shown,
    )


def _stranger(backend: Backend, tiles: Tiles, user_id: UserId, as_of_ms: int) -> UserView:
    empty = RecommendedList((), 0)
    return UserView(
        user_id, as_of_ms, (), None, empty, empty, varied_popular(backend, tiles, N_POPULAR), (), {}
    )


def _as_of_ms(backend: Backend) -> int:
    return ms_of(backend.status()["as_of"])


def _interest(position: int, interest: Answer, shown: Mapping[ItemId, Tile]) -> InterestView:
    members = [shown[item_id] for item_id in interest["item_ids"]]
    return InterestView(
        position=position,
        medoid=shown[interest["medoid_item_id"]],
        share=interest["share"],
        n_actions=interest["n_actions"],
        newest_ms=ms_of(interest["newest_action"]),
        oldest_ms=ms_of(interest["oldest_action"]),
        members=members[:_N_MEMBERS],
        more_members=members[_N_MEMBERS:],
        preference=interest.get("preference"),
    )


def _with_picture(shown: Mapping[ItemId, Tile]) -> frozenset[ItemId]:
    return frozenset(item_id for item_id, tile in shown.items() if tile.picture)


def varied_popular(backend: Backend, tiles: Tiles, n: int) -> list[Tile]:
    """Return popular items of many categories: the most popular of each, then the second, and so on."""
    found = backend.popular(n * 8)["items"]
    by_category: dict[str, list[Tile]] = {}
    for tile in tiles.of(item["item_id"] for item in found).values():
        by_category.setdefault(tile.category, []).append(tile)
    in_turns = zip_longest(*by_category.values())
    return [tile for turn in in_turns for tile in turn if tile is not None][:n]


@dataclass(frozen=True, slots=True)
class ExampleUser:
    """A user to begin with: the medoids of their interests."""

    user_id: UserId
    medoids: Sequence[Tile]


def example_users(backend: Backend, tiles: Tiles, n: int, n_read: int = 40) -> list[ExampleUser]:
    """Return ``n`` of the first users, those with the most interests first."""
    found: list[tuple[UserId, list[Any]]] = []
    for user_id in backend.find_users("", n_read):
        try:
            interests = backend.interests(user_id)["interests"]
        except PinnerSageError:
            continue
        if interests:
            found.append((user_id, [interest["medoid_item_id"] for interest in interests]))
    found.sort(key=lambda user: -min(len(user[1]), 5))
    shown = tiles.of(medoid for _, medoids in found[:n] for medoid in medoids)
    return [ExampleUser(user_id, [shown[m] for m in medoids]) for user_id, medoids in found[:n]]

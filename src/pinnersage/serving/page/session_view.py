"""What somebody unknown is recommended from a few picked items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pinnersage._ids import ItemId
from pinnersage.errors import ItemNotFoundError
from pinnersage.serving.backend import Answer, Backend
from pinnersage.serving.page.tiles import Tile, Tiles
from pinnersage.serving.page.user_view import varied_popular
from pinnersage.streaming.events import NewAction

MAX_PICKS = 50
_N_ITEMS, _N_FIRST = 20, 24


@dataclass(frozen=True, slots=True)
class Group:
    """The items that one interest of the session proposes."""

    position: int
    medoid: Tile
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session: its picks, newest last, and what they bring.

    Attributes
    ----------
    picks
        The known items among those picked.
    n_unknown
        How many were not known.
    groups
        Recommended items by interest.
    popular
        Instead of groups, when nothing was picked.
    """

    picks: Sequence[Tile]
    n_unknown: int
    groups: Sequence[Group]
    popular: Sequence[Tile]

    @property
    def picked(self) -> list[ItemId]:
        """Ids of the picks."""
        return [tile.item_id for tile in self.picks]

    def without(self, item_id: ItemId) -> list[ItemId]:
        """Return the ids of the picks but one."""
        return [picked for picked in self.picked if picked != item_id]


def session_view(backend: Backend, tiles: Tiles, picked: Sequence[str], now_ms: int) -> SessionView:
    """Return what the page shows of a session whose picks came one after the other, a second apart."""
    unique = list(dict.fromkeys(picked))
    known = [own for item_id in unique if (own := _known(backend, item_id)) is not None]
    picks = list(tiles.of(known).values())
    n_unknown = len(unique) - len(known)
    actions = [
        NewAction("", item_id, now_ms - 1_000 * (len(known) - place)) for place, item_id in enumerate(known)
    ]
    nothing: Answer = {"popular": True}
    found = backend.recommend_session(actions, _N_ITEMS, mode="budgeted") if actions else nothing
    if found.get("popular"):
        return SessionView(picks, n_unknown, (), varied_popular(backend, tiles, _N_FIRST))
    medoids = list(dict.fromkeys(item["interest"] for item in found["items"]))
    shown = tiles.of([*medoids, *(item["item_id"] for item in found["items"])])
    groups = [
        Group(n, shown[medoid], [shown[i["item_id"]] for i in found["items"] if i["interest"] == medoid])
        for n, medoid in enumerate(medoids)
    ]
    return SessionView(picks, n_unknown, groups, ())


def _known(backend: Backend, item_id: ItemId) -> ItemId | None:
    """Return an item's id as the catalogue has it; None if there is no such item."""
    try:
        own: ItemId = backend.neighbors(item_id, 1)["item_id"]
    except ItemNotFoundError:
        return None
    return own

"""Two lists side by side: from a user's interests, and from one averaged vector; and what each covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pinnersage._ids import ItemId
from pinnersage.serving.page.tiles import Tile

_NEAR, _FAIR = 0.75, 0.5


@dataclass(frozen=True, slots=True)
class Entry:
    """One recommended item.

    Attributes
    ----------
    rank
        Its place in the list, from 1.
    tile
        The item.
    interest
        Position of the interest it speaks for; None without one.
    similarity
        Its cosine with that interest's medoid; None without one.
    """

    rank: int
    tile: Tile
    interest: int | None
    similarity: float | None

    @property
    def nearness(self) -> str:
        """How near it is, in a word: ``near``, ``fair`` or ``far``."""
        cosine = self.similarity or 0.0
        return "near" if cosine >= _NEAR else "fair" if cosine >= _FAIR else "far"


@dataclass(frozen=True, slots=True)
class RecommendedList:
    """A list and what can be said of it as a whole."""

    entries: Sequence[Entry]
    n_interests: int

    @property
    def covered(self) -> list[int]:
        """Positions of the interests that some item speaks for."""
        return sorted({entry.interest for entry in self.entries if entry.interest is not None})

    @property
    def similarity(self) -> float | None:
        """The median of the similarities."""
        known = [entry.similarity for entry in self.entries if entry.similarity is not None]
        return median(known) if known else None

    @property
    def cells(self) -> list[Entry]:
        """The items by the interest they speak for, as the strip shows them."""
        last = self.n_interests
        return sorted(self.entries, key=lambda e: (last if e.interest is None else e.interest, e.rank))

    def of_interest(self, position: int | None) -> list[Entry]:
        """Return the items that speak for one interest, in their order."""
        return [entry for entry in self.entries if entry.interest == position]


def own_list(
    items: Sequence[Mapping[str, Any]],
    positions: Mapping[ItemId, int],
    cosines: Mapping[ItemId, Sequence[float]],
    tiles: Mapping[ItemId, Tile],
) -> RecommendedList:
    """Return a list whose items name their interest.

    Parameters
    ----------
    items
        As :meth:`Backend.recommend` returns them.
    positions
        Medoid -> position of its interest.
    cosines
        Item -> its cosine with each medoid.
    tiles
        Item -> how it is shown.
    """
    entries = []
    for item in items:
        position, near = positions.get(item["interest"]), cosines.get(item["item_id"], ())
        similarity = near[position] if position is not None and position < len(near) else None
        entries.append(Entry(item["rank"], tiles[item["item_id"]], position, similarity))
    return RecommendedList(entries, len(positions))


def nearest_list(
    items: Sequence[Mapping[str, Any]],
    n_interests: int,
    cosines: Mapping[ItemId, Sequence[float]],
    tiles: Mapping[ItemId, Tile],
) -> RecommendedList:
    """Return a list whose items count for the interest they are nearest to."""
    entries = []
    for item in items:
        near = cosines.get(item["item_id"], ())[:n_interests]
        position = max(range(len(near)), key=near.__getitem__) if near else None
        similarity = None if position is None else near[position]
        entries.append(Entry(item["rank"], tiles[item["item_id"]], position, similarity))
    return RecommendedList(entries, n_interests)

"""Items as they are shown: a title, and a picture or the letters that stand in for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pinnersage._ids import ItemId
from pinnersage.serving.backend import Backend
from pinnersage.serving.page.links import is_inside, item_link

_WORD = re.compile(r"\w+")
_DATA_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|avif|svg\+xml)[;,]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tile:
    """One item.

    Attributes
    ----------
    item_id
        As the catalogue has it.
    title
        Its title; its id without one.
    category
        Empty without one.
    picture
        An address that may be loaded, or None.
    initials
        What stands in the place of a picture.
    link
        Where the item is shown.
    """

    item_id: ItemId
    title: str
    category: str
    picture: str | None
    initials: str
    link: str


class Tiles:
    """Makes tiles of items.

    Parameters
    ----------
    backend
        Where attributes come from.
    picture_origins
        Other origins that pictures may come from, such as ``https://img.example.org``.
    """

    def __init__(self, backend: Backend, picture_origins: tuple[str, ...] = ()) -> None:
        self._backend, self._origins = backend, picture_origins

    def of(self, item_ids: Iterable[ItemId]) -> dict[ItemId, Tile]:
        """Return a tile for each item, by id."""
        unique = list(dict.fromkeys(item_ids))
        return {info["item_id"]: self.from_attributes(info) for info in self._backend.items_info(unique)}

    def from_attributes(self, info: Mapping[str, Any]) -> Tile:
        """Return the tile of an item whose attributes are known."""
        item_id = info["item_id"]
        title = str(info.get("title") or item_id)
        return Tile(
            item_id=item_id,
            title=title,
            category=str(info.get("category") or ""),
            picture=_picture(str(info.get("image_url") or ""), self._origins),
            initials=initials(title),
            link=item_link(item_id),
        )


def initials(title: str) -> str:
    """Return up to two letters that stand for a title.

    Examples
    --------
    >>> [initials(title) for title in ("Seeded rye loaf", "tent", "%", "i42")]
    ['SR', 'TE', '·', 'I4']
    """
    found: list[str] = _WORD.findall(title)
    if len(found) > 1:
        return (found[0][0] + found[1][0]).upper()
    return found[0][:2].upper() if found else "·"


def _picture(address: str, origins: tuple[str, ...]) -> str | None:
    """Return an address that the page may load: of this host, in itself, or of an allowed origin."""
    if is_inside(address) or _DATA_PICTURE.match(address):
        return address
    return address if any(address.startswith(f"{origin}/") for origin in origins) else None

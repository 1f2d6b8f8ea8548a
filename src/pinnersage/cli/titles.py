"""Readable names of a model's items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinnersage._ids import ItemId

if TYPE_CHECKING:
    from pinnersage.cli.tables import TitleOf
    from pinnersage.model import PinnerSage


def title_of(model: PinnerSage) -> TitleOf:
    """Return a function from an item id to its title; to the id itself where there is no title."""
    attributes = model.items.attributes
    titles = attributes.column("title") if "title" in attributes.column_names else None

    def find(item_id: ItemId) -> str:
        row = None if titles is None else model.items.vocabulary.row_of(item_id)
        found = None if titles is None or row is None else titles[int(row)].as_py()
        return str(found or item_id)

    return find

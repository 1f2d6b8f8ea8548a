"""What a page says after something was done: read from its address, and held against the user's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pinnersage.serving.page.asking import number_of
from pinnersage.serving.page.tiles import Tile, Tiles
from pinnersage.serving.page.user_view import UserView

_REASONS = {
    "unknown_item": "the item is not in the catalogue any more; the action counts once it returns",
    "time_in_future": "this machine's clock is behind the newest action",
    "time_before_1980": "its time is before 1980, as the log's: were those seconds, taken for milliseconds?",
    "too_many_parked": "the item is not in the catalogue any more",
    "user_id_unusable": "the ids of this model's users are integers",
    "item_id_unusable": "the ids of this model's items are integers",
}
_UNKNOWN_REASON = "it cannot be used"
_Kind = Literal["acted", "back", "preference", "refused"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that was done.

    Attributes
    ----------
    kind
        What it was.
    tile
        The item, or the medoid of the interest.
    time_ms
        Of the action; 0 without one.
    detail
        The preference, or why the action was refused.
    """

    kind: _Kind
    tile: Tile
    time_ms: int = 0
    detail: str = ""


def notice_of(view: UserView, tiles: Tiles, query: Mapping[str, str]) -> Notice | None:
    """Return what to say; None where nothing was done, or the data do not bear it out."""
    done, item_id = query.get("done"), query.get("item", "")
    if done == "acted":
        at_ms = number_of(query.get("at_ms", "")) or 0
        for action in view.actions:
            if (str(action.item_id), action.time_ms) == (item_id, at_ms):
                return Notice("acted", tiles.of([action.item_id])[action.item_id], at_ms)
    if done == "back" and item_id:
        return Notice("back", tiles.of([item_id])[item_id])
    if done == "refused" and item_id:
        detail = _REASONS.get(query.get("reason", ""), _UNKNOWN_REASON)
        return Notice("refused", tiles.of([item_id])[item_id], detail=detail)
    if done == "preference":
        for interest in view.interests:
            if str(interest.medoid.item_id) == item_id:
                return Notice("preference", interest.medoid, detail=interest.preference or "")
    return None

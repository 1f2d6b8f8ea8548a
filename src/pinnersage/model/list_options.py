"""How a list is asked for besides its length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from pinnersage._ids import ItemId
from pinnersage.config import RecommendMode
from pinnersage.items.matching import Where


class ListOptions(TypedDict, total=False):
    """The options of :meth:`pinnersage.model.facade.PinnerSage.recommend_dict`, for type checkers."""

    interests: int | None
    seed: int
    mode: RecommendMode | None
    include_seen: bool
    exclude: Sequence[ItemId]
    where: Where | None

"""Which items a list may hold, as it is asked for: ids that may not come, attributes that items must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pinnersage._arrays import Bools, Int64s
from pinnersage._ids import ItemId
from pinnersage.config import RecommendMode
from pinnersage.errors import UsageError
from pinnersage.interests.record import UserRecord
from pinnersage.items.matching import Values, Where, as_text
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.model.opened import OpenedGeneration
from pinnersage.retrieval.narrowed import Choice

MAX_VALUES = 1_000


class ListRequest(NamedTuple):
    """How a list is asked for; see :meth:`~pinnersage.model.facade.PinnerSage.recommend_dict`."""

    k: int
    interests: int | None = None
    seed: int = 0
    mode: RecommendMode | None = None
    include_seen: bool = False
    exclude: Sequence[ItemId] = ()
    where: Where | None = None

    @property
    def exclude_seen(self) -> bool | None:
        """What retrieval is told: None is as configured."""
        return False if self.include_seen else None

    def told_apart_by(self) -> tuple[Any, ...]:
        """Return what makes this another request than others."""
        return (*self[:5], *asked_like(self.exclude, self.where))


def choice_of(opened: OpenedGeneration, exclude: Sequence[ItemId], where: Where | None) -> Choice | None:
    """Return which items may come; None: all.

    Parameters
    ----------
    exclude
        Items that may not; such as are unknown could not anyway.
    where
        What the others must be like.

    Raises
    ------
    UsageError
        Something is of another type, or no item has an attribute of that name.
    """
    _check_kinds(exclude, where)
    if not len(exclude) and not where:
        return None
    found = opened.items.vocabulary.rows_of(list(exclude))
    allowed: Bools | None = None
    for name, wanted in (where or {}).items():
        matching = opened.items.matches.of(name, _values(name, wanted))
        allowed = matching if allowed is None else allowed & matching
    return Choice(allowed, found[found != UNKNOWN])


def asked_like(exclude: Sequence[ItemId], where: Where | None) -> tuple[Any, ...]:
    """Return what of these tells requests apart; nothing of those that ask for neither."""
    if not len(exclude) and not where:
        return ()
    told = [(name, sorted(_values(name, wanted))) for name, wanted in sorted((where or {}).items())]
    return sorted(map(str, exclude)), told


def interests_within(record: UserRecord, choice: Choice | None, muted: Int64s) -> Bools:
    """Return which interests are asked for items of a choice: bool ``(n_interests,)``.

    Those that hold an action on an item with the attributes asked for; all, if none does besides muted
    ones. What the other interests have nearest among such items is most often far from them.
    """
    everyone = np.ones(record.n_interests, np.bool_)
    if choice is None or choice.allowed is None:
        return everyone
    inside = record.labels[choice.allowed[record.item_rows]]
    within = np.bincount(inside[inside >= 0], minlength=record.n_interests) > 0
    heard = within.copy()
    heard[muted] = False
    return within if heard.any() else everyone


def _check_kinds(exclude: Any, where: Any) -> None:
    if isinstance(exclude, str) or not hasattr(exclude, "__len__"):
        raise UsageError(f"exclude: expected a list of items, got {exclude!r:.100}")
    odd = [item for item in exclude if not isinstance(item, str | int | np.integer)]
    if odd:
        raise UsageError(f"exclude: expected ids of items, texts or integers, got {odd[0]!r:.100}")
    if where is not None and not isinstance(where, Mapping):
        raise UsageError(f'where: expected attributes and values, as {{"category": "x"}}, got {where!r:.100}')


def _values(name: str, wanted: Any) -> Values:
    several = wanted if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    texts = [as_text(value) for value in several]
    if not 0 < len(texts) <= MAX_VALUES:
        raise UsageError(f"where: expected 1 to {MAX_VALUES:,} values of {name!r:.100}, got {len(texts):,}")
    if None in texts:
        odd = several[texts.index(None)] if isinstance(several, list | tuple) else wanted
        raise UsageError(
            f"where: expected text, whole numbers, or booleans as values of {name!r:.100}, got {odd!r:.100}"
        )
    return frozenset(text for text in texts if text is not None)

"""Interests a user muted or pinned: found in the record, and carried into the choice of interests.

What is kept of a preference is ``{"preference", "item_ids"}``, under the item it was said of: some items of
the interest, that one first. Which interest it belongs to is found anew in each record, so it follows the
interest when another medoid comes, when items go, and when a build clusters anew. Preferences kept by older
versions, as ``muted`` or ``pinned`` alone, know that one item only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage._ids import ItemId, UserId
from pinnersage.config import RecommendMode
from pinnersage.errors import ItemNotFoundError, UsageError, UserNotFoundError
from pinnersage.interests.record import UserRecord
from pinnersage.interests.without import without_interests
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.model.choosing import ListRequest, interests_within
from pinnersage.model.opened import OpenedGeneration
from pinnersage.retrieval.draw import sample_others
from pinnersage.retrieval.narrowed import Choice

N_KEPT_ITEMS = 20
PREFERENCES = ("muted", "pinned")
NO_INTERESTS = np.empty(0, np.int64)

Kept = Mapping[str, Any]


class Preferences:
    """Which of a record's interests are muted or pinned.

    A preference belongs to the interest that holds most of its items. Once none of them is in any, it
    belongs to the interest that the first of them would join. Of several for one interest the newest
    counts, and one that holds items before one that does not.

    Parameters
    ----------
    kept
        Item id as text -> what is kept of the preference, oldest first.
    """

    def __init__(self, kept: Kept, record: UserRecord, opened: OpenedGeneration) -> None:
        self._positions: dict[str, int] = {}
        holding: dict[str, int] = {}
        label_of = dict(zip(record.item_rows.tolist(), record.labels.tolist(), strict=True)) if kept else {}
        for item_id in kept:
            rows = opened.items.vocabulary.rows_of(items_of(kept, item_id))
            labels = [label for label in map(label_of.get, rows.tolist()) if label is not None and label >= 0]
            if labels:
                holding[item_id] = max(labels, key=labels.count)  # of equal ones that of the first item
            elif (position := _joined(rows, record, opened)) is not None:
                self._positions[item_id] = position
        self._positions |= holding
        self._by_position = {at: preference_of(kept, item) for item, at in self._positions.items()}

    def of(self, position: int) -> str | None:
        """Return what is preferred of the interest at a position of the record."""
        return self._by_position.get(position)

    def positions(self, preference: str) -> Int64s:
        """Return the positions of the interests with a preference, ascending."""
        return np.array(sorted(p for p, held in self._by_position.items() if held == preference), np.int64)

    def of_others(self, kept: Kept, position: int) -> dict[str, Any]:
        """Return what is kept that does not belong to the interest at a position."""
        return {item: held for item, held in kept.items() if self._positions.get(item) != position}


def preference_of(kept: Kept, item_id: str) -> str:
    """Return ``muted`` or ``pinned``, as it was said of an item."""
    held = kept[item_id]
    return str(held if isinstance(held, str) else held["preference"])


def items_of(kept: Kept, item_id: str) -> list[str]:
    """Return the items, as text, by which the interest of a preference is known again."""
    held = kept[item_id]
    return [item_id] if isinstance(held, str) else list(held["item_ids"])


def with_preference(
    opened: OpenedGeneration,
    user_id: UserId,
    item_id: ItemId,
    preference: Literal["muted", "pinned"] | None,
    kept: Kept,
) -> tuple[ItemId, dict[str, Any]]:
    """Return the item in the catalogue's type, and what is to be kept of the user from now on.

    It takes the place of whatever was said of the same interest. None also forgets what was said of an
    interest that is gone, by any of the items it is known by.

    Raises
    ------
    UserNotFoundError, ItemNotFoundError
        There is no such user, or the item is in none of their interests.
    UsageError
        There is no such preference.
    """
    if preference not in (None, *PREFERENCES):
        raise UsageError(f"preference: expected 'muted', 'pinned' or None, got {preference!r:.100}")
    own = opened.items.vocabulary.as_own(item_id)
    named = [held for held in kept if str(own) in items_of(kept, held)]
    try:
        record, row = opened.record(user_id), opened.row_of(own)
        labels = record.labels[record.item_rows == row]
        if not (labels >= 0).any():
            raise ItemNotFoundError(f"item {item_id!r}: expected an item of one of the user's interests")
    except (UserNotFoundError, ItemNotFoundError):
        if preference is None and named:
            return own, {held: kept[held] for held in kept if held not in named}
        raise
    position = int(labels.max())
    others = Preferences(kept, record, opened).of_others(kept, position)
    if preference is None:
        return own, _under_another(others, str(own))
    said = {"preference": preference, "item_ids": _known_by(opened, record, position, row)}
    return own, _under_another(others, str(own)) | {str(own): said}


def _under_another(kept: Kept, item_id: str) -> dict[str, Any]:
    """Return what is kept, where an item went to another interest under another item of its preference."""
    names = {held: held for held in kept}
    if item_id in kept:
        names[item_id] = next((i for i in items_of(kept, item_id) if i not in kept), item_id)
    return {names[held]: kept[held] for held in kept}


def _known_by(opened: OpenedGeneration, record: UserRecord, position: int, row: int) -> list[str]:
    """Return items by which an interest is known again: one of its rows, the medoid, then the newest."""
    newest_first = record.item_rows[record.labels == position][::-1].tolist()
    rows = list(dict.fromkeys([row, int(record.medoid_rows[position]), *newest_first]))
    return [str(item_id) for item_id in opened.items.vocabulary.ids_of(rows[:N_KEPT_ITEMS])]


def _joined(rows: Int32s, record: UserRecord, opened: OpenedGeneration) -> int | None:
    """Return the interest that an action on the first item still there would join, by Ward's cost."""
    rows = rows[rows != UNKNOWN]
    if not len(rows) or not record.n_interests:
        return None
    embeddings, members = opened.items.embeddings, record.labels >= 0
    labels = record.labels[members]
    sums = np.zeros((record.n_interests, embeddings.shape[1]))
    np.add.at(sums, labels, embeddings[record.item_rows[members]])
    sizes = np.bincount(labels, minlength=record.n_interests)
    apart = np.square(sums / sizes[:, None] - embeddings[rows[0]]).sum(axis=1)
    costs = 2.0 * sizes / (sizes + 1.0) * apart
    best = int(costs.argmin())
    return best if costs[best] <= opened.config.interests.max_merge_cost else None


class Chosen(NamedTuple):
    """A record with the interests to ask, and which of them a ranker has to leave room for."""

    record: UserRecord
    reserved: Int64s


def chosen_record(
    opened: OpenedGeneration,
    record: UserRecord,
    kept: Kept,
    request: ListRequest,
    *,
    seed: int,
    choice: Choice | None = None,
    left_out: Int64s = NO_INTERESTS,
) -> Chosen:
    """Return the record with only the interests to ask: pinned ones first, muted ones never.

    A ranker is told of the pinned ones: it asks them besides the most important, and leaves room for them.
    It also asks interests that hold nothing of what the list may, and orders what they propose.

    Parameters
    ----------
    seed
        Of the draw in mode ``sampled``: who is drawn without any of this stays, others come for the rest.
    choice
        Which items may come.
    left_out
        Positions of interests that are taken for muted.
    """
    is_narrow = choice is not None and choice.allowed is not None
    if not kept and not is_narrow and not len(left_out):
        return Chosen(record, NO_INTERESTS)
    preferences, how = Preferences(kept, record, opened), opened.mode_of(request.mode)
    muted = np.union1d(preferences.positions("muted"), left_out).astype(np.int64)
    pinned = np.setdiff1d(preferences.positions("pinned"), left_out)
    if how == "ranked":
        return Chosen(without_interests(record, muted), pinned - np.searchsorted(muted, pinned))
    if is_narrow:
        elsewhere = np.flatnonzero(~interests_within(record, choice, muted))
        muted, pinned = np.union1d(muted, elsewhere), np.setdiff1d(pinned, elsewhere)
    if not len(pinned) and how != "sampled":  # Retrieval asks the most important of the others.
        return Chosen(without_interests(record, muted), pinned)
    asked = _asked(opened, record, how, request.interests, muted, pinned, seed)
    not_asked = np.setdiff1d(np.arange(record.n_interests), asked)
    return Chosen(without_interests(record, not_asked), NO_INTERESTS)


def _asked(
    opened: OpenedGeneration, record: UserRecord, how: RecommendMode, n_interests: int | None, muted: Int64s,
    pinned: Int64s, seed: int,
) -> Int64s:  # fmt: skip
    """Return the positions of the interests that are asked, ascending."""
    retrieval = opened.config.retrieval
    usual = {"sampled": retrieval.n_interests, "budgeted": retrieval.n_budgeted_interests}
    wanted = n_interests or usual.get(how, retrieval.n_balanced_interests)
    settled = np.union1d(muted, pinned)
    n_others = max(0, min(wanted - len(pinned), record.n_interests - len(settled)))
    others = np.setdiff1d(np.arange(record.n_interests), settled)[:n_others]
    if how == "sampled":
        others = sample_others(record.importances, n_others, seed, settled) if n_others else others
    asked: Int64s = np.union1d(pinned[:wanted], others)
    return asked

"""Interests a user muted or pinned: found in the record, and carried into the choice of interests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pinnersage._arrays import Int64s
from pinnersage.config import RecommendMode
from pinnersage.interests.record import UserRecord
from pinnersage.interests.without import without_interests
from pinnersage.items.live import LiveVocabulary
from pinnersage.model.opened import OpenedGeneration
from pinnersage.retrieval.draw import sample_others


class Preferences:
    """Which of a record's interests are muted or pinned.

    Preferences are kept by item: they hold for the interest the item is in, whichever item stands for it.

    Parameters
    ----------
    held
        Item id as text -> ``muted`` or ``pinned``.
    """

    def __init__(self, held: Mapping[str, Any], record: UserRecord, vocabulary: LiveVocabulary) -> None:
        self._by_position: dict[int, str] = {}
        for item_id, preference in held.items():
            row = vocabulary.row_of(item_id)
            labels = record.labels[record.item_rows == row] if row is not None else record.labels[:0]
            self._by_position |= {int(label): preference for label in labels if label >= 0}

    def of(self, position: int) -> str | None:
        """Return what is preferred of the interest at a position of the record."""
        return self._by_position.get(position)

    def positions(self, preference: str) -> Int64s:
        """Return the positions of the interests with a preference, ascending."""
        return np.array(sorted(p for p, held in self._by_position.items() if held == preference), np.int64)


class Chosen(NamedTuple):
    """A record with the interests to ask, and which of them a ranker has to leave room for."""

    record: UserRecord
    reserved: Int64s


def chosen_record(
    opened: OpenedGeneration,
    record: UserRecord,
    preferences: Preferences,
    mode: RecommendMode | None,
    n_interests: int | None,
    seed: int,
) -> Chosen:
    """Return the record with only the interests to ask: pinned ones first, muted ones never.

    A ranker is told of the pinned ones: it asks them besides the most important, and leaves room for them.
    """
    muted, pinned = preferences.positions("muted"), preferences.positions("pinned")
    if not len(pinned):
        return Chosen(without_interests(record, muted), pinned)
    retrieval = opened.config.retrieval
    if mode in (None, "ranked") and opened.ranked is not None:
        return Chosen(without_interests(record, muted), pinned - np.searchsorted(muted, pinned))
    how = mode or retrieval.mode
    usual = {"sampled": retrieval.n_interests, "budgeted": retrieval.n_budgeted_interests}
    wanted = n_interests or usual.get(how, retrieval.n_balanced_interests)
    settled = np.union1d(muted, pinned)
    others = np.setdiff1d(np.arange(record.n_interests), settled)[: max(0, wanted - len(pinned))]
    if how == "sampled":
        n_drawn = min(max(0, wanted - len(pinned)), record.n_interests - len(settled))
        others = sample_others(record.importances, n_drawn, seed, settled) if n_drawn else others[:0]
    asked = np.union1d(pinned[:wanted], others)
    left_out = np.setdiff1d(np.arange(record.n_interests), asked)
    return Chosen(without_interests(record, left_out), pinned[:0])

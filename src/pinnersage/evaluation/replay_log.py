"""A log in memory, of which can be told what was known before any moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.log import ActionLog
from pinnersage.errors import DataError
from pinnersage.evaluation._item_columns import coded
from pinnersage.interests.overruled import Overruled, joined_overruled, known_before, overruled_in
from pinnersage.interests.unique import joined, unique_actions
from pinnersage.items.births import NEVER_MS, born_ms
from pinnersage.items.origin import EmbeddingOrigin
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import ItemVocabulary


@dataclass(frozen=True, slots=True)
class ReplayLog:
    """All actions of all users, none twice, in canonical order (time first) inside each user.

    Attributes
    ----------
    user_ids
        ``n_users`` ids, ascending. A user keeps the position in every log cut from this one.
    offsets
        int64 ``(n_users + 1,)``; user ``u`` owns actions ``offsets[u]:offsets[u + 1]``.
    item_rows, times_ms, weights, kinds, event_keys
        ``(n_actions,)`` each, dtypes as in :class:`~pinnersage.actions.batch.ActionBatch`.
    embeddings
        float32 ``(n_items, d)``.
    born_ms
        int64 ``(n_items,)``: the item's ``created_at_ms`` or its first action in the log, whichever
        is earlier; :data:`NEVER_MS` without either.
    available
        bool ``(n_items,)``: False where the catalogue says so.
    categories
        int32 ``(n_items,)`` codes of the column ``category``, -1 where it is empty; None without it.
    category_names
        Arrow array of texts, by code; None: not known.
    providers, provider_names
        The same of the column ``provider``.
    origin
        Where the embeddings come from, as far as the table of items tells.
    overruled
        Actions not among these, since a later one has their event id; before that one came they counted.
    created_ms
        int64 ``(n_items,)``: births without actions.
    vocabulary
        Item id <-> row; None: not known.
    """

    user_ids: list[str] | list[int]
    offsets: Int64s
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s
    embeddings: Float32s
    born_ms: Int64s
    available: Bools
    categories: Int32s | None = None
    category_names: pa.Array | None = None
    providers: Int32s | None = None
    provider_names: pa.Array | None = None
    origin: EmbeddingOrigin | None = None
    overruled: Overruled | None = None
    created_ms: Int64s | None = None
    vocabulary: ItemVocabulary | None = None

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items of the catalogue."""
        return len(self.embeddings)

    @property
    def users(self) -> Int32s:
        """Position of the user of each action, int32 ``(n_actions,)``."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.offsets))

    @classmethod
    def from_action_log(cls, log: ActionLog, items: ItemTable) -> ReplayLog:
        """Read a whole checked log into memory.

        Raises
        ------
        DataError
            The log holds no good action.
        """
        batches, overruled, n_users = [], [], 0
        for batch in log.batches(log.newest_ms):
            batches.append(unique_actions(batch))
            overruled.append(overruled_in(batch, batches[-1], n_users))
            n_users += batch.n_users
        if not batches:
            raise DataError("actions: expected some to replay, found none that can be used")
        return cls._of(joined(batches), joined_overruled(overruled), items)

    @classmethod
    def from_batch(cls, actions: ActionBatch, items: ItemTable) -> ReplayLog:
        """Replay actions in memory; they may stand in any order, and repeat."""
        unique = unique_actions(actions)
        return cls._of(unique, overruled_in(actions, unique), items)

    @classmethod
    def _of(cls, actions: ActionBatch, overruled: Overruled | None, items: ItemTable) -> ReplayLog:
        nothing = np.empty(0, np.int64)
        embeddings = np.ascontiguousarray(items.embeddings, dtype=np.float32)
        born = born_ms(items, actions.item_rows, actions.times_ms)
        return cls(
            actions.user_ids, actions.offsets, actions.item_rows, actions.times_ms, actions.weights,
            actions.kinds, actions.event_keys, embeddings, born, items.pool.copy(),
            *coded(items, "category"), *coded(items, "provider"), items.origin, overruled,
            born_ms(items, nothing, nothing), items.vocabulary,
        )  # fmt: skip

    def before(self, ms: int) -> ReplayLog:
        """Return what was known before a time: earlier actions only, later births not known."""
        if self.overruled is not None and self.created_ms is not None:
            return self._before(ms, self.overruled, self.created_ms)
        kept = self.times_ms < ms
        return replace(
            self,
            offsets=np.concatenate(([0], np.cumsum(kept)))[self.offsets],
            item_rows=self.item_rows[kept],
            times_ms=self.times_ms[kept],
            weights=self.weights[kept],
            kinds=self.kinds[kept],
            event_keys=self.event_keys[kept],
            born_ms=np.where(self.born_ms < ms, self.born_ms, NEVER_MS),
        )

    def _before(self, ms: int, overruled: Overruled, created_ms: Int64s) -> ReplayLog:
        offsets, actions, left = known_before(self, overruled, ms)
        born = np.where(created_ms < ms, created_ms, NEVER_MS)
        np.minimum.at(born, actions.item_rows, actions.times_ms)
        return replace(
            self,
            offsets=offsets,
            item_rows=actions.item_rows,
            times_ms=actions.times_ms,
            weights=actions.weights,
            kinds=actions.kinds,
            event_keys=actions.event_keys,
            born_ms=born,
            overruled=left,
        )

    def as_of(self, ms: int) -> ReplayLog:
        """Return a log whose actions before a time are those known then; it may have later ones."""
        return self if self.overruled is None else self.before(ms)

    def actions_of(self, users: Int32s) -> ActionBatch:
        """Return all actions of some users (positions ascending), as interests are built from."""
        lengths = np.diff(self.offsets)[users]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[users] - offsets[:-1], lengths)
        ids: Any = [self.user_ids[u] for u in users.tolist()]
        return ActionBatch(
            ids, offsets, self.item_rows[at], self.times_ms[at], self.weights[at], self.kinds[at],
            self.event_keys[at],
        )  # fmt: skip

"""Values that leave the pure core: one user's record, and many as ragged arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap

import numpy as np

from pinnersage._arrays import Bools, Float32s, Float64s, Int32s, Int64s, UInt8s, UInt64s


@dataclass(frozen=True, slots=True)
class UserRecord:
    """All that is kept of one user; a pure function of their actions, the settings and ``as_of_ms``.

    Actions are in canonical order: time, item row, kind, weight, event key, all ascending, none
    twice. Interests are in descending importance.

    Attributes
    ----------
    as_of_ms
        The "now" the window and the importances refer to.
    item_rows, times_ms, weights, kinds, event_keys
        The window's actions, ``(n_actions,)`` each, dtypes as in
        :class:`~pinnersage.actions.batch.ActionBatch`.
    labels
        int32 ``(n_actions,)`` number of the action's interest; -1 in none (only with
        ``drop_singletons``).
    medoid_rows
        int32 ``(n_interests,)`` item row of each interest's medoid.
    importances
        float64 ``(n_interests,)`` decayed sums at ``as_of_ms``.
    seen_rows
        int32, ascending, unique: items acted on that are not among ``item_rows`` any more (older
        than the window, or beyond the cap).
    untied
        No two merges of the clustering cost the same, so that clusters which an action does not touch
        need not be made again. Not part of what a user is: two records that differ in it alone are equal.
    """

    as_of_ms: int
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s
    labels: Int32s
    medoid_rows: Int32s
    importances: Float64s
    seen_rows: Int32s
    untied: bool = False

    @property
    def n_actions(self) -> int:
        """Number of actions in the window."""
        return len(self.item_rows)

    @property
    def n_interests(self) -> int:
        """Number of interests."""
        return len(self.medoid_rows)


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records of many users as ragged arrays, as the kernels write them.

    User ``u`` owns actions ``action_offsets[u]:action_offsets[u + 1]``, interests
    ``interest_offsets[u]:...`` and seen rows ``seen_offsets[u]:...``; the other names are those of
    :class:`UserRecord`, ``untied`` bool ``(n_users,)``. ``n_outside`` counts the different actions that
    were left out of a window (too old, or beyond the cap), ``n_repeats`` the rows that repeated another
    action.
    """

    as_of_ms: int
    user_ids: list[str] | list[int]
    action_offsets: Int64s
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s
    labels: Int32s
    interest_offsets: Int64s
    medoid_rows: Int32s
    importances: Float64s
    seen_offsets: Int64s
    seen_rows: Int32s
    untied: Bools
    n_outside: int = 0
    n_repeats: int = 0

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_ids)

    def record(self, u: int) -> UserRecord:
        """Return user ``u``'s record as views into the batch."""
        offsets = (self.action_offsets, self.interest_offsets, self.seen_offsets)
        a, i, s = (slice(*o[u : u + 2].tolist()) for o in offsets)
        return self._cut(a, i, s, bool(self.untied[u]))

    def records(self) -> list[UserRecord]:
        """Return every user's record, as :meth:`record` does."""
        offsets = (self.action_offsets, self.interest_offsets, self.seen_offsets)
        cuts = (starmap(slice, pairwise(o.tolist())) for o in offsets)
        return list(map(self._cut, *cuts, self.untied.tolist()))

    def _cut(self, a: slice, i: slice, s: slice, untied: bool) -> UserRecord:
        return UserRecord(
            self.as_of_ms,
            self.item_rows[a],
            self.times_ms[a],
            self.weights[a],
            self.kinds[a],
            self.event_keys[a],
            self.labels[a],
            self.medoid_rows[i],
            self.importances[i],
            self.seen_rows[s],
            untied,
        )


def offsets_of(lengths: Sequence[int]) -> Int64s:
    """Return where parts of these lengths begin when they lie end to end, and where the last one ends.

    Examples
    --------
    >>> offsets_of([2, 0, 3]).tolist()
    [0, 2, 2, 5]
    """
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)

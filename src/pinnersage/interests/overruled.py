"""What a log was before a moment, where later actions took the place of earlier ones.

Of actions that share an event id the last one stays. Before it came the one before it stood: a log that is
walked through time keeps such actions apart, with the time from which on they no longer count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage.actions.batch import ActionBatch


@dataclass(frozen=True, slots=True)
class Actions:
    """Actions as columns ``(n,)``; ``users`` are positions."""

    users: Int32s
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s

    def __len__(self) -> int:
        return len(self.users)

    def columns(self) -> tuple[Int32s, Int32s, Int64s, Float32s, UInt8s, UInt64s]:
        """Return all columns."""
        return self.users, self.item_rows, self.times_ms, self.weights, self.kinds, self.event_keys

    def at(self, which: Bools | Int64s | slice) -> Actions:
        """Return some of the actions."""
        return Actions(
            self.users[which], self.item_rows[which], self.times_ms[which], self.weights[which],
            self.kinds[which], self.event_keys[which],
        )  # fmt: skip

    def order(self) -> Int64s:
        """Return the positions user by user, each user's in canonical order."""
        return np.lexsort(
            (self.event_keys, self.weights, self.kinds, self.item_rows, self.times_ms, self.users)
        )


class Log(Protocol):
    """Actions in canonical order inside each user; user ``u`` owns ``offsets[u]:offsets[u + 1]``."""

    @property
    def offsets(self) -> Int64s:
        """Where each user begins, and the end."""

    @property
    def item_rows(self) -> Int32s:
        """Item of each action."""

    @property
    def times_ms(self) -> Int64s:
        """Time of each action."""

    @property
    def weights(self) -> Float32s:
        """Weight of each action."""

    @property
    def kinds(self) -> UInt8s:
        """Kind of each action."""

    @property
    def event_keys(self) -> UInt64s:
        """Event of each action; 0 without one."""


@dataclass(frozen=True, slots=True)
class Overruled:
    """Actions that counted until a later one with their event id came.

    Attributes
    ----------
    actions
        In any order; ``users`` are positions in the log.
    until_ms
        int64 ``(n,)``: the time of what took each one's place.
    """

    actions: Actions
    until_ms: Int64s

    def at(self, which: Bools) -> Overruled | None:
        """Return some of them; None for none."""
        return Overruled(self.actions.at(which), self.until_ms[which]) if which.any() else None


def overruled_in(batch: ActionBatch, unique: ActionBatch, first_user: int = 0) -> Overruled | None:
    """Return what other actions of a batch overrule at a later time; None for nothing.

    Parameters
    ----------
    unique
        The batch's different actions.
    first_user
        Position of the batch's first user in the log.
    """
    if len(unique.item_rows) == len(batch.item_rows) or not batch.event_keys.any():
        return None
    found = _of_reused_keys(_actions(batch))
    order = np.lexsort((found.order().argsort(), found.event_keys, found.users))
    found = found.at(order)
    same = (found.users[1:] == found.users[:-1]) & (found.event_keys[1:] == found.event_keys[:-1])
    overruled = Overruled(found.at(slice(0, -1)), found.times_ms[1:])
    kept = overruled.at(same & (overruled.until_ms > overruled.actions.times_ms))
    if kept is not None and first_user:
        kept.actions.users[:] += first_user
    return kept


def joined_overruled(parts: list[Overruled | None]) -> Overruled | None:
    """Return all of several; None for none."""
    some = [part for part in parts if part is not None]
    if not some:
        return None
    return Overruled(
        _joined([part.actions for part in some]), np.concatenate([part.until_ms for part in some])
    )


def known_before(log: Log, overruled: Overruled, ms: int) -> tuple[Int64s, Actions, Overruled | None]:
    """Return offsets and actions of a log as it was before a time, and what was overruled by then.

    It is the set of actions with earlier times, as if no others had ever come.
    """
    users = np.repeat(np.arange(len(log.offsets) - 1, dtype=np.int32), np.diff(log.offsets))
    actions = Actions(users, log.item_rows, log.times_ms, log.weights, log.kinds, log.event_keys)
    actions = actions.at(log.times_ms < ms)
    earlier = overruled.actions.times_ms < ms
    actions = _merged(actions, overruled.actions.at(earlier & (overruled.until_ms >= ms)))
    left = overruled.at(earlier & (overruled.until_ms < ms))
    lengths = np.bincount(actions.users, minlength=len(log.offsets) - 1)
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64), actions, left


def _actions(batch: ActionBatch) -> Actions:
    users = np.repeat(np.arange(batch.n_users, dtype=np.int32), np.diff(batch.offsets))
    return Actions(users, batch.item_rows, batch.times_ms, batch.weights, batch.kinds, batch.event_keys)


def _of_reused_keys(actions: Actions) -> Actions:
    """Return the actions whose event key the user has more than once."""
    actions = actions.at(actions.event_keys != 0)
    order = np.lexsort((actions.event_keys, actions.users))
    users, keys = actions.users[order], actions.event_keys[order]
    same = (users[1:] == users[:-1]) & (keys[1:] == keys[:-1])
    return actions.at(order[np.append(same, False) | np.insert(same, 0, False)])


def _joined(parts: list[Actions]) -> Actions:
    return Actions(
        np.concatenate([part.users for part in parts]),
        np.concatenate([part.item_rows for part in parts]),
        np.concatenate([part.times_ms for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.event_keys for part in parts]),
    )


def _merged(actions: Actions, others: Actions) -> Actions:
    """Return both in canonical order; only users who have others are sorted anew."""
    if not len(others):
        return actions
    both = _joined([actions, others])
    both = both.at(np.argsort(both.users, kind="stable"))
    mixed = np.flatnonzero(np.isin(both.users, others.users))
    order = np.arange(len(both))
    order[mixed] = mixed[both.at(mixed).order()]
    return both.at(order)

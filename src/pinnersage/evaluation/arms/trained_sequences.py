"""Histories as sequences, and examples to learn from: a cut in a history, and what came after it.

All actions of a day stand before or after a cut together: a basket has one time, so the order inside it
says nothing, and what is predicted has to come strictly later than what it is predicted from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.replay import ReplayLog


class Timelines(NamedTuple):
    """Users' items in order of time.

    Attributes
    ----------
    offsets
        int64 ``(n_users + 1,)``.
    ids
        int64 ``(n_actions,)``: 1 and up for items that the model knows.
    times_ms
        int64 ``(n_actions,)``.
    """

    offsets: Int64s
    ids: Int64s
    times_ms: Int64s


class Cuts(NamedTuple):
    """Where examples can be cut: ``first[i]:last[i]`` is to be predicted from what stands before it.

    Attributes
    ----------
    offsets
        int64 ``(n + 1,)``: the cuts of each user that has one.
    starts
        int64 ``(n_cuts,)``: where the user's timeline starts.
    first, last
        int64 ``(n_cuts,)``: the actions within the horizon from the cut's day on.
    """

    offsets: Int64s
    starts: Int64s
    first: Int64s
    last: Int64s


class Examples(NamedTuple):
    """A batch to learn from.

    Attributes
    ----------
    histories
        int64 ``(n, max_length)``, oldest first, filled up with 0 at the end.
    targets
        int64 ``(n, n_targets)`` ids.
    """

    histories: Int64s
    targets: Int64s


def timelines(log: ReplayLog, users: Int32s, ids: Int64s, first_ms: int) -> Timelines:
    """Return the users' actions since a time on items that have an id above 0.

    Parameters
    ----------
    log
        What is known.
    users
        int32 ``(n,)`` positions in the log.
    ids
        int64 ``(n_items,)`` by item row; 0 where the model does not know the item.
    first_ms
        Earlier actions do not count.
    """
    actions = log.actions_of(users)
    kept = (actions.times_ms >= first_ms) & (ids[actions.item_rows] > 0) & likes(actions.weights)
    offsets = np.concatenate(([0], np.cumsum(kept)))[actions.offsets]
    return Timelines(offsets.astype(np.int64), ids[actions.item_rows[kept]], actions.times_ms[kept])


def cuts(lines: Timelines, horizon_days: int) -> Cuts:
    """Return one cut for each day on which a user acted, but the first."""
    lengths = np.diff(lines.offsets)
    users = np.repeat(np.arange(len(lengths)), lengths)
    days = lines.times_ms // MS_PER_DAY
    is_first = np.ones(len(days), np.bool_)
    is_first[1:] = (users[1:] != users[:-1]) | (days[1:] != days[:-1])
    first = np.flatnonzero(is_first)
    first = first[first > lines.offsets[users[first]]]
    # Users and days in one ascending number, so that one search finds every horizon.
    stride = int(days.max(initial=0) - days.min(initial=0)) + horizon_days + 2
    order = users * stride + (days - days.min(initial=0))
    last = np.searchsorted(order, order[first] + horizon_days)
    owners, counts = np.unique(users[first], return_counts=True)
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    return Cuts(offsets, lines.offsets[np.repeat(owners, counts)], first, last.astype(np.int64))


def histories(lines: Timelines, starts: Int64s, stops: Int64s, max_length: int) -> Int64s:
    """Return the newest ids of ``starts[i]:stops[i]``, oldest first, filled up with 0 at the end."""
    starts = np.maximum(starts, stops - max_length)
    at = starts[:, None] + np.arange(max_length)
    inside = at < stops[:, None]
    out = np.zeros((len(starts), max_length), np.int64)
    out[inside] = lines.ids[at[inside]]
    return out


def examples(
    lines: Timelines, where: Cuts, n: int, max_length: int, n_targets: int, rng: np.random.Generator
) -> Examples:
    """Draw examples: a user, one of their cuts, and later items, each with replacement.

    Raises
    ------
    ValueError
        No user has a cut.
    """
    user = rng.integers(len(where.offsets) - 1, size=n)
    cut = rng.integers(where.offsets[user], where.offsets[user + 1])
    at = rng.integers(where.first[cut, None], where.last[cut, None], size=(n, n_targets))
    return Examples(histories(lines, where.starts[cut], where.first[cut], max_length), lines.ids[at])

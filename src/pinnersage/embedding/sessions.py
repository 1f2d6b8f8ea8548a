"""From a log to sessions: which items one user acted on within one span of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage.config import MS_PER_DAY
from pinnersage.embedding._extras import needs_scipy

SparseMatrix = Any
"""A SciPy CSR matrix; SciPy brings no types."""


def session_matrix(
    users: Int64s,
    item_rows: Int32s | Int64s,
    times_ms: Int64s,
    *,
    n_items: int,
    session_days: float,
    max_session_items: int,
) -> SparseMatrix:
    """Return which items stand in which session.

    Parameters
    ----------
    users
        int ``(n_actions,)``: any number that tells users apart.
    item_rows, times_ms
        ``(n_actions,)``.
    n_items
        Width of the result.
    session_days
        Length of a session; 0: all actions of a user are one.
    max_session_items
        Of a larger session the newest items stay (of equally new ones the smaller row).

    Returns
    -------
    float32 CSR ``(n_sessions, n_items)`` of ones; sessions of a single item are left out.
    """
    sessions = _sessions_of(users, times_ms, session_days)
    pair_sessions, pair_rows = _newest_pairs(sessions, item_rows, times_ms, max_session_items)
    sizes = np.bincount(pair_sessions) if len(pair_sessions) else np.zeros(0, np.int64)
    kept = sizes[pair_sessions] > 1
    numbers = np.unique(pair_sessions[kept], return_inverse=True)[1]
    shape = (int(numbers.max()) + 1 if len(numbers) else 0, n_items)
    ones = np.ones(len(numbers), np.float32)
    return needs_scipy().csr_matrix((ones, (numbers, pair_rows[kept])), shape=shape)


def _sessions_of(users: Int64s, times_ms: Int64s, session_days: float) -> Int64s:
    """Return the number of each action's session."""
    owners = np.unique(users, return_inverse=True)[1].astype(np.int64)
    if session_days == 0 or len(users) == 0:
        return owners
    length_ms = max(1, round(session_days * MS_PER_DAY))
    spans = np.unique(times_ms // length_ms, return_inverse=True)[1]
    numbers: Int64s = np.unique(owners * (int(spans.max()) + 1) + spans, return_inverse=True)[1]
    return numbers


def _newest_pairs(sessions: Int64s, item_rows: Any, times_ms: Int64s, most: int) -> tuple[Int64s, Int64s]:
    """Return each (session, item) once, of every session the ``most`` newest."""
    rows = item_rows.astype(np.int64)
    order = np.lexsort((-times_ms, rows, sessions))
    sessions, rows, times_ms = sessions[order], rows[order], times_ms[order]
    first = _starts(sessions) | _starts(rows)
    sessions, rows, times_ms = sessions[first], rows[first], times_ms[first]
    order = np.lexsort((rows, -times_ms, sessions))
    sessions, rows = sessions[order], rows[order]
    starts = np.flatnonzero(_starts(sessions))
    sizes = np.diff(np.append(starts, len(sessions)))
    place = np.arange(len(sessions)) - np.repeat(starts, sizes)
    return sessions[place < most], rows[place < most]


def _starts(values: Int64s) -> Any:
    """Return where a run of equal values starts."""
    return np.concatenate([np.ones(min(1, len(values)), np.bool_), values[1:] != values[:-1]])

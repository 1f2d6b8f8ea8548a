"""Users against items as sparse matrices, and the best of a row of scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY
from pinnersage.evaluation.arms._trained_extras import needed
from pinnersage.evaluation.replay import ReplayLog


def since_ms(until_ms: int, window_days: int | None) -> int:
    """Return the start of a window that ends before a time; 0 without a window."""
    return 0 if window_days is None else until_ms - window_days * MS_PER_DAY


def user_item_matrix(log: ReplayLog, users: Int32s, first_ms: int, *, counted: bool) -> Any:
    """Return who liked what since a time.

    Parameters
    ----------
    log
        What is known.
    users
        int32 ``(n,)`` positions in the log.
    first_ms
        Earlier actions do not count.
    counted
        Write ``log(1 + n)`` of ``n`` actions on the same item; otherwise 1.

    Returns
    -------
    Sparse float32 CSR matrix ``(n, n_items)``.

    Raises
    ------
    UnavailableError
        SciPy is not installed.
    """
    sparse = needed("scipy.sparse", "baselines")
    actions = log.actions_of(users)
    rows = np.repeat(np.arange(len(users)), np.diff(actions.offsets))
    kept = (actions.times_ms >= first_ms) & likes(actions.weights)
    ones = np.ones(int(kept.sum()), np.float32)
    shape = (len(users), log.n_items)
    matrix = sparse.coo_matrix((ones, (rows[kept], actions.item_rows[kept])), shape=shape).tocsr()
    matrix.data = np.log1p(matrix.data) if counted else np.ones_like(matrix.data)
    return matrix


def training_matrix(log: ReplayLog, first_ms: int, *, counted: bool) -> Any:
    """Return :func:`user_item_matrix` of all users that acted since a time, ``(n_active, n_items)``."""
    matrix = user_item_matrix(log, np.arange(log.n_users, dtype=np.int32), first_ms, counted=counted)
    return matrix[np.diff(matrix.indptr) > 0]


def columns_of(matrix: Any) -> Int64s:
    """Return the columns that hold something, ascending."""
    return np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1])).astype(np.int64)


def best_rows(scores: Float32s, allowed: Bools, popular: Int32s, budget: int) -> Int32s:
    """Return the best items of one user; equal scores by smaller row, then popular ones to fill up.

    Parameters
    ----------
    scores
        float32 ``(n_items,)``; ``-inf`` where the model knows nothing.
    allowed
        bool ``(n_items,)``.
    popular
        int32 item rows, most popular first.
    budget
        Items wanted.

    Returns
    -------
    int32 ``(budget,)``, padded with -1.
    """
    rows = np.flatnonzero(allowed & (scores > -np.inf))
    values = scores[rows]
    if len(rows) > budget:
        kept = values >= np.partition(values, len(rows) - budget)[len(rows) - budget]
        rows, values = rows[kept], values[kept]
    chosen = rows[np.lexsort((rows, -values))[:budget]]
    out = np.full(budget, -1, np.int32)
    out[: len(chosen)] = chosen
    if len(chosen) < budget:
        free = allowed.copy()
        free[chosen] = False
        rest = popular[free[popular]][: budget - len(chosen)]
        out[len(chosen) : len(chosen) + len(rest)] = rest
    return out

"""Learning which items are acted on by the same users; see :mod:`pinnersage.ranking.links`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.actions.liking import likes
from pinnersage.config import MS_PER_DAY
from pinnersage.errors import DataError
from pinnersage.ranking._extras import needed, one_thread
from pinnersage.ranking.actions import LogArrays, users_of_actions
from pinnersage.ranking.largest import largest
from pinnersage.ranking.links import ItemLinks, Links

_COSINE_DAMPING = 3.0
_ROWS_AT_ONCE = 512


@kernel
def _count_common(offsets: Int64s, columns: Int32s, n: int) -> Float32s:
    """Return for each pair of columns how many users have both, float32 ``(n, n)``."""
    common = np.zeros((n, n), np.float32)
    for u in range(offsets.shape[0] - 1):
        for i in range(offsets[u], offsets[u + 1]):
            own = common[columns[i]]
            for j in range(offsets[u], offsets[u + 1]):
                own[columns[j]] += np.float32(1.0)
    return common


def links_before(
    log: LogArrays,
    moment_ms: int,
    *,
    window_days: float = 90.0,
    n_items_linked: int = 5_000,
    n_links: int = 200,
    ridge: float = 100.0,
    n_shrunk_links: int = 1_000,
    shrunk_ridge: float = 1_000.0,
) -> Links:
    """Learn links from the actions of the last days before a moment.

    Parameters
    ----------
    n_items_linked
        The items with most users are linked; the others stay alone. Memory and time grow with its
        square and cube: 5,000 take 900 MB.
    n_links, n_shrunk_links
        Links kept for each item; a regression with a large ridge speaks by many weak ones.
    ridge, shrunk_ridge
        Of the two regressions, in users.
    """
    user_offsets, columns, chosen = _user_items(log, moment_ms, window_days, n_items_linked)
    common = _count_common(user_offsets, columns, len(chosen))
    return Links(
        chosen,
        _strongest(_regression(common, ridge), n_links),
        _strongest(_regression(common, shrunk_ridge), n_shrunk_links),
        _strongest(_cosine(common), n_links),
    )


def _user_items(
    log: LogArrays, moment_ms: int, window_days: float, n_items_linked: int
) -> tuple[Int64s, Int32s, Int32s]:
    """Return users' distinct chosen items as ragged columns, and the item of each column."""
    log, n_items = log.as_of(moment_ms), len(log.born_ms)
    recent = (log.times_ms < moment_ms) & (log.times_ms >= moment_ms - window_days * MS_PER_DAY)
    recent &= likes(log.weights)
    pairs = np.unique(users_of_actions(log)[recent].astype(np.int64) * n_items + log.item_rows[recent])
    users, rows = pairs // n_items, pairs % n_items
    n_users = np.bincount(rows, minlength=n_items)
    most = np.argsort(-n_users, kind="stable")[:n_items_linked]
    chosen = np.sort(most[n_users[most] > 1]).astype(np.int32)
    column_of = np.full(n_items, -1, np.int32)
    column_of[chosen] = np.arange(len(chosen))
    kept = column_of[rows] >= 0
    offsets = np.searchsorted(users[kept], np.arange(len(log.offsets))).astype(np.int64)
    return offsets, column_of[rows[kept]], chosen


def _cosine(common: Float32s) -> Float32s:
    n_users = np.diag(common) + _COSINE_DAMPING
    links = common / np.sqrt(n_users[:, None] * n_users[None, :])
    np.fill_diagonal(links, 0.0)
    return links.astype(np.float32)


def _regression(common: Float32s, ridge: float) -> Float32s:
    if not len(common):
        return common  # LAPACK complains of nothing, on the standard output
    # The ridge keeps the matrix positive definite; of it and its inverse one triangle is worked on.
    lapack = needed("scipy.linalg.lapack")
    with one_thread():
        factor, failed = lapack.dpotrf((common + ridge * np.eye(len(common))).T, lower=1, overwrite_a=True)
        inverse, failed = (factor, failed) if failed else lapack.dpotri(factor, lower=1, overwrite_c=True)
    if failed:
        raise DataError(f"fitting a ranker: counts of common users could not be inverted (LAPACK: {failed})")
    below = np.tril(inverse, -1)
    links: Float32s = ((below + below.T) / -np.diag(inverse)[None, :]).astype(np.float32)
    return links


def _strongest(matrix: npt.NDArray[Any], n_links: int) -> ItemLinks:
    """Keep the ``n_links`` entries of largest size of each row; equal ones by smaller item."""
    n = min(n_links, max(0, len(matrix) - 1))
    at = np.empty((len(matrix), n), np.int32)
    for start in range(0, len(matrix) if n else 0, _ROWS_AT_ONCE):
        sizes = np.abs(matrix[start : start + _ROWS_AT_ONCE])
        at[start : start + len(sizes)] = largest(sizes, n)
    strengths = np.take_along_axis(matrix, at, axis=1)
    offsets = np.arange(len(matrix) + 1, dtype=np.int64) * n
    return ItemLinks(offsets, at.reshape(-1), strengths.reshape(-1))

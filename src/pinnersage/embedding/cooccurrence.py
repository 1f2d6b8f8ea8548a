"""Positive pointwise mutual information of items that stand in the same sessions.

With ``c(i, j)`` the number of sessions that hold both items, ``r(i) = sum over j of c(i, j)`` and the
smoothing exponent ``s``, the context frequencies are ``r(j)^s`` and the symmetrical (geometric) mean of
both directions is ::

    pmi(i, j) = log c(i, j) + log sum_k r(k)^s - (1 + s) / 2 * (log r(i) + log r(j))
    ppmi(i, j) = max(0, pmi(i, j) - shift)

Sources: Levy and Goldberg 2014 (shifted PPMI), Levy, Goldberg and Dagan 2015 (smoothing).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pinnersage._arrays import Float64s
from pinnersage.embedding._extras import needs_scipy
from pinnersage.embedding.sessions import SparseMatrix

_BLOCK_PAIRS = 20_000_000
Told = Callable[[int, int], None]


def ppmi(
    sessions: SparseMatrix, *, shift: float, smoothing: float, max_neighbors: int, told: Told | None = None
) -> SparseMatrix:
    """Return the mutual information of items, a block of rows at a time so that memory stays bounded.

    Parameters
    ----------
    sessions
        float32 CSR ``(n_sessions, n_items)`` of ones.
    shift, smoothing
        See above.
    max_neighbors
        Of a row with more entries the largest stay.
    told
        Called with the items done and their number.

    Returns
    -------
    float32 CSR ``(n_items, n_items)``, its diagonal empty; symmetrical where no row was cut.
    """
    n_items = sessions.shape[1]
    by_item = sessions.T.tocsr()
    n_others = np.asarray(sessions.sum(axis=1), np.float64).ravel() - 1
    totals = by_item.astype(np.float64) @ n_others
    damped = _logs(totals) * (1 + smoothing) / 2
    constant = np.log(np.sum(totals[totals > 0] ** smoothing)) - shift if totals.any() else 0.0
    blocks = []
    ends = _block_ends(by_item, n_others)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        counts = (by_item[start:end] @ sessions).tocoo()
        blocks.append(_kept(counts, start, constant, damped, max_neighbors))
        if told is not None:
            told(end, n_items)
    return needs_scipy().vstack(blocks, format="csr", dtype=np.float32)


def _logs(values: Float64s) -> Float64s:
    return np.log(values, out=np.zeros_like(values), where=values > 0)


def _block_ends(by_item: SparseMatrix, n_others: Float64s) -> list[int]:
    """Return where blocks of rows end that count at most some millions of pairs each, or one row."""
    pairs = np.cumsum(by_item @ (n_others + 1))
    n_items = by_item.shape[0]
    ends: list[int] = []
    while not ends or ends[-1] < n_items:
        start = ends[-1] if ends else 0
        before = pairs[start - 1] if start else 0.0
        end = int(np.searchsorted(pairs, before + _BLOCK_PAIRS, side="right"))
        ends.append(min(max(end, start + 1), n_items))
    return ends


def _kept(counts: Any, start: int, constant: float, damped: Float64s, max_neighbors: int) -> SparseMatrix:
    values = (
        np.log(counts.data.astype(np.float64)) + constant - damped[counts.row + start] - damped[counts.col]
    )
    keep = (values > 0) & (counts.row + start != counts.col)
    rows, columns, values = counts.row[keep], counts.col[keep], values[keep]
    block = needs_scipy().csr_matrix((values.astype(np.float32), (rows, columns)), shape=counts.shape)
    return _largest(block, max_neighbors)


def _largest(block: SparseMatrix, most: int) -> SparseMatrix:
    """Return a block with the ``most`` largest entries of each row; of equal ones the smaller column's."""
    sizes = np.diff(block.indptr)
    if not (sizes > most).any():
        return block
    block.sort_indices()
    rows = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((block.indices, -block.data, rows))
    place = np.arange(len(rows)) - np.repeat(block.indptr[:-1], sizes)
    kept = np.sort(order[place < most])
    parts = (block.data[kept], (rows[kept], block.indices[kept]))
    return needs_scipy().csr_matrix(parts, shape=block.shape)

"""Cosines between items, and which of a user's interests each item is nearest to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.retrieval._scores import Matrix, as_matrix, dot
from pinnersage.retrieval.balance import unit_rows

N_RANKS = 11
"""Interests by rank of importance: the first ten, and all others together."""


class Cosines(NamedTuple):
    """Unit embeddings, and all their products (or ``(0, 0)`` when those take too much room)."""

    matrix: Matrix
    table: Float32s


def without_table(embeddings: Float32s) -> Cosines:
    """Scale embeddings to unit length; products are made when asked for."""
    return Cosines(as_matrix(unit_rows(embeddings)), np.empty((0, 0), np.float32))


@kernel
def cosine(cosines: Cosines, i: int, j: int) -> float:
    """Return the cosine of two items."""
    if cosines.table.shape[0] > 0:
        return float(cosines.table[i, j])
    return float(dot(cosines.matrix[i], cosines.matrix[j]))


@kernel
def nearest_shares(cosines: Cosines, rows: Int32s, medoids: Int32s) -> Float64s:
    """Return the share of ``rows`` that is nearest to each medoid; of equally near ones the first counts."""
    shares = np.zeros(medoids.shape[0], np.float64)
    best, nearest = np.full(rows.shape[0], -np.inf), np.zeros(rows.shape[0], np.int64)
    for m in range(medoids.shape[0]):
        for k in range(rows.shape[0]):
            near = cosine(cosines, medoids[m], rows[k])
            if near > best[k]:
                best[k], nearest[k] = near, m
    for k in range(rows.shape[0]):
        shares[nearest[k]] += 1.0 / rows.shape[0]
    return shares


@kernel
def add_by_rank(shares: Float64s, out: Float64s) -> None:
    """Add the shares of interests, most important first, to their ranks; ``out`` is ``(N_RANKS,)``."""
    for m in range(shares.shape[0]):
        out[min(m, out.shape[0] - 1)] += shares[m]


@kernel
def shares_by_rank(
    cosines: Cosines,
    offsets: Int64s,
    rows: Int32s,
    interest_offsets: Int64s,
    medoids: Int32s,
    importance_shares: Float64s,
    out: Float64s,
) -> None:
    """Fill ``out[user, rank]`` with the shares of importance and of items nearest to the interest.

    Parameters
    ----------
    cosines
        Of all items.
    offsets, rows
        Items of user ``u``: ``rows[offsets[u]:offsets[u + 1]]``.
    interest_offsets, medoids, importance_shares
        Interests of user ``u``, most important first.
    out
        float64 ``(n_users, N_RANKS, 2)``, zeros; stays so for users without items or interests.
    """
    for u in range(out.shape[0]):
        own = rows[offsets[u] : offsets[u + 1]]
        mine = slice(interest_offsets[u], interest_offsets[u + 1])
        if own.shape[0] > 0 and interest_offsets[u + 1] > interest_offsets[u]:
            add_by_rank(importance_shares[mine], out[u, :, 0])
            add_by_rank(nearest_shares(cosines, own, medoids[mine]), out[u, :, 1])

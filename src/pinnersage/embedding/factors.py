"""Few dimensions from many: truncated decompositions, seeded and the same at any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage.embedding._extras import needed, one_thread

_N_ITERATIONS = 5
_SMALLEST_SHARE = 1e-6


def unit_rows(rows: Any) -> Float32s:
    """Return float32 rows of length one; rows of zeros stay."""
    matrix = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    units: Float32s = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return units


def left_factors(matrix: Any, n_dimensions: int, power: float, seed: int) -> Float32s:
    """Return ``U * s^power`` of a truncated randomised singular value decomposition ``U s V``.

    Parameters
    ----------
    matrix
        Sparse ``(n, m)``.
    n_dimensions
        Upper bound; dimensions whose singular value is next to nothing are left out.
    power
        Exponent of the singular values.
    seed
        Seeds the draw.

    Returns
    -------
    float32 ``(n, <= n_dimensions)``.
    """
    n_kept = min(n_dimensions, min(matrix.shape))
    if n_kept == 0 or matrix.nnz == 0:
        return np.zeros((matrix.shape[0], 0), np.float32)
    decompose = needed("sklearn.utils.extmath", "embed").randomized_svd
    with one_thread():
        left, values, _ = decompose(matrix, n_kept, n_iter=_N_ITERATIONS, random_state=seed)
    kept = values > _SMALLEST_SHARE * values[0]
    factors: Float32s = (left[:, kept] * values[kept] ** power).astype(np.float32)
    return factors


def reduced(rows: Float32s, n_dimensions: int) -> Float32s:
    """Return rows in the ``n_dimensions`` directions that keep most of their dot products, at unit length.

    Rows that are narrow enough are only scaled.
    """
    if rows.shape[1] <= n_dimensions:
        return unit_rows(rows)
    with one_thread():
        _, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
        kept = axes[:, ::-1][:, :n_dimensions]
        # An eigenvector's sign is arbitrary: the largest entry is made positive.
        kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
        return unit_rows(rows @ kept.astype(np.float32))

"""Few dimensions from many: truncated decompositions, seeded and the same at any number of threads."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class Factors(NamedTuple):
    """A truncated decomposition ``left * diag(values) * right``: float32 ``(n, k)``, ``(k,)``, ``(k, m)``."""

    left: Float32s
    values: Float32s
    right: Float32s


def factors_of(matrix: Any, n_dimensions: int, seed: int) -> Factors:
    """Return a truncated randomised singular value decomposition.

    Parameters
    ----------
    matrix
        Sparse ``(n, m)``.
    n_dimensions
        Upper bound; dimensions whose singular value is next to nothing are left out.
    seed
        Seeds the draw.
    """
    n_kept = min(n_dimensions, min(matrix.shape))
    if n_kept == 0 or matrix.nnz == 0:
        n, m = matrix.shape
        return Factors(*(np.zeros(shape, np.float32) for shape in ((n, 0), (0,), (0, m))))
    decompose = needed("sklearn.utils.extmath", "embed").randomized_svd
    with one_thread():
        left, values, right = decompose(matrix, n_kept, n_iter=_N_ITERATIONS, random_state=seed)
    kept = values > _SMALLEST_SHARE * values[0]
    return Factors(left[:, kept], values[kept], right[kept])


def left_factors(matrix: Any, n_dimensions: int, power: float, seed: int) -> Float32s:
    """Return ``left * values^power`` of :func:`factors_of`, float32 ``(n, <= n_dimensions)``."""
    found = factors_of(matrix, n_dimensions, seed)
    factors: Float32s = (found.left * found.values**power).astype(np.float32)
    return factors


def main_axes(rows: Float32s, n_dimensions: int) -> Float32s | None:
    """Return the ``n_dimensions`` directions that keep most of the rows' dot products, as columns.

    None where rows are narrow enough as they are.
    """
    if rows.shape[1] <= n_dimensions:
        return None
    with one_thread():
        _, vectors = np.linalg.eigh((rows.T @ rows).astype(np.float64))
        kept = vectors[:, ::-1][:, :n_dimensions]
        # An eigenvector's sign is arbitrary: the largest entry is made positive.
        kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    axes: Float32s = kept.astype(np.float32)
    return axes


def along(rows: Float32s, axes: Float32s | None) -> Float32s:
    """Return rows along the axes of :func:`main_axes`, at unit length; without axes they are only scaled."""
    if axes is None:
        return unit_rows(rows)
    with one_thread():
        return unit_rows(rows @ axes)


def reduced(rows: Float32s, n_dimensions: int) -> Float32s:
    """Return rows along the directions that keep most of their own dot products, at unit length."""
    return along(rows, main_axes(rows, n_dimensions))

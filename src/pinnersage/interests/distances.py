"""Squared distances between all rows of one user's matrix, in float32.

Four rows against four give sixteen running products that stay in vector registers. For the tens to
hundreds of rows a user has, this is as fast as a call into BLAS, needs no thread limit, and runs
inside the same lock-free kernel as the clustering. Rounding is bounded by :func:`rounding_unit`;
whoever compares two distances closer than that asks :mod:`pinnersage.interests.exact`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Float32s, Int64s
from pinnersage._kernel import kernel, vector_kernel

_ZERO = np.float32(0)
_TWO = np.float32(2)
_INF = np.float32(np.inf)
_STRIP = 64


@vector_kernel
def _squared_norm(row: Float32s) -> np.float32:
    total = _ZERO
    for k in range(row.shape[0]):
        total += row[k] * row[k]
    return total


@kernel
def padded(n: int) -> int:
    """Round ``n`` up to whole blocks; the rows between are zero and take no part."""
    return (n + 3) // 4 * 4


@vector_kernel
def mean_point(source: npt.NDArray[Any], rows: Int64s) -> Float32s:
    """Return the mean of ``source[rows]``."""
    mean = np.zeros(source.shape[1], np.float32)
    for i in range(rows.shape[0]):
        row = rows[i]
        for k in range(mean.shape[0]):
            mean[k] += np.float32(source[row, k])
    for k in range(mean.shape[0]):
        mean[k] /= np.float32(rows.shape[0])
    return mean


@vector_kernel
def gather_less(source: npt.NDArray[Any], rows: Int64s, mean: Float32s, points: Float32s) -> None:
    """Copy ``source[rows]``, less ``mean``, into ``points``, and zero what is left of ``points``."""
    for i in range(rows.shape[0]):
        row = rows[i]
        for k in range(mean.shape[0]):
            points[i, k] = np.float32(source[row, k] - mean[k])
    points[rows.shape[0] :] = np.float32(0)


@kernel
def gather_centered(source: npt.NDArray[Any], rows: Int64s, points: Float32s) -> None:
    """Copy ``source[rows]`` into ``points``, less their mean, and zero what is left of ``points``.

    Ward does not see a shift of all points, float32 does: around the mean it loses least.
    """
    gather_less(source, rows, mean_point(source, rows), points)


@vector_kernel
def _put(
    out: Float32s,
    squares: Float32s,
    i: int,
    j: int,
    p0: np.float32,
    p1: np.float32,
    p2: np.float32,
    p3: np.float32,
) -> None:
    """Turn inner products of point ``i`` with ``j..j+3`` into distances; write them and their mirror."""
    own = squares[i]
    d0 = max(_ZERO, own + squares[j] - _TWO * p0)
    d1 = max(_ZERO, own + squares[j + 1] - _TWO * p1)
    d2 = max(_ZERO, own + squares[j + 2] - _TWO * p2)
    d3 = max(_ZERO, own + squares[j + 3] - _TWO * p3)
    out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = d0, d1, d2, d3
    out[j, i], out[j + 1, i], out[j + 2, i], out[j + 3, i] = d0, d1, d2, d3


@vector_kernel
def _four_rows(points: Float32s, squares: Float32s, i: int, start: int, end: int, out: Float32s) -> None:
    """Fill rows ``i..i+3`` of ``out`` in columns ``start:end``, and their mirror."""
    a0, a1, a2, a3 = points[i], points[i + 1], points[i + 2], points[i + 3]
    for j in range(start, end, 4):
        b0, b1, b2, b3 = points[j], points[j + 1], points[j + 2], points[j + 3]
        s00, s01, s02, s03 = _ZERO, _ZERO, _ZERO, _ZERO
        s10, s11, s12, s13 = _ZERO, _ZERO, _ZERO, _ZERO
        s20, s21, s22, s23 = _ZERO, _ZERO, _ZERO, _ZERO
        s30, s31, s32, s33 = _ZERO, _ZERO, _ZERO, _ZERO
        for k in range(points.shape[1]):
            x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
            y0, y1, y2, y3 = b0[k], b1[k], b2[k], b3[k]
            s00, s01, s02, s03 = s00 + x0 * y0, s01 + x0 * y1, s02 + x0 * y2, s03 + x0 * y3
            s10, s11, s12, s13 = s10 + x1 * y0, s11 + x1 * y1, s12 + x1 * y2, s13 + x1 * y3
            s20, s21, s22, s23 = s20 + x2 * y0, s21 + x2 * y1, s22 + x2 * y2, s23 + x2 * y3
            s30, s31, s32, s33 = s30 + x3 * y0, s31 + x3 * y1, s32 + x3 * y2, s33 + x3 * y3
        _put(out, squares, i, j, s00, s01, s02, s03)
        _put(out, squares, i + 1, j, s10, s11, s12, s13)
        _put(out, squares, i + 2, j, s20, s21, s22, s23)
        _put(out, squares, i + 3, j, s30, s31, s32, s33)


@kernel
def _blocks_of_four(points: Float32s, squares: Float32s, out: Float32s) -> None:
    """Fill ``out`` block by block, upper blocks and their mirror, one strip of columns after the other.

    So the points of a strip, and the lines of its mirror that are being filled, stay in the nearest caches.
    """
    n = points.shape[0]
    for start in range(0, n, _STRIP):
        end = min(start + _STRIP, n)
        for i in range(0, end, 4):
            _four_rows(points, squares, i, max(i, start), end, out)


@kernel
def squared_norms(points: Float32s, squares: Float32s) -> None:
    """Fill ``squares`` with the squared norm of each row."""
    for i in range(points.shape[0]):
        squares[i] = _squared_norm(points[i])


@vector_kernel
def squared_distances_between(
    points: Float32s, squares: Float32s, others: Float32s, other_squares: Float32s, out: Float32s
) -> None:
    """Fill ``out`` with ``||points[i] - others[j]||^2``.

    Parameters
    ----------
    points, others
        float32 ``(n, d)`` and ``(m, d)``, C order, ``m`` a multiple of four (see :func:`padded`).
    squares, other_squares
        float32 ``(n,)`` and ``(m,)``: their :func:`squared_norms`.
    out
        float32 ``(n, m)``, never negative.
    """
    for i in range(points.shape[0]):
        a = points[i]
        for j in range(0, others.shape[0], 4):
            b0, b1, b2, b3 = others[j], others[j + 1], others[j + 2], others[j + 3]
            s0, s1, s2, s3 = _ZERO, _ZERO, _ZERO, _ZERO
            for k in range(points.shape[1]):
                x = a[k]
                s0, s1, s2, s3 = s0 + x * b0[k], s1 + x * b1[k], s2 + x * b2[k], s3 + x * b3[k]
            out[i, j] = max(_ZERO, squares[i] + other_squares[j] - _TWO * s0)
            out[i, j + 1] = max(_ZERO, squares[i] + other_squares[j + 1] - _TWO * s1)
            out[i, j + 2] = max(_ZERO, squares[i] + other_squares[j + 2] - _TWO * s2)
            out[i, j + 3] = max(_ZERO, squares[i] + other_squares[j + 3] - _TWO * s3)


@kernel
def squared_distances(points: Float32s, squares: Float32s, out: Float32s) -> None:
    """Fill ``out`` with ``||points[i] - points[j]||^2``, infinity on the diagonal.

    Parameters
    ----------
    points
        float32 ``(n, d)``, C order, ``n`` a multiple of four (see :func:`padded`).
    squares
        float32 ``(n,)``, receives the squared norms.
    out
        float32 ``(n, n)``, symmetric on return, never negative.
    """
    squared_norms(points, squares)
    _blocks_of_four(points, squares, out)
    for i in range(points.shape[0]):
        out[i, i] = _INF


@kernel
def rounding_unit(squares: Float32s, n_dimensions: int) -> np.float32:
    """Return a bound on the absolute error of one squared distance.

    Sixteen interleaved float32 sums of ``d / 16`` terms err by a few units in the last place of the
    largest squared norm; the bound leaves a factor of about four over the worst seen in tests.
    """
    largest = np.float32(0)
    for square in squares:
        largest = max(largest, square)
    return np.float32(largest * np.float32(4e-6) * np.float32(max(1.0, np.sqrt(n_dimensions / 256.0))))

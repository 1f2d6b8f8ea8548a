"""The one inner product all of retrieval uses, and the order "score descending, then row ascending".

Every published score comes out of :func:`score_rows`, so an approximate index and the exact one
give the same bits for the same pair, whatever the thread count or the batch they are asked in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

from pinnersage._arrays import Float32s, Int32s, Int64s, UInt64s
from pinnersage._kernel import kernel, vector_kernel
from pinnersage.errors import UsageError

Matrix = npt.NDArray[Any]
"""Embeddings as kernels take them: float32, or the bits of float16 as uint16; read-only, C order."""

_ROW_BITS = np.uint64(32)
_ROW_MASK = np.uint64(0xFFFF_FFFF)
_SIGN = np.uint32(0x8000_0000)


def as_matrix(embeddings: npt.NDArray[Any]) -> Matrix:
    """View a float32 or float16 matrix the way kernels take it, without copying a memory map.

    Raises
    ------
    UsageError
        It is of another type.
    """
    if embeddings.dtype not in (np.float32, np.float16):
        raise UsageError(f"embeddings: expected float32 or float16, got {embeddings.dtype}")
    plain = np.ascontiguousarray(embeddings).view(np.ndarray)
    view = plain.view(np.uint16) if plain.dtype == np.float16 else plain.view(np.float32)
    view.flags.writeable = False  # one compiled kernel for memory maps and arrays alike
    return view


def as_float32(embeddings: npt.NDArray[Any], rows: Int32s) -> Float32s:
    """Return the embeddings of ``rows`` as float32 ``(n_rows, dim)``."""
    return np.asarray(embeddings[rows], dtype=np.float32)


def widen(value: Any) -> Any:
    """Inside a kernel: the float32 that ``value`` (float32, or the bits of a finite float16) stands for."""
    raise NotImplementedError("only for use inside kernels")


@overload(widen, inline="always", strict=False)
def _widen(value: Any) -> Any:
    if isinstance(value, types.Float):
        return lambda value: value

    def from_half(value: Any) -> Any:
        magnitude = np.uint32((np.uint32(value) & np.uint32(0x7FFF)) << np.uint32(13))
        widened = magnitude.view(np.float32) * np.float32(2.0**112)
        return -widened if value & np.uint16(0x8000) else widened

    return from_half


@vector_kernel
def dot(a: Float32s, b: Matrix) -> Any:
    """Inner product of a float32 vector and a row of a matrix."""
    total = np.float32(0)
    for j in range(len(a)):
        total += a[j] * widen(b[j])
    return total


@kernel
def score_rows(queries: Float32s, matrix: Matrix, rows: Int32s, scores: Float32s) -> None:
    """Write the inner product of query ``i`` and item ``rows[i, j]``; ``-inf`` for row -1."""
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            row = rows[i, j]
            scores[i, j] = dot(queries[i], matrix[row]) if row >= 0 else -np.inf


def products(queries: Float32s, matrix: Matrix, rows: Int32s) -> Float32s:
    """Return the inner product of each item with each query, float32 ``(n_rows, n_queries)``.

    For small products: a library's threads would wait for each other, on a busy machine for milliseconds.
    """
    out = np.empty((len(rows), len(queries)), np.float32)
    if out.size:
        fill_products(queries, matrix, rows, out)
    return out


@kernel
def fill_products(queries: Float32s, matrix: Matrix, rows: Int32s, out: Float32s) -> None:
    """Write :func:`products`: by two items and four queries, so that what was read is used more than once.

    At the ends the last one is taken again: the same pair gives the same bits at any place.
    """
    last_row, last = len(rows) - 1, len(queries) - 1
    x, y = np.empty(queries.shape[1], np.float32), np.empty(queries.shape[1], np.float32)
    for r in range(0, len(rows), 2):
        s = min(r + 1, last_row)
        widen_row(matrix[rows[r]], x)
        widen_row(matrix[rows[s]], y)
        for i in range(0, len(queries), 4):
            a, b, c = min(i + 1, last), min(i + 2, last), min(i + 3, last)
            found = _eight_products(queries[i], queries[a], queries[b], queries[c], x, y)
            out[r, i], out[r, a], out[r, b], out[r, c] = found[0], found[1], found[2], found[3]
            out[s, i], out[s, a], out[s, b], out[s, c] = found[4], found[5], found[6], found[7]


@kernel
def widen_row(row: Matrix, out: Float32s) -> None:
    """Write a row as float32."""
    for j in range(len(out)):
        out[j] = widen(row[j])


@vector_kernel
def _eight_products(a: Float32s, b: Float32s, c: Float32s, d: Float32s, x: Float32s, y: Float32s) -> Any:
    ax = bx = cx = dx = ay = by = cy = dy = np.float32(0)
    for j in range(len(a)):
        ax += a[j] * x[j]
        bx += b[j] * x[j]
        cx += c[j] * x[j]
        dx += d[j] * x[j]
        ay += a[j] * y[j]
        by += b[j] * y[j]
        cy += c[j] * y[j]
        dy += d[j] * y[j]
    return ax, bx, cx, dx, ay, by, cy, dy


def best_rows(queries: Float32s, matrix: Matrix, rows: Int32s, k: int) -> tuple[Float32s, Int32s]:
    """Score candidate rows (-1 for none) and keep the best ``k``, padded to width ``k``."""
    scores = np.empty(rows.shape, np.float32)
    score_rows(queries, matrix, rows, scores)
    keys = order_keys(scores, rows)
    n_kept = min(k, rows.shape[1])
    if n_kept < rows.shape[1]:
        keys.partition(keys.shape[1] - n_kept, axis=1)
        keys = keys[:, keys.shape[1] - n_kept :]
    keys.sort(axis=1)
    return _unpack(keys[:, ::-1], k)


def order_keys(scores: Float32s, rows: Int32s) -> UInt64s:
    """Pack (score, row) so that a larger key is a better score or, at equal scores, a smaller row."""
    bits = (scores + np.float32(0)).view(np.uint32)  # adding 0 makes -0.0 equal to 0.0
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    return (ordered << _ROW_BITS) | (_ROW_MASK - rows.astype(np.uint32).astype(np.uint64))


def rows_of_keys(keys: UInt64s) -> Int32s:
    """Return the rows that :func:`order_keys` packed."""
    return (_ROW_MASK - (keys & _ROW_MASK)).astype(np.uint32).view(np.int32)


def _unpack(keys: UInt64s, k: int) -> tuple[Float32s, Int32s]:
    scores = np.full((len(keys), k), -np.inf, np.float32)
    rows = np.full((len(keys), k), -1, np.int32)
    ordered = (keys >> _ROW_BITS).astype(np.uint32)
    scores[:, : keys.shape[1]] = np.where(ordered & _SIGN, ordered ^ _SIGN, ~ordered).view(np.float32)
    rows[:, : keys.shape[1]] = rows_of_keys(keys)
    return scores, rows


def nearest_query(queries: Float32s, matrix: Matrix, rows: Int32s) -> tuple[Int32s, Float32s, Int32s]:
    """Give each row to its nearest query (the first of equals); return rows, scores, queries by score."""
    scores, nearest = np.empty(len(rows), np.float32), np.empty(len(rows), np.int32)
    order = nearest_queries(queries, matrix, rows, scores, nearest)
    return rows[order], scores[order], nearest[order]


def nearest_position(queries: Float32s, matrix: Matrix, rows: Int32s) -> Int32s:
    """Return the position of each row's nearest query, the first of equals, int32 ``(n,)``."""
    nearest = np.empty(len(rows), np.int32)
    nearest_queries(queries, matrix, rows, np.empty(len(rows), np.float32), nearest)
    return nearest


@kernel
def nearest_queries(
    queries: Float32s, matrix: Matrix, rows: Int32s, scores: Float32s, nearest: Int32s
) -> Int64s:
    """Write each row's best score and the first query that has it; return their order, best first.

    Of equal scores the smaller row comes first; rows are different.
    """
    for j in range(len(rows)):
        scores[j], nearest[j] = -np.inf, 0
        for i in range(len(queries)):
            score = dot(queries[i], matrix[rows[j]])
            if score > scores[j]:
                scores[j], nearest[j] = score, i
    by_row = np.argsort(rows)
    return by_row[np.argsort(-scores[by_row], kind="mergesort")]

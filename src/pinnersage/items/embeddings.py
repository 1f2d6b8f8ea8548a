"""Embedding columns of every kind (lists, text, a matrix beside the table) as checked float rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from pinnersage._arrays import Float32s, Int64s
from pinnersage._tables.engine import Connection, translated
from pinnersage.errors import SchemaError, UsageError
from pinnersage.items._normalize import FIT, NOT_FINITE, ZERO, check_rows

_REASONS = {NOT_FINITE: "embedding_not_finite", ZERO: "embedding_zero"}
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)

Matrix = npt.NDArray[Any]


Fault = tuple[int, str, object]
"""Position in the batch, reason, and what to show."""


@dataclass(slots=True)
class EmbeddingReader:
    """Turns batches into float rows; the first batch decides the width.

    Attributes
    ----------
    table
        Name of the table, for messages.
    normalize, dtype
        As in :class:`~pinnersage.config.ImportConfig`.
    width
        Number of dimensions; None until known.
    """

    table: str
    normalize: bool
    dtype: str
    width: int | None = None

    def read(self, column: pa.Array | Matrix, connection: Connection) -> tuple[Matrix, Int64s, list[Fault]]:
        """Check one batch.

        Returns
        -------
        rows
            ``(n_fit, width)`` of the final dtype, in order.
        positions
            int64 ``(n_fit,)``: where in the batch they stood.
        faults
            One for each of the others.
        """
        values, positions, faults = self._matrix(column, connection)
        out = np.empty(values.shape, dtype=np.float32)
        codes = np.empty(len(values), dtype=np.uint8)
        check_rows(values, self.normalize, out, codes)
        stored = self._stored(out, codes)
        for i in np.flatnonzero(codes != FIT).tolist():
            faults.append((int(positions[i]), _REASONS[int(codes[i])], _preview(values[i])))
        return stored[codes == FIT], positions[codes == FIT], faults

    def _stored(self, out: Float32s, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating[Any]]:
        with np.errstate(over="ignore", under="ignore"):
            stored = out.astype(self.dtype, copy=False)
        fit = codes == FIT
        codes[fit & ~np.isfinite(stored).all(axis=1)] = NOT_FINITE
        codes[fit & (codes == FIT) & ~stored.any(axis=1)] = ZERO
        return stored

    def _matrix(self, column: Any, connection: Connection) -> tuple[Matrix, Int64s, list[Fault]]:
        if isinstance(column, np.ndarray):
            self.width = self.width or column.shape[1]
            return _floats(column), np.arange(len(column)), []
        given = column
        if _is_text(column.type):
            column = _parsed(column, connection)
        column = _plain_list(column, self.table)
        lengths = pa.compute.fill_null(pa.compute.list_value_length(column), 0).to_numpy().astype(np.int64)
        if self.width is None:
            self.width = _usual_width(lengths)
        usable = np.flatnonzero(lengths == self.width) if self.width else np.zeros(0, np.int64)
        values = pa.compute.list_flatten(column.take(pa.array(usable)))
        return (
            _float_values(values).reshape(len(usable), self.width or 0),
            usable,
            self._unusable(given, lengths),
        )

    def _unusable(self, given: pa.Array, lengths: Int64s) -> list[Fault]:
        faults: list[Fault] = []
        wrong = np.flatnonzero(lengths != self.width) if self.width else np.arange(len(lengths))
        for i in wrong.tolist():
            if lengths[i]:
                found = f"expected {self.width} numbers, found {lengths[i]}"
                faults.append((i, "embedding_wrong_width", found))
                continue
            text = given[i].as_py() if _is_text(given.type) else None
            unparsable = text is not None and text.strip("[] \t") != ""
            faults.append((i, "embedding_unparsable" if unparsable else "embedding_missing", text))
        return faults


def _is_text(kind: pa.DataType) -> bool:
    return any(fits(kind) for fits in _TEXTS)


def open_matrix(path: Path | str | Matrix) -> Matrix:
    """Map a ``.npy`` matrix into memory, or check one that is in memory.

    Raises
    ------
    UsageError
        The file does not exist, or it is neither a path nor an array.
    SchemaError
        It is not a matrix of numbers.
    """
    name = str(path) if isinstance(path, (str, Path)) else "the matrix of embeddings"
    if isinstance(path, np.ndarray):
        matrix: Matrix = path
    elif not isinstance(path, (str, Path)):
        raise UsageError(
            f"embeddings_npy: expected a path or an array of NumPy, got {type(path).__name__}: "
            "give numpy.asarray of it"
        )
    elif not Path(path).exists():
        raise UsageError(f"{path}: no such file. Check the path of the embeddings.")
    else:
        try:
            with translated(name):
                matrix = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise SchemaError(f"{name}: cannot be read as a .npy matrix ({error})") from error
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu" or matrix.shape[1] == 0:
        raise SchemaError(
            f"{name}: expected a matrix of numbers (n_items, n_dimensions), "
            f"found shape {matrix.shape} of {matrix.dtype}"
        )
    return matrix


def is_embedding_type(kind: pa.DataType) -> bool:
    """Return whether a column of this type may hold embeddings."""
    lists = (*_LISTS, pa.types.is_list_view, pa.types.is_large_list_view)
    return any(fits(kind) for fits in (*lists, *_TEXTS))


def _plain_list(column: pa.Array, table: str) -> pa.Array:
    kind = column.type
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        column = column.cast(pa.large_list(kind.value_type))
        kind = column.type
    if not any(fits(kind) for fits in _LISTS) or not _is_number(kind.value_type):
        raise SchemaError(f"{table}: expected lists of numbers in embedding, found {kind}")
    return column


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _float_values(values: pa.Array) -> Matrix:
    if pa.types.is_decimal(values.type) or pa.types.is_integer(values.type):
        values = values.cast(pa.float64(), safe=False)
    if values.null_count:
        kind = np.float64 if values.type == pa.float64() else np.float32
        values = values.cast(pa.from_numpy_dtype(kind)).fill_null(float("nan"))
    return _floats(values.to_numpy(zero_copy_only=False))


def _floats(values: Matrix) -> Matrix:
    wide = np.float64 if values.dtype.kind in "iu" or values.dtype.itemsize > 4 else np.float32
    return np.ascontiguousarray(values, dtype=wide)


def _usual_width(lengths: npt.NDArray[np.int64]) -> int | None:
    """Return the most common length above 0, of equally common ones the first to occur."""
    present = lengths[lengths > 0]
    if not len(present):
        return None
    widths, first, counts = np.unique(present, return_index=True, return_counts=True)
    return int(widths[np.lexsort((first, -counts))[0]])


def _parsed(column: pa.Array, connection: Connection) -> pa.Array:
    """Parse texts such as ``[0.1, 0.2]``, also without brackets or with spaces or semicolons."""
    connection.register("embedding_texts", pa.table({"text": column}))
    bare = "trim(text, ' []\t\r\n')"
    tidy = f"'[' || regexp_replace({bare}, '[;,\\s]+', ',', 'g') || ']'"
    listed = "starts_with(text, '[') AND contains(text, ',')"
    numbers = f"CASE WHEN {listed} THEN TRY_CAST(text AS DOUBLE[]) ELSE TRY_CAST({tidy} AS DOUBLE[]) END"
    whole = "CASE WHEN list_count(numbers) = len(numbers) THEN numbers END AS numbers"
    sql = f"SELECT {whole} FROM (SELECT {numbers} AS numbers FROM embedding_texts)"
    parsed = connection.sql(sql).to_arrow_table()
    connection.unregister("embedding_texts")
    lists = parsed.column("numbers").combine_chunks()
    return lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists


def _preview(row: Matrix) -> str:
    return "[" + ", ".join(f"{x:g}" for x in row[:4]) + (", ...]" if len(row) > 4 else "]")

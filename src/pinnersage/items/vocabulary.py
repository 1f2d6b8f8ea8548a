"""Item ids in ascending order, memory-mapped: the position of an id is the item's row."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pinnersage._arrays import Int32s, Int64s, UInt8s
from pinnersage._ids import ItemId, ItemRow
from pinnersage.errors import DataError, StoredFormatError
from pinnersage.items._files import finished_file
from pinnersage.items._search import find_strings, gather

UNKNOWN = -1


class ItemVocabulary:
    """Sorted, unique item ids: integers ascending, or strings ascending by their UTF-8 bytes.

    Parameters
    ----------
    ids
        Arrow array, int64 or large_string, in one chunk, without nulls, strictly ascending.

    Examples
    --------
    >>> vocabulary = ItemVocabulary.from_ids(["b", "a"])
    >>> vocabulary.row_of("b"), vocabulary.row_of("c")
    (1, None)
    >>> vocabulary.ids_of([1, 0])
    ['b', 'a']
    """

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self.kind: Literal["string", "integer"] = "integer" if ids.type == pa.int64() else "string"
        if self.kind == "integer":
            self._integers: Int64s = ids.to_numpy()
        else:
            self._text, self._offsets = _layout(ids)

    @classmethod
    def from_ids(cls, ids: Sequence[ItemId]) -> ItemVocabulary:
        """Sort ids that are all strings or all integers.

        Raises
        ------
        DataError
            An id stands twice.
        """
        integers = all(isinstance(item_id, (int, np.integer)) for item_id in ids) and len(ids) > 0
        texts = [str(item_id) for item_id in ids]
        if len(set(texts)) != len(texts):
            raise DataError("expected each item id once")
        if integers:
            return cls(pa.array(sorted(map(int, ids)), pa.int64()))
        return cls(pa.array(sorted(texts, key=str.encode), pa.large_string()))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, (str, int, np.integer)) and self.row_of(item_id) is not None

    def row_of(self, item_id: ItemId | np.integer[Any]) -> ItemRow | None:
        """Return the row of an id, or None; ``7`` and ``"7"`` are the same id."""
        row = int(self.rows_of([item_id])[0])
        return None if row == UNKNOWN else ItemRow(row)

    def rows_of(self, ids: Sequence[ItemId | np.integer[Any]] | npt.NDArray[Any]) -> Int32s:
        """Return the rows of many ids.

        Returns
        -------
        int32 ``(n_ids,)``; -1 for an id that is not here.
        """
        return self._integer_rows(ids) if self.kind == "integer" else self._string_rows(ids)

    def _integer_rows(self, ids: Any) -> Int32s:
        if isinstance(ids, np.ndarray) and ids.dtype.kind == "i":
            wanted, known = ids.astype(np.int64), np.ones(len(ids), dtype=np.bool_)
        else:
            values = [_as_int64(item_id) for item_id in ids]
            known = np.array([value is not None for value in values], dtype=np.bool_)
            wanted = np.array([value or 0 for value in values], dtype=np.int64)
        rows = np.searchsorted(self._integers, wanted)
        inside = np.minimum(rows, max(len(self) - 1, 0))
        hit = known & (self._integers[inside] == wanted) if len(self) else np.zeros(len(wanted), np.bool_)
        return np.where(hit, inside, UNKNOWN).astype(np.int32)

    def _string_rows(self, ids: Any) -> Int32s:
        keys = [_as_bytes(item_id) for item_id in ids]
        offsets = np.zeros(len(keys) + 1, dtype=np.int64)
        np.cumsum([len(key) for key in keys], out=offsets[1:])
        found = np.empty(len(keys), dtype=np.int32)
        find_strings(self._text, self._offsets, np.frombuffer(b"".join(keys), np.uint8), offsets, found)
        return found

    def ids_of(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[str] | list[int]:
        """Return the ids of rows, in the order asked."""
        wanted = np.asarray(rows, dtype=np.int64)
        if self.kind == "integer":
            integers: list[int] = self._integers[wanted].tolist()
            return integers
        # Several times faster than Arrow's "take" for the few hundred ids of an answer.
        spans = np.zeros(len(wanted) + 1, np.int64)
        are_here, gathered = gather(self._text, self._offsets, wanted, spans[1:])
        if not are_here:
            raise IndexError(f"expected rows of 0 to {len(self) - 1}")
        found = gathered.tobytes()
        text = found.decode()
        if len(text) == len(found):
            return [text[i:j] for i, j in pairwise(spans.tolist())]
        return [found[i:j].decode() for i, j in pairwise(spans.tolist())]

    def id_of(self, row: int) -> ItemId:
        """Return the id of one row."""
        value: ItemId = self.ids[operator.index(row)].as_py()
        return value

    def save(self, path: str | Path) -> None:
        """Write the ids as an Arrow IPC file; it appears whole or not at all."""
        table = pa.table({"item_id": self.ids})
        with finished_file(Path(path)) as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    @classmethod
    def open(cls, path: str | Path) -> ItemVocabulary:
        """Map a saved vocabulary into memory.

        Raises
        ------
        StoredFormatError
            The file is missing, damaged or of another kind.
        """
        try:
            with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
                column = reader.read_all().column("item_id")
            column.validate(full=True)  # Offsets that point elsewhere would end the process.
        except (pa.ArrowException, OSError, KeyError) as error:
            raise StoredFormatError(f"{path}: cannot be read as item ids ({error}); build again") from error
        if column.type not in (pa.int64(), pa.large_string()) or column.num_chunks > 1:
            raise StoredFormatError(
                f"{path}: expected item ids in one piece, found {column.type}; build again"
            )
        return cls(column.chunk(0) if column.num_chunks else pa.array([], column.type))


def _layout(ids: pa.Array) -> tuple[UInt8s, Int64s]:
    _, offsets, text = ids.buffers()
    positions = np.frombuffer(offsets, np.int64)[ids.offset : ids.offset + len(ids) + 1]
    letters = np.frombuffer(text, np.uint8) if text is not None and text.size else np.zeros(0, np.uint8)
    return letters, positions if len(ids) else np.zeros(1, np.int64)


def _as_bytes(item_id: ItemId | np.integer[Any]) -> bytes:
    # A lone surrogate is in no UTF-8 text, so passing it through finds nothing, as it should.
    return str(item_id).encode("utf-8", "surrogatepass")


def _as_int64(item_id: ItemId | np.integer[Any]) -> int | None:
    if isinstance(item_id, str):
        try:
            value = int(item_id)
        except ValueError:
            return None
        if str(value) != item_id:
            return None
    else:
        value = operator.index(item_id)
    return value if -(2**63) <= value < 2**63 else None

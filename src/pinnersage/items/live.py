"""The catalogue of one generation as it changes: items put and taken out since it was built.

An item that is new, or whose embedding changes, gets a row behind those of the build; rows are never
used twice. A row whose item was replaced or taken out is *retired*: :attr:`LiveItems.current_rows` tells
which row stands for its item now. Every process replays the same changes in the same order, so all
agree on the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage._ids import ItemId, ItemRow, exact_integer
from pinnersage.errors import UnavailableError, UsageError
from pinnersage.items._normalize import FIT, NOT_FINITE, check_rows
from pinnersage.items.matching import AttributeMatches
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import UNKNOWN, ItemVocabulary

GONE = -1


class LiveVocabulary:
    """Id <-> row of a build's items and of those put since; with the interface of its base."""

    def __init__(self, base: ItemVocabulary) -> None:
        self.base = base
        self.kind = base.kind
        self._new_ids: list[ItemId] = []
        self._rows: dict[ItemId, int] = {}

    def __len__(self) -> int:
        return len(self.base) + len(self._new_ids)

    def row_of(self, item_id: ItemId) -> ItemRow | None:
        """Return the row that stands for an id now; None for one that is unknown or taken out."""
        row = int(self.rows_of([item_id])[0])
        return None if row == UNKNOWN else ItemRow(row)

    def rows_of(self, ids: Sequence[ItemId]) -> Int32s:
        """Return the rows that stand for ids now: int32 ``(n_ids,)``, -1 for unknown ones."""
        rows = self.base.rows_of(ids)
        if self._rows:
            for i, item_id in enumerate(ids):
                rows[i] = self._rows.get(self.as_own(item_id), rows[i])
        return rows

    def id_of(self, row: int) -> ItemId:
        """Return the id of a row, be it retired or not."""
        n_base = len(self.base)
        return self.base.id_of(row) if row < n_base else self._new_ids[row - n_base]

    def ids_of(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[Any]:
        """Return the ids of rows, in the order asked."""
        n_base, wanted = len(self.base), np.asarray(rows, np.int64)
        if not self._new_ids or not len(wanted) or wanted.max() < n_base:
            return list(self.base.ids_of(wanted))
        return [self.id_of(row) for row in wanted.tolist()]

    def as_own(self, item_id: ItemId) -> ItemId:
        """Return the id in the type of the catalogue: ``7`` and ``"7"`` are the same id."""
        if self.kind == "string":
            return str(item_id)
        number = exact_integer(item_id)
        return str(item_id) if number is None else number

    def add(self, item_id: ItemId) -> int:
        """Give an id a new row."""
        row = len(self)
        self._new_ids.append(item_id)
        self._rows[item_id] = row
        return row

    def retire(self, item_id: ItemId) -> None:
        """Let an id stand for no row."""
        self._rows[item_id] = UNKNOWN


class LiveItems:
    """A build's items, and what was put and taken out since.

    Parameters
    ----------
    base
        As the build wrote them.
    embeddings
        float32 or float16 ``(n_base + n_spare, d)``, writable, the base's rows first.
    pool
        bool ``(n_base,)``: the base's items that may be candidates.
    normalize
        Whether embeddings are scaled to unit length.
    min_quality
        New items below it are no candidates.
    """

    def __init__(
        self,
        base: ItemTable,
        embeddings: npt.NDArray[Any],
        pool: Bools,
        *,
        normalize: bool,
        min_quality: float | None,
    ) -> None:
        self.base, self.n_base = base, len(base)
        self._writable = embeddings
        self.embeddings = embeddings.view()
        self.embeddings.flags.writeable = False
        self.vocabulary = LiveVocabulary(base.vocabulary)
        self.pool = np.zeros(len(embeddings), np.bool_)
        self.pool[: self.n_base] = pool
        self._indexed = self.pool[: self.n_base].copy()
        self.current_rows = np.arange(len(embeddings), dtype=np.int32)
        self.n_retired = 0
        self._attributes: dict[int, Mapping[str, Any]] = {}
        self.matches = AttributeMatches(base.attributes, len(embeddings))
        self._normalize, self._min_quality = normalize, min_quality

    def __len__(self) -> int:
        """Count the rows in use, retired ones among them."""
        return len(self.vocabulary)

    @property
    def n_new(self) -> int:
        """Number of rows behind those of the build."""
        return len(self) - self.n_base

    @property
    def n_items(self) -> int:
        """Number of items of the catalogue."""
        return len(self) - self.n_retired

    def scaled(self, embedding: npt.ArrayLike) -> Float32s:
        """Return an embedding as the catalogue keeps them, scaled if the build scaled its own.

        Raises
        ------
        UsageError
            It has another width, or a value that is not finite, or is all zeros.
        """
        try:
            values = np.ascontiguousarray(embedding, np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"embedding: expected numbers, {error}") from None
        width = self.embeddings.shape[1]
        if values.shape != (width,):
            raise UsageError(f"embedding: expected {width} numbers, got shape {values.shape}")
        out, codes = np.empty((1, width), np.float32), np.empty(1, np.uint8)
        check_rows(values[None], self._normalize, out, codes)
        if codes[0] != FIT:
            what = "a value is not finite" if codes[0] == NOT_FINITE else "all values are 0"
            raise UsageError(f"embedding: expected finite numbers, not all 0; {what}")
        if not np.isfinite(out.astype(self.embeddings.dtype)).all():
            raise UsageError(f"embedding: a value does not fit {self.embeddings.dtype}")
        found: Float32s = out[0]
        return found

    def put(self, item_id: ItemId, embedding: Float32s, attributes: Mapping[str, Any]) -> tuple[int, bool]:
        """Add an item, or replace it; return its row and whether the row is a new one.

        An item whose embedding stays keeps its row, unless the build left it out of its index and it may be
        recommended now.

        Raises
        ------
        UnavailableError
            All spare rows are used; the generation must be opened anew with more.
        """
        own = self.vocabulary.as_own(item_id)
        stored = embedding.astype(self.embeddings.dtype)
        old = self.vocabulary.row_of(own)
        keeps = old is not None and np.array_equal(self.embeddings[old], stored)
        is_new = not keeps or (self._is_candidate(attributes) and not self._is_found(old))
        row: int = old if old is not None and not is_new else self._add(own, stored)
        if is_new:
            self._replaced(own, row, old)
        self._attributes[row] = dict(attributes)
        self.matches.put(row, self._attributes[row])
        self.pool[row] = self._is_candidate(attributes)
        return row, is_new

    def remove(self, item_id: ItemId) -> int | None:
        """Take an item out; return its row, None when there is no such item."""
        own = self.vocabulary.as_own(item_id)
        row = self.vocabulary.row_of(own)
        if row is None:
            return None
        self.vocabulary.retire(own)
        self._retire(row, GONE)
        return row

    def attributes_of(self, row: int) -> dict[str, Any]:
        """Return what is known of an item besides its embedding; nulls are left out."""
        if row in self._attributes:
            return dict(self._attributes[row])
        if row >= self.n_base:
            return {}
        values = self.base.attributes.slice(row, 1).to_pylist()[0]
        return {name: value for name, value in values.items() if value is not None}

    def _add(self, item_id: ItemId, stored: npt.NDArray[Any]) -> int:
        if len(self) == len(self._writable):
            raise UnavailableError(f"all {self.n_new:,} rows for new items are used: open the model again")
        self._writable[len(self)] = stored  # before searches in other threads see the row
        return self.vocabulary.add(item_id)

    def _replaced(self, item_id: ItemId, row: int, old: int | None) -> None:
        """Let ``row`` stand for the item in the place of every row that did before."""
        if old is not None:
            self._retire(old, row)
        before = [r for r in self._rows_before(item_id) if r != row]
        self.current_rows[before] = row

    def _rows_before(self, item_id: ItemId) -> list[int]:
        retired = np.flatnonzero(self.current_rows[: len(self)] != np.arange(len(self)))
        return [row for row in retired.tolist() if self.vocabulary.id_of(row) == item_id]

    def _retire(self, row: int, now: int) -> None:
        standing_for = np.flatnonzero(self.current_rows[: len(self)] == row)
        self.current_rows[standing_for] = now
        self.pool[row] = False
        self.n_retired += 1

    def _is_found(self, row: int | None) -> bool:
        """Tell whether searches find a row that is in the pool: one of the build's index, or a new one."""
        return row is not None and (row >= self.n_base or bool(self._indexed[row]))

    def _is_candidate(self, attributes: Mapping[str, Any]) -> bool:
        # What earlier versions kept was not checked: 0 is no, and a quality that is no number is not known.
        if attributes.get("available") == False:  # noqa: E712
            return False
        quality = attributes.get("quality")
        if self._min_quality is None or quality is None:
            return True
        try:
            return not float(quality) < self._min_quality
        except (TypeError, ValueError, OverflowError):
            return True

"""Takes items in batch by batch: good embeddings to a file, ids and attributes to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from pinnersage._arrays import Bools, Int64s
from pinnersage._report import N_EXAMPLES, BadRowCounter, ImportReport
from pinnersage._tables.engine import Connection, Progress
from pinnersage._tables.parts import UNREADABLE, Rejects, true_row, true_rows
from pinnersage._tables.sources import Piece
from pinnersage.config import ImportConfig
from pinnersage.errors import SchemaError
from pinnersage.items.attributes import AttributePlan, fault_sql
from pinnersage.items.embeddings import EmbeddingReader, Fault
from pinnersage.items.matrix import RowFile
from pinnersage.items.reading import Ids, ids_of_batch, read_batches

ROW, ID = "__row__", "__id__"
_STAGE = "reading items"


@dataclass(slots=True)
class PieceLayout:
    """Which columns of a piece are what, and the matrix beside it, if any."""

    piece: Piece
    item_id: str
    embedding: str | None
    attributes: dict[str, str]
    schema: pa.Schema
    found: list[str]
    matrix: npt.NDArray[Any] | None = None
    matrix_name: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the format has no types."""
        return self.piece.format in ("csv", "jsonl")

    def names(self, kept: set[str]) -> list[str]:
        """Return the columns to read."""
        chosen = [column for name, column in self.attributes.items() if name in kept]
        return list(dict.fromkeys([self.item_id, *([self.embedding] if self.embedding else []), *chosen]))

    def matrix_rows(self, first: int, n: int) -> npt.NDArray[Any]:
        """Return rows of the matrix beside the piece; without one, rows of the number 1.

        Raises
        ------
        SchemaError
            The matrix has fewer.
        """
        if self.matrix is None:
            return np.ones((n, 1), np.float32)
        if first + n > len(self.matrix):
            raise _lengths_differ(self.matrix_name, len(self.matrix), self.piece.name, first + n)
        return self.matrix[first : first + n]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the good rows from ``first_row`` on came from: rows ``numbers`` (from 1) of a file."""

    first_row: int
    file: str
    numbers: Int64s


class Intake:
    """Good rows so far: ``rows`` holds their embeddings, table ``staged`` their ids and attributes.

    ``staged`` has the columns ``__row__`` (position in ``rows``), ``__id__`` and the attributes.
    """

    def __init__(
        self,
        connection: Connection,
        scratch: Path,
        config: ImportConfig,
        plan: AttributePlan,
        progress: Progress | None,
        n_rows: int | None,
    ) -> None:
        self.connection = connection
        self.plan = plan
        self.rows = RowFile(scratch / "rows", config.dtype)
        self.all_integers = True
        self._reader = EmbeddingReader("items", config.normalize, config.dtype)
        self._bad = BadRowCounter()
        self._n_read = 0
        self._progress = progress
        self._n_rows, self._unit = n_rows, config.time_unit
        self._origins: list[_Origin] = []
        self._schema = pa.schema([(ROW, pa.int64()), (ID, pa.large_string()), *plan.types.items()])
        connection.register("nothing", self._schema.empty_table())
        connection.execute("CREATE TABLE staged AS SELECT * FROM nothing")

    def take(self, layout: PieceLayout) -> None:
        """Read one piece to its end."""
        rejects: Rejects = {}
        piece, n_rows = layout.piece, 0
        bad, first_row = BadRowCounter(), self.rows.n_rows
        numbers = [np.zeros(0, np.int64)]
        self._reader.table = piece.name
        self.connection.execute("BEGIN")
        names = layout.names(set(self.plan.types))
        for batch in read_batches(piece, names, layout.item_id, self.connection, rejects):
            numbers.append(self._take_batch(layout, batch, n_rows, bad))
            n_rows += batch.num_rows
            if self._progress is not None:
                self._progress(_STAGE, self._n_read + n_rows, self._n_rows)
        self.connection.execute("COMMIT")
        skipped = rejects.get(piece.name, [])
        self._origins.append(_Origin(first_row, piece.name, true_rows(np.concatenate(numbers), skipped)))
        self._finish_piece(layout, n_rows, bad, skipped)

    def _finish_piece(
        self, layout: PieceLayout, n_rows: int, bad: BadRowCounter, skipped: list[tuple[int, str]]
    ) -> None:
        if layout.matrix is not None and len(layout.matrix) != n_rows:
            raise _lengths_differ(layout.matrix_name, len(layout.matrix), layout.piece.name, n_rows)
        self._n_read += n_rows + len(skipped)
        self._bad.count("unreadable_row", len(skipped))
        for row, found in skipped[:N_EXAMPLES]:
            self._bad.show(layout.piece.name, row, "unreadable_row", found)
        self._bad.add(bad, lambda row: true_row(row, skipped))

    def _take_batch(
        self, layout: PieceLayout, batch: pa.RecordBatch, n_before: int, bad: BadRowCounter
    ) -> Int64s:
        """Take one batch; return the numbers (from 1) of its good rows."""
        ids = ids_of_batch(batch, layout.item_id, layout.piece.name)
        name, n = layout.embedding, batch.num_rows
        column = batch.column(name) if name else layout.matrix_rows(n_before, n)
        rows, positions, faults = self._reader.read(column, self.connection)
        # Of several faults of a row the id's counts.
        faulty = {fault[0]: fault for fault in [*faults, *_id_faults(batch, ids)]}
        for i, reason, shown in sorted(faulty.values(), key=lambda fault: fault[0]):
            bad.count(reason, 1)
            bad.show(layout.piece.name, n_before + i + 1, reason, shown)
        good = np.ones(n, dtype=np.bool_)
        good[list(faulty)] = False
        self._stage(layout, batch, ids, good)
        self.rows.append(rows[good[positions]])
        return np.flatnonzero(good) + n_before + 1

    def _stage(self, layout: PieceLayout, batch: pa.RecordBatch, ids: Ids, good: Bools) -> None:
        mask, n_good = pa.array(good), int(good.sum())
        if n_good == 0:
            return
        self.all_integers = self.all_integers and ids.all_integers
        first = self.rows.n_rows
        columns = [pa.array(np.arange(first, first + n_good)), ids.texts.filter(mask)]
        for name, kind in self.plan.types.items():
            if name in layout.attributes:
                columns.append(batch.column(layout.attributes[name]).cast(kind, safe=False).filter(mask))
            else:
                columns.append(pa.nulls(n_good, kind))
        self.connection.register("good_items", pa.table(columns, schema=self._schema))
        self.connection.execute("INSERT INTO staged SELECT * FROM good_items")

    def leave_out_unreadable(self, table: str) -> None:
        """Leave out rows with attributes that are there and cannot be read.

        Raises
        ------
        SchemaError
            ``created_at`` holds numbers and no unit is declared.
        """
        for reason, (text, fault) in fault_sql(self.connection, table, self.plan, self._unit).items():
            self._leave_out(reason, f"SELECT {ROW}, {text} FROM staged WHERE {fault} ORDER BY {ROW}")

    def leave_out_duplicates(self) -> None:
        """Of rows with one id keep the first."""
        nth = f"row_number() OVER (PARTITION BY {ID} ORDER BY {ROW})"
        again = f"SELECT {ROW}, {ID} FROM staged QUALIFY {nth} > 1 ORDER BY {ROW}"
        self._leave_out("duplicate_item_id", again)

    def _leave_out(self, reason: str, rows_and_texts: str) -> None:
        found = self.connection.sql(rows_and_texts).to_arrow_table()
        if found.num_rows == 0:
            return
        self._bad.count(reason, found.num_rows)
        for row, text in zip(*(found.column(i)[:N_EXAMPLES].to_pylist() for i in (0, 1)), strict=True):
            self._bad.show(*self._origin(row), reason, text)
        self.connection.register("left_out", found)
        self.connection.execute(f"DELETE FROM staged WHERE {ROW} IN (SELECT {ROW} FROM left_out)")

    def _origin(self, row: int) -> tuple[str, int]:
        origin = max((it for it in self._origins if it.first_row <= row), key=lambda it: it.first_row)
        return origin.file, int(origin.numbers[row - origin.first_row])

    def report(self, sources: tuple[str, ...]) -> ImportReport:
        """Return what was read and left out."""
        return self._bad.report("items", sources, self._n_read)


def _id_faults(batch: pa.RecordBatch, ids: Ids) -> list[Fault]:
    empty = np.flatnonzero(pa.compute.is_null(ids.texts).to_numpy(zero_copy_only=False)).tolist()
    broken: set[int] = set()
    if UNREADABLE in batch.schema.names:
        broken = set(np.flatnonzero(batch.column(UNREADABLE).to_numpy(zero_copy_only=False)).tolist())
    return [
        (i, "unreadable_row", "not a JSON object") if i in broken else (i, "empty_item_id", None)
        for i in empty
    ]


def _lengths_differ(matrix: str, n_embeddings: int, table: str, n_rows: int) -> SchemaError:
    return SchemaError(
        f"{matrix}: expected one embedding for each of the {n_rows:,} rows of {table}, found {n_embeddings:,}"
    )

"""A checked log of actions, and whole users out of it in ascending order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from pinnersage._report import ImportReport
from pinnersage._tables.columns import literal
from pinnersage._tables.engine import Connection, translated
from pinnersage._tables.idcolumns import IdKind
from pinnersage._tables.sources import Piece
from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.cutting import cut_by_user
from pinnersage.actions.retractions import Retraction, read_retractions
from pinnersage.errors import DataError

Stamps = list[tuple[Piece, tuple[int, int]]]


@dataclass(slots=True)
class ActionLog:
    """A log that has been checked; close it, or use it in a ``with`` statement.

    Attributes
    ----------
    report
        Rows read, kept and left out.
    n_actions
        Good rows (duplicates included) but those that take an action back, or are taken back.
    oldest_ms, newest_ms
        Time of the oldest of these actions, and of the newest good one, taken back or not: that moved
        "now" when it came. 0 where there is none.
    user_kind
        Whether user ids are strings or integers.
    kinds
        The values of the ``action`` column in good rows, sorted; the position is the code. ``""``
        stands for a missing value; in a log without the column it is the only one.
    unknown_item_ids
        Ids of the rows behind those of the vocabulary, when actions on unknown items are kept.
    """

    report: ImportReport
    n_actions: int
    oldest_ms: int
    newest_ms: int
    user_kind: IdKind
    kinds: list[str]
    unknown_item_ids: list[Any]
    _connection: Connection = field(repr=False)
    _relation: str = field(repr=False)
    _given: frozenset[str] = field(repr=False)
    _stamps: Stamps = field(repr=False)
    _resources: ExitStack = field(repr=False)

    def batches(self, now_ms: int, max_actions_per_batch: int = 200_000) -> Iterator[ActionBatch]:
        """Yield whole users ascending by id (strings by UTF-8 bytes), with their actions up to now.

        Users without an action up to now are left out. Only one such iterator may be in use at a time.

        Parameters
        ----------
        now_ms
            Later actions are left out.
        max_actions_per_batch
            A batch holds at most this many, or a single user.

        Raises
        ------
        DataError
            A file changed since it was checked.
        StorageFullError
            The disk has no room for sorting.
        """
        for piece, stamp in self._stamps:
            with translated(piece.name):
                if piece.stamp() != stamp:
                    raise DataError(f"{piece.name}: changed while it was being read; start again")
        if not self.kinds:
            return
        with translated("sorting actions by user"):
            rows = self._connection.sql(self._sorted_sql(now_ms)).to_arrow_reader(max_actions_per_batch)
            yield from cut_by_user(rows, max_actions_per_batch)

    def retractions(self) -> list[Retraction]:
        """Return what the log takes back, by user and time."""
        return [row for part in self.retraction_parts() for row in part]

    def retraction_parts(self, n_per_part: int = 20_000) -> Iterator[list[Retraction]]:
        """Yield the same in parts of about so many, in bounded memory; no other iterator may be in use."""
        if self.report.n_retractions:
            with translated("reading what was taken back"):
                yield from read_retractions(self._connection, self._user_type, n_per_part)

    @property
    def _user_type(self) -> str:
        return "BIGINT" if self.user_kind == "integer" else "VARCHAR"

    def _sorted_sql(self, now_ms: int) -> str:
        columns = [f"user_id::{self._user_type} AS user_id", "item_row", "time_ms"]
        if self.kinds != [""]:
            kinds = ", ".join(map(literal, self.kinds))
            columns.append(f"enum_code(kind::ENUM({kinds}))::UTINYINT AS kind")
        # Sorting costs by the byte: a column that the log does not have is not carried along.
        columns += [column for column in ("weight", "event_key") if column in self._given]
        wanted = f"reason = 0 AND time_ms <= {now_ms}"
        return f"SELECT {', '.join(columns)} FROM {self._relation} WHERE {wanted} ORDER BY 1"

    def close(self) -> None:
        """Close the engine and remove what was spilled; may be called again."""
        self._resources.close()

    def __enter__(self) -> ActionLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

"""Checks a log of actions against the items in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pinnersage._report import BadRowCounter
from pinnersage._tables.engine import Connection, Progress, open_engine, run, translated
from pinnersage._tables.idcolumns import IdKind
from pinnersage._tables.parts import Rejects, csv_rejects
from pinnersage._tables.sources import Piece, TableSource, resolve_source
from pinnersage.actions.checks import (
    REASONS,
    VOCABULARY,
    Checks,
    checked_sql,
    unknown_item_ids,
    users_are_integers,
)
from pinnersage.actions.examples import show_bad_rows
from pinnersage.actions.log import ActionLog
from pinnersage.actions.opening import ActionPart, open_action_parts
from pinnersage.actions.retractions import counting_sql, stage_retractions
from pinnersage.config import MS_PER_DAY, ImportConfig
from pinnersage.errors import DataError, SchemaError
from pinnersage.items.vocabulary import ItemVocabulary

MAX_KINDS = 255
_STAGE = "reading actions"


def stage_actions(
    source: TableSource,
    vocabulary: ItemVocabulary,
    config: ImportConfig,
    *,
    now_ms: int | None,
    wall_clock_ms: int,
    work_dir: str | Path,
    n_threads: int | None = None,
    progress: Progress | None = None,
    keep_unknown: bool = False,
    users_as_text: bool = False,
    take_back: bool = True,
) -> ActionLog:
    """Check a log of actions against the items.

    Columnar sources (Parquet, Arrow, tables in memory) are cheap to read and are read again by
    :meth:`ActionLog.batches`; text (CSV, JSONL) is parsed once, into a table on disk.

    Parameters
    ----------
    source
        A path, a list of paths or globs, or a table in memory.
    vocabulary
        The items that may be acted on.
    config
        Mapping of columns, unit of times, how many bad rows are too many, memory.
    now_ms
        The caller's "now", if given: what is later than both this and a day after
        ``wall_clock_ms`` is in the future.
    wall_clock_ms
        The time of the call.
    work_dir
        Existing directory, in which one for spilled data is made.
    n_threads
        Of the table engine; None: as many as cores.
    progress
        Told the stage, the bytes done and the bytes in all.
    keep_unknown
        Keep actions on items that are not in the vocabulary: they get rows behind its own, those of
        :attr:`ActionLog.unknown_item_ids`.
    users_as_text
        Take the ids of users as text, also if all are integers.
    take_back
        Leave out the actions that rows with ``retract`` take back. Without it the log may hold nothing but
        such rows; they are in :meth:`ActionLog.retractions` either way.

    Raises
    ------
    UsageError
        A path is wrong.
    SchemaError
        A column is missing or unusable, a unit is missing, or there are more than 255 kinds.
    BadRowsError
        Too many rows are bad.
    DataError
        A file is damaged, empty or not UTF-8.
    StorageFullError
        The disk is full.
    """
    last_ms = max(wall_clock_ms + MS_PER_DAY, now_ms or 0)
    checks = Checks(vocabulary.kind, config.time_unit, last_ms)
    with ExitStack() as stack:
        with translated(str(work_dir)):
            directory = tempfile.TemporaryDirectory(prefix="actions-", dir=work_dir)
            scratch = Path(stack.enter_context(directory))
        pieces = resolve_source(source, scratch, "actions")
        connection = open_engine(scratch, config.memory_limit_mb, n_threads)
        stack.callback(connection.close)
        with translated(_names(pieces)):
            parts = open_action_parts(connection, pieces, config, wall_clock_ms)
            _register(connection, vocabulary.ids)
            unknown = unknown_item_ids(connection, parts, vocabulary.kind) if keep_unknown else []
            if unknown:
                _register(
                    connection, pa.concat_arrays([vocabulary.ids, pa.array(unknown, vocabulary.ids.type)])
                )
            read = _Reading(connection, pieces, parts, checks, unknown, users_as_text, take_back)
            read.check_all(progress)
        return read.log(config, stack)


def _names(pieces: Sequence[Piece]) -> str:
    more = f" and {len(pieces) - 3} more" if len(pieces) > 3 else ""
    return ", ".join(piece.name for piece in pieces[:3]) + more


def _register(connection: Connection, ids: pa.Array) -> None:
    rows = pa.array(np.arange(len(ids), dtype=np.int32))
    table = pa.table({"vocabulary_id": ids, "item_row": rows})
    connection.register(VOCABULARY, table)


@dataclass(slots=True)
class _Reading:
    """One pass over the source, and what it found."""

    connection: Connection
    pieces: list[Piece]
    parts: list[ActionPart]
    checks: Checks
    unknown_item_ids: list[Any]
    users_as_text: bool
    take_back: bool
    relation: str = ""
    bad: BadRowCounter = field(default_factory=BadRowCounter)
    rejects: Rejects = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    times_ms: list[int] = field(default_factory=list)
    all_integers: bool = True
    n_retractions: int = 0
    n_taken_back: int = 0

    def check_all(self, progress: Progress | None) -> None:
        n_bytes = sum(piece.n_bytes for piece in self.pieces)
        checked = checked_sql(self.parts, self.checks)
        self.relation = f"({checked})"
        self.connection.execute("SET preserve_insertion_order = false")
        if any(part.format in ("csv", "jsonl") for part, _ in self.parts):
            run(self.connection, f"CREATE TABLE staged AS {checked}", _STAGE, n_bytes, progress)
            self.relation, progress = "staged", None
            self.rejects = csv_rejects(self.connection)
        summary = (
            "SELECT reason, kind, retract, count(*), min(time_ms), max(time_ms), bool_and(user_is_integer) "
            f"FROM {self.relation} GROUP BY reason, kind, retract"
        )
        for row in run(self.connection, summary, _STAGE, n_bytes, progress):
            self._count(*row)
        self.bad.count("unreadable_row", sum(map(len, self.rejects.values())))
        if self.bad.reasons:
            show_bad_rows(self.connection, self.parts, self.checks, self.rejects, self.bad)
        if self.n_retractions:
            self.n_taken_back = stage_retractions(self.connection, self.relation)

    def _count(
        self, reason: int, kind: str, retract: bool, n: int, oldest: int, newest: int, integers: Any
    ) -> None:
        if reason:
            self.bad.count(REASONS[reason], n)
            return
        self.all_integers = self.all_integers and bool(integers)
        if retract:
            self.n_retractions += n
            return
        # What is taken back has happened, too: like an action that counts it moves the newest time.
        self.kinds[kind] = n
        self.times_ms += [oldest, newest]

    def log(self, config: ImportConfig, resources: ExitStack) -> ActionLog:
        n_actions = sum(self.kinds.values())
        n_rows = n_actions + self.n_retractions + sum(self.bad.reasons.values())
        sources = tuple(piece.name for piece in self.pieces)
        report = self.bad.report("actions", sources, n_rows, self.n_retractions, self.n_taken_back)
        if report.n_rows:
            report.raise_if_too_many(config, retractions_alone=not self.take_back)
        elif self.take_back:  # An empty log is an error, nothing new to take in is none.
            raise DataError(f"{_names(self.pieces)}: the table of actions holds no rows")
        if len(self.kinds) > MAX_KINDS:
            raise SchemaError(
                f"{_names(self.pieces)}: expected at most {MAX_KINDS} kinds of action, found "
                f"{len(self.kinds):,}; map the column that holds the kind: --map action=<name>"
            )
        given = {name for _, columns in self.parts for name in columns}
        given |= {"event_key"} if "event_id" in given else set()
        stamps = [] if self.relation == "staged" else [(piece, piece.stamp()) for piece in self.pieces]
        return ActionLog(
            report=report,
            n_actions=n_actions - (self.n_taken_back if self.take_back else 0),
            oldest_ms=self._oldest_ms(),
            newest_ms=max(self.times_ms, default=0),
            user_kind=self._user_kind(),
            kinds=sorted(self.kinds, key=str.encode),
            unknown_item_ids=self.unknown_item_ids,
            _connection=self.connection,
            _relation=self._counting(),
            _given=frozenset(given),
            _stamps=stamps,
            _resources=resources.pop_all(),
        )

    def _oldest_ms(self) -> int:
        if not (self.take_back and self.n_taken_back):
            return min(self.times_ms, default=0)
        sql = f"SELECT min(time_ms) FROM {self._counting()} WHERE reason = 0"
        return int(self.connection.execute(sql).fetchall()[0][0])

    def _counting(self) -> str:
        if not self.n_retractions:
            return self.relation
        return counting_sql(self.relation, take_back=self.take_back)

    def _user_kind(self) -> IdKind:
        integers = users_are_integers(self.parts) or self.all_integers
        return "integer" if integers and not self.users_as_text else "string"

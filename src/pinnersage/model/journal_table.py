"""The journal as a table of actions, for batch builds elsewhere, for evaluation and for other programs.

Together with the log that a model was built from, it gives a build in any place the records of the model:
of an event id that the log has, too, one action counts, the same one; what was taken back stays so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pinnersage._ids import UserId
from pinnersage._tables.engine import Progress
from pinnersage._times import rfc3339
from pinnersage.actions.event_keys import event_id_of
from pinnersage.items._files import check_new_file, finished_file
from pinnersage.model.home import journal_of
from pinnersage.store.generations import GenerationDirectory
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.journal import Journal
from pinnersage.streaming.memory_journal import MemoryJournal

PART_ENTRIES = 50_000
_IDS = ("user_id", "item_id")
_PARQUET, _JSONL = (".parquet", ".pq"), (".jsonl", ".ndjson")


def journal_table(journal: Journal) -> pa.Table:
    """Return all actions that a journal holds, in the columns of the contract; every import reads them.

    What was taken back is there as it came, if it came, and as a row with ``retract``. Of several events
    under one event id all are there, and an import takes the one that the model takes. Event ids are given
    as ``key:`` and the 64-bit key in hexadecimal, which an import takes for the key itself: the journal keeps
    no ids. Ids of users and items are texts, unless all are integers. What was trimmed is not there, and
    nothing of users who were erased.
    """
    until = journal.heads().all
    schema = _schema(journal, until)
    return pa.Table.from_batches([_batch(part, schema) for part in _parts(journal, until)], schema)


def export_journal(home: str | Path, out: str | Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write :func:`journal_table` of a model's journal, as it is now, into a new file, in bounded memory.

    Others may write to the journal meanwhile.

    Parameters
    ----------
    home
        Directory of the model.
    out
        Ends in ``.parquet`` (or ``.pq``) or ``.jsonl`` (or ``.ndjson``).
    progress
        Called with stage, done, total.

    Returns
    -------
    facts
        ``path, out, n_actions, n_retractions, n_users, oldest_action, newest_action``; rows with ``retract``
        are not among the actions.

    Raises
    ------
    ModelNotFoundError
        No build has finished there.
    UsageError
        The file is there already, is to be in no directory, or has another ending.
    StorageFullError
        There is no room; nothing is left under the name.
    """
    home, out = Path(home), Path(out)
    check_new_file(out, (*_PARQUET, *_JSONL))
    GenerationDirectory(home).current()
    with journal_of(home) as opened:
        journal = opened or MemoryJournal()
        facts = _Facts()
        with finished_file(out) as sink:
            write = _write_parquet if out.suffix.lower() in _PARQUET else _write_jsonl
            write(journal, sink, facts, progress)
    return {"path": str(home), "out": str(out), **facts.to_dict()}


@dataclass(slots=True)
class _Facts:
    """What was written."""

    n_actions: int = 0
    n_retractions: int = 0
    users: set[UserId] = field(default_factory=set)
    times_ms: list[int] = field(default_factory=list)

    def add(self, part: Sequence[ActionEntry]) -> None:
        actions = [entry.time_ms for entry in part if not entry.retract]
        self.n_actions += len(actions)
        self.n_retractions += len(part) - len(actions)
        self.users |= {entry.user_id for entry in part}
        self.times_ms = [end(self.times_ms + actions) for end in (min, max) if self.times_ms or actions]

    def to_dict(self) -> dict[str, Any]:
        oldest, newest = [rfc3339(ms) for ms in self.times_ms] or (None, None)
        return {
            "n_actions": self.n_actions,
            "n_retractions": self.n_retractions,
            "n_users": len(self.users),
            "oldest_action": oldest,
            "newest_action": newest,
        }


def _write_parquet(journal: Journal, sink: BinaryIO, facts: _Facts, progress: Progress | None) -> None:
    until = journal.heads().all
    schema = _schema(journal, until)
    with pq.ParquetWriter(sink, schema) as writer:
        for part in _parts(journal, until, progress):
            writer.write_batch(_batch(part, schema))
            facts.add(part)


def _write_jsonl(journal: Journal, sink: BinaryIO, facts: _Facts, progress: Progress | None) -> None:
    for part in _parts(journal, journal.heads().all, progress):
        for entry in part:
            sink.write(json.dumps(_row(entry), ensure_ascii=False, allow_nan=False).encode() + b"\n")
        facts.add(part)


def _parts(journal: Journal, until: int, progress: Progress | None = None) -> Iterator[list[ActionEntry]]:
    """Yield the actions among the entries up to a sequence number."""
    after = 0
    while after < until and (read := journal.read(after, PART_ENTRIES)):
        after = read[-1][0]
        yield [entry for at, entry in read if at <= until and isinstance(entry, ActionEntry)]
        if progress:
            progress("writing the journal", min(after, until), until)


def _schema(journal: Journal, until: int) -> pa.Schema:
    """Return the columns, with ids as integers where there are any and all are."""
    types: dict[str, set[type]] = {name: set() for name in _IDS}
    for part in _parts(journal, until):
        for name, found in types.items():
            found |= {type(getattr(entry, name)) for entry in part}
        if all(str in found for found in types.values()):
            break
    ids = [(name, pa.int64() if found == {int} else pa.string()) for name, found in types.items()]
    return pa.schema(
        [
            *ids,
            ("timestamp", pa.timestamp("ms", tz="UTC")),
            ("action", pa.string()),
            ("weight", pa.float32()),
            ("event_id", pa.string()),
            ("retract", pa.bool_()),
        ]
    )


def _batch(part: Sequence[ActionEntry], schema: pa.Schema) -> pa.RecordBatch:
    as_text = [name for name in _IDS if schema.field(name).type == pa.string()]
    columns = {
        **{name: [getattr(entry, name) for entry in part] for name in _IDS},
        "timestamp": [entry.time_ms for entry in part],
        "action": [entry.kind or None for entry in part],
        "weight": [entry.weight for entry in part],
        "event_id": [event_id_of(entry.event_key) for entry in part],
        "retract": [entry.retract for entry in part],
    }
    columns |= {name: [str(value) for value in columns[name]] for name in as_text}
    return pa.record_batch(columns, schema=schema)


def _row(entry: ActionEntry) -> dict[str, Any]:
    return {
        "user_id": entry.user_id,
        "item_id": entry.item_id,
        "timestamp": rfc3339(entry.time_ms),
        "action": entry.kind or None,
        "weight": entry.weight,
        "event_id": event_id_of(entry.event_key),
        "retract": entry.retract,
    }

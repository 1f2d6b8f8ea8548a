"""Is what is served what a batch would build? The journal replayed against every record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pinnersage._ids import UserId
from pinnersage._tables.engine import Progress
from pinnersage.interests.extend import nothing_new
from pinnersage.interests.record import UserRecord
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.model.building import write_generation
from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.watermark import store_applied
from pinnersage.model.writing import catch_up, of_this_log
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.extending import extended
from pinnersage.streaming.folding import as_rows, marked
from pinnersage.streaming.journal import Journal

MAX_EXAMPLES = 10
_CHUNK_USERS = 1_000


@dataclass(slots=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    n_users
        Records looked at.
    n_journal_actions
        Actions of the journal that were looked for.
    n_behind
        Journal entries that were not in the records: a killed writer or a rollback left them so. They were
        folded in when the model was opened, or right before the comparison.
    n_not_in_model
        Users of the tables given of whom the model holds nothing: erased since, or new in these tables.
        No fault.
    differences
        Reason -> number of records it concerns.
    examples
        The first few, as ``{"user_id", "reason"}``.
    """

    n_users: int = 0
    n_journal_actions: int = 0
    n_behind: int = 0
    n_not_in_model: int = 0
    differences: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def n_differing(self) -> int:
        """Number of differences; 0 is what is expected."""
        return sum(self.differences.values())

    def note(self, user_id: UserId, reasons: Sequence[str]) -> None:
        """Count what differs about a user."""
        for reason in reasons:
            self.differences[reason] = self.differences.get(reason, 0) + 1
            if len(self.examples) < MAX_EXAMPLES:
                self.examples.append({"user_id": user_id, "reason": reason})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "ok": self.n_differing == 0,
            "n_users": self.n_users,
            "n_journal_actions": self.n_journal_actions,
            "n_behind": self.n_behind,
            "n_not_in_model": self.n_not_in_model,
            "n_differing": self.n_differing,
            "differences": dict(self.differences),
            "examples": list(self.examples),
        }


def verify_against_journal(
    opened: OpenedGeneration, journal: Journal, progress: Progress | None = None
) -> Verification:
    """Check every record against the journal and against a batch over the record's own actions.

    Every user with an action in the journal must have a record. Every action of the journal must be in its
    user's record exactly once, or among what was seen when it is older than the window; what was taken back
    must not. Clusters, medoids and importances must be, bit for bit, those a batch builds of the record's
    actions.
    """
    found = Verification()
    applied, n_users = store_applied(opened.store), len(opened.store)
    for user_ids, records in _chunks(opened):
        rebuilt = _rebuilt(opened, records)
        for user_id, record, again in zip(user_ids, records, rebuilt, strict=True):
            entries = [entry for at, entry in journal.of_user(user_id) if at <= applied]
            found.n_journal_actions += len(entries)
            reasons = [f"{name} differ from a batch" for name in differing(record, again)]
            found.note(user_id, reasons + _missing(opened, record, entries))
        found.n_users += len(user_ids)
        if progress:
            progress("verifying", found.n_users, n_users)
    for user_id, entries in _without_record(opened, journal, applied):
        found.n_journal_actions += len(entries)
        found.note(user_id, _lost(opened, entries))
    return found


def verify_against_batch(
    opened: OpenedGeneration, journal: Journal, items: Any, actions: Any, progress: Progress | None = None
) -> Verification:
    """Build a batch over the log and the journal together, and compare every record with it.

    Users of the log of whom neither the model nor its journal holds anything are counted apart: erasing
    leaves no trace by which they could be told from users who are new in the log.

    Parameters
    ----------
    items, actions
        The tables the model was built from.
    """
    found = Verification()
    with tempfile.TemporaryDirectory(prefix="pinnersage-verify-") as scratch:
        path = Path(scratch) / "batch"
        path.mkdir()
        config = opened.config
        as_text = opened.manifest["user_kind"] == "string"
        manifest = write_generation(
            path, items, actions, config, now_ms=opened.now_ms, progress=progress, users_as_text=as_text
        )
        manifest["journal_head"] = opened.manifest.get("journal_head", 0)
        with closing(OpenedGeneration(path, journal, manifest)) as batch:
            found.n_journal_actions = catch_up(batch, journal) - len(journal.read_items(0))
            _compare(opened, batch, journal, found, progress)
    return found


def _compare(
    opened: OpenedGeneration,
    batch: OpenedGeneration,
    journal: Journal,
    found: Verification,
    progress: Progress | None,
) -> None:
    kinds, n_users = (opened.kinds, batch.kinds), len(batch.store)
    for user_id in batch.store.user_ids():
        if opened.store.get(user_id) is None:
            if journal.of_user(user_id, newest=1):
                found.note(user_id, ["no record online"])
            else:
                found.n_not_in_model += 1
            continue
        found.n_users += 1
        online, built = opened.record(user_id), batch.record(user_id)
        names = differing(_named(online, opened, kinds[0]), _named(built, batch, kinds[1]))
        found.note(user_id, [f"{name} differ from a batch" for name in names])
        if progress and found.n_users % _CHUNK_USERS == 0:
            progress("comparing", found.n_users, n_users)
    online_only = len(opened.store) - found.n_users
    if online_only:
        found.differences["record online only"] = online_only


def differing(a: UserRecord, b: UserRecord) -> list[str]:
    """Return the names of the parts in which two records differ, bit for bit."""
    return [
        name
        for name in UserRecord.__dataclass_fields__
        if np.asarray(getattr(a, name)).tobytes() != np.asarray(getattr(b, name)).tobytes()
    ]


def _named(record: UserRecord, opened: OpenedGeneration, kinds: Sequence[str]) -> Any:
    """Return a record with ids in the place of rows, and names in the place of codes."""
    ids_of = opened.items.vocabulary.ids_of
    values = {name: getattr(record, name) for name in UserRecord.__dataclass_fields__}
    for name in ("item_rows", "medoid_rows"):
        values[name] = np.array([repr(item) for item in ids_of(values[name])])
    values["seen_rows"] = np.array(sorted(repr(item) for item in ids_of(values["seen_rows"])))
    values["kinds"] = np.array([kinds[code] for code in record.kinds.tolist()])
    return UserRecord(**values)


def _chunks(opened: OpenedGeneration) -> Iterator[tuple[list[UserId], list[UserRecord]]]:
    waiting: list[UserId] = []
    for user_id in opened.store.user_ids():
        waiting.append(user_id)
        if len(waiting) == _CHUNK_USERS:
            yield _read(opened, waiting)
            waiting = []
    if waiting:
        yield _read(opened, waiting)


def _read(opened: OpenedGeneration, user_ids: list[UserId]) -> tuple[list[UserId], list[UserRecord]]:
    pairs = zip(user_ids, opened.store.get_many(user_ids), strict=True)
    kept = [(user_id, record) for user_id, record in pairs if record is not None]
    return [user_id for user_id, _ in kept], [record for _, record in kept]


def _rebuilt(opened: OpenedGeneration, records: Sequence[UserRecord]) -> list[UserRecord]:
    """Return what a batch builds of each record's own actions, at the record's own moment."""
    config, kinds = opened.config.interests, opened.kinds
    return [
        extended([record], nothing_new(0), opened.items, kinds, config, record.as_of_ms)[0]
        if not _stale(opened, record)
        else record
        for record in records
    ]


def _stale(opened: OpenedGeneration, record: UserRecord) -> bool:
    """Tell whether the catalogue changed under a record: its next read builds it anew."""
    rows = np.concatenate((record.item_rows, record.seen_rows))
    return bool((opened.items.current_rows[rows] != rows).any())


def _without_record(
    opened: OpenedGeneration, journal: Journal, applied: int
) -> Iterator[tuple[UserId, list[ActionEntry]]]:
    """Yield the users who are in the journal and have no record, with their entries."""
    found: set[UserId] = set()
    after = 0
    while read := journal.read(after):
        after = read[-1][0]
        actions = [(at, e) for at, e in read if at <= applied and isinstance(e, ActionEntry)]
        users = list(dict.fromkeys(entry.user_id for _, entry in of_this_log(opened, actions)))
        records = opened.store.get_many(users)
        found |= {user_id for user_id, record in zip(users, records, strict=True) if record is None}
    for user_id in sorted(found, key=str):
        yield user_id, [entry for at, entry in journal.of_user(user_id) if at <= applied]


def _lost(opened: OpenedGeneration, entries: Sequence[ActionEntry]) -> list[str]:
    """Return what is wrong with a user without a record: nothing if no action counts."""
    taken_back = {entry.identity for entry in entries if entry.retract}
    rows = as_rows(entries, opened.items, opened.kinds)
    counted = [r for r in rows if r.item_row != UNKNOWN and r.entry.identity not in taken_back]
    return ["no record, though the journal has actions"] if counted else []


def _missing(opened: OpenedGeneration, record: UserRecord, entries: Sequence[ActionEntry]) -> list[str]:
    """Return what is wrong with the journalled actions of a user."""
    taken_back = {entry.identity for entry in entries if entry.retract}
    reasons = []
    held = opened.items.current_rows[record.item_rows]
    seen = opened.items.current_rows[record.seen_rows]
    oldest_ms = record.as_of_ms - opened.config.interests.window_ms
    capped = record.n_actions >= opened.config.interests.max_actions
    for row in as_rows(entries, opened.items, opened.kinds):
        if row.item_row == UNKNOWN:
            continue
        n = int(marked(record, row, opened.items).sum())
        if row.entry.identity in taken_back:
            reasons += ["an action taken back still counts"] if n else []
        elif row.entry.time_ms > oldest_ms and not n and not capped:
            reasons.append("a journalled action is missing")
        elif n > 1:
            reasons.append("a journalled action counts twice")
        elif not n and row.item_row not in seen and row.item_row not in held:
            reasons.append("an item acted on is not known as seen")
    return list(dict.fromkeys(reasons))

"""What the log of a build takes back, as part of the generation's files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pinnersage._ids import UserId
from pinnersage.actions.log import ActionLog
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.log_retractions import LogRetractions, write_log_retractions

TAKEN_BACK = "taken_back"
N_LOG_RETRACTIONS = "n_log_retractions"
"""In the manifest: rows of the log that take something back; missing where an older version has built."""

_PART = 50_000
"""Keys come in no order, so each part writes to pages all over the file: few large ones are quicker."""


def write_taken_back(generation: Path, log: ActionLog) -> int:
    """Keep what a log takes back, if anything, with a generation's files; return how many rows say so."""
    n = log.report.n_retractions
    if n:
        write_log_retractions(generation / TAKEN_BACK, _parts(log))
    return n


def open_taken_back(generation: Path, manifest: Mapping[str, Any]) -> LogRetractions | None:
    """Open what the log of a generation takes back; None where that is nothing."""
    return LogRetractions(generation / TAKEN_BACK) if manifest.get(N_LOG_RETRACTIONS) else None


@contextmanager
def taken_back_in(generation: Path) -> Iterator[LogRetractions | None]:
    """Open the same for a while, by the files alone."""
    if not (generation / TAKEN_BACK).is_dir():
        yield None
        return
    with closing(LogRetractions(generation / TAKEN_BACK)) as log:
        yield log


def by_user(entries: Iterable[ActionEntry]) -> dict[UserId, list[ActionEntry]]:
    """Return entries by their user, in the order in which users come first."""
    found: dict[UserId, list[ActionEntry]] = {}
    for entry in entries:
        found.setdefault(entry.user_id, []).append(entry)
    return found


def _parts(log: ActionLog) -> Iterator[list[ActionEntry]]:
    for part in log.retraction_parts(_PART):
        yield [
            ActionEntry(
                row.user_id, row.item_id, row.time_ms, row.kind, row.weight, row.event_key, 0, retract=True
            )
            for row in part
        ]

"""What time it is when something arrives, on a machine whose clock may be set back."""

from __future__ import annotations

import time

from pinnersage.config import MS_PER_DAY
from pinnersage.streaming.entries import Entry
from pinnersage.streaming.journal import Heads, Journal

MAX_SET_BACK_MS = MS_PER_DAY
_N_LOOKED_AT = 4
"""Entries at the end of the journal, where the newest has been forgotten with its user."""


def wall_clock_ms() -> int:
    """Return what this machine's clock shows."""
    return time.time_ns() // 1_000_000


def arrival_ms(journal: Journal, known: tuple[Heads, list[tuple[int, Entry]]] | None = None) -> int:
    """Return the time of an arrival: that of the newest entry, where this machine's clock is behind it.

    So a clock that is set back neither refuses what happens now nor makes the journal's times go back.
    It is believed where it is a day or more behind: then rather an entry was written while it was ahead.
    ``known``: what the journal's ``heads_and_newest`` returns now.
    """
    heads, newest = known or journal.heads_and_newest()
    newest = newest or journal.read(max(0, heads.all - _N_LOOKED_AT), _N_LOOKED_AT)
    now_ms = wall_clock_ms()
    newest_ms = max((entry.received_ms for _, entry in newest), default=0)
    return newest_ms if now_ms < newest_ms < now_ms + MAX_SET_BACK_MS else now_ms

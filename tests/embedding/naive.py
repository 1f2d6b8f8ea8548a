"""The mutual information of items and the sessions behind it, pair by pair."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations

Action = tuple[int, int, int]
"""User, item row, time in milliseconds."""


def sessions_of(log: list[Action], length_ms: int, most: int) -> list[set[int]]:
    newest: dict[tuple[int, int], dict[int, int]] = {}
    for user, row, time_ms in log:
        session = newest.setdefault((user, time_ms // length_ms if length_ms else 0), {})
        session[row] = max(time_ms, session.get(row, time_ms))
    kept = []
    for session in newest.values():
        rows = sorted(session, key=lambda row: (-session[row], row))[:most]
        kept.append(set(rows))
    return [rows for rows in kept if len(rows) > 1]


def ppmi_of(sessions: list[set[int]], shift: float, smoothing: float) -> dict[tuple[int, int], float]:
    counts = Counter(pair for rows in sessions for pair in permutations(sorted(rows), 2))
    totals: Counter[int] = Counter()
    for (row, _), count in counts.items():
        totals[row] += count
    smoothed = sum(total**smoothing for total in totals.values())
    found = {}
    for (a, b), count in counts.items():
        # The geometric mean of p(a, b) / (p(a) q(b)) and p(a, b) / (p(b) q(a)), q smoothed.
        there = count * smoothed / (totals[a] * totals[b] ** smoothing)
        back = count * smoothed / (totals[b] * totals[a] ** smoothing)
        value = math.log(math.sqrt(there * back)) - shift
        if value > 0:
            found[a, b] = value
    return found

"""What appending to the journal costs until the disk has it, and what asking it for one user does.

    python benchmarks/bench_journal.py            writes benchmarks/results/journal.json
    python benchmarks/bench_journal.py --quick    a smaller journal, prints only

The key that leads from a user to a new entry goes into the newest block of keys (``blocks``) or, in mode
``recent``, to its place among all users (``settled``). Two journals are filled with the same actions of many
users; then groups of 10, 30 and 100 are appended to each in turn, one user after another is asked for, and
the blocks are settled.
"""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common import measure_and_keep, median_ratio, seconds, side_by_side
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.lmdb_journal import LmdbJournal

GROUPS = (10, 30, 100)


class Filled:
    """A journal that grows by random actions; a settled one puts each key among all users at once."""

    def __init__(self, path: Path, n_users: int, new_keys: str) -> None:
        self.journal, self._new_keys = LmdbJournal(path), new_keys
        self._n_users, self._rng = n_users, np.random.default_rng(3)

    def append(self, n: int) -> None:
        """Append ``n`` actions of random users in one commit."""
        users = self._rng.integers(self._n_users, size=n).tolist()
        entries = [ActionEntry(f"u{u}", f"i{u % 97}", 1_000 + u, "click", 1.0, u, 2_000) for u in users]
        self.journal.append(entries, often_asked=self._new_keys == "settled")

    def ask(self, n: int) -> None:
        """Ask for the entries of ``n`` random users."""
        for user in self._rng.integers(self._n_users, size=n).tolist():
            self.journal.of_user(f"u{user}")


def run(quick: bool) -> dict[str, Any]:
    n_entries, n_users, rounds = (20_000, 2_000, 20) if quick else (500_000, 50_000, 300)
    result: dict[str, Any] = {"n_entries": n_entries, "n_users": n_users, "rounds": rounds, "append": {}}
    with tempfile.TemporaryDirectory() as folder:
        both = {name: Filled(Path(folder, name), n_users, name) for name in ("settled", "blocks")}
        for filled in both.values():
            for _ in range(n_entries // 10_000):
                filled.append(10_000)
        for n in GROUPS:
            times = side_by_side({name: partial(filled.append, n) for name, filled in both.items()}, rounds)
            result["append"][str(n)] = {
                **{f"{name}_p50_ms": _ms(statistics.median(spent)) for name, spent in times.items()},
                **{f"{name}_p99_ms": _ms(float(np.quantile(spent, 0.99))) for name, spent in times.items()},
                "settled_over_blocks": median_ratio(times["settled"], times["blocks"]),
            }
        times = side_by_side({name: partial(filled.ask, 20) for name, filled in both.items()}, rounds)
        result["of_user_ms"] = {name: _ms(statistics.median(spent) / 20) for name, spent in times.items()}
        result["settle_all_s"] = round(seconds(both["blocks"].journal.settle), 2)
        for filled in both.values():
            filled.journal.close()
    return result


def _ms(spent_s: float) -> float:
    return round(1_000 * spent_s, 3)


if __name__ == "__main__":
    measure_and_keep("journal", __doc__, run)

"""How wide the set must be from which a ranker chooses a long list, on a span that is not reported anywhere.

    python benchmarks/bench_slots.py --items F --actions F --cut 2017-08-01

A ranker without interests is fitted on the moments before the cut, on wide sets for 100 slots, as a build
does. For wider and wider sets after the cut: candidates of a user, the share of the items they first act on
in the two weeks after it that are among them, and that the ranker puts within 1 % of the pool and within
400. Without tables: a synthetic world.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from earlier_spans import examples_of, study
from pinnersage.config import RankingConfig
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.ranking.fitting import recall_within, training_moments
from pinnersage.ranking.growing import grow

SLOTS = (100, 150, 200, 400)
N_TREES = (50, 100, 150)
SHARE, LONG = 0.01, 400


def compared(log: ReplayLog, cut_ms: int, n_users: int) -> dict[str, Any]:
    config = RankingConfig(budget=SLOTS[0])
    parts = [examples_of(log, ms, config, sampled=True) for ms in training_moments(cut_ms, config)]
    features = np.concatenate([part.features for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    forest = grow(features, labels, config, max(N_TREES))
    n_pool = int((log.available & (log.born_ms < cut_ms)).sum())
    n_short = max(1, int(SHARE * n_pool))
    result: dict[str, Any] = {"n_pool": n_pool}
    for n_slots in SLOTS:
        wide = RankingConfig(budget=n_slots, n_users_per_moment=2 * n_users)
        after = examples_of(log, cut_ms, wide, sampled=False)
        n_users_asked = len(after.n_targets)
        scored = [forest.first(n).scores(after.features) for n in N_TREES]
        result[str(n_slots)] = {
            "n_users": n_users_asked,
            "n_candidates": round(len(after.labels) / n_users_asked),
            "ceiling": recall_within(np.zeros(len(after.labels), np.float32), after, len(after.labels)),
            "1%": float(np.mean([recall_within(scores, after, n_short) for scores in scored])),
            str(LONG): float(np.mean([recall_within(scores, after, LONG) for scores in scored])),
        }
    return result


def table(kept: dict[str, Any]) -> str:
    """Return recall at 400 (at 1 %; candidates) for each width on every span, in Markdown."""
    lines = ["| slots | " + " | ".join(kept) + " |", "|---" * (len(kept) + 1) + "|"]
    for n_slots in map(str, SLOTS):
        found = [span[n_slots] for span in kept.values()]
        cells = [f"{f[str(LONG)]:.4f} ({f['1%']:.4f}; {f['n_candidates']:,})" for f in found]
        lines.append(f"| {n_slots} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    study(__doc__, lambda log, cut_ms, given: compared(log, cut_ms, given.users), table, users=800)

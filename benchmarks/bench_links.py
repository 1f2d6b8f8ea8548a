"""What each regression over common users gives the ranker, on a span that is not reported anywhere.

    python benchmarks/bench_links.py --items F --actions F --cut 2017-08-01

A ranker without interests is fitted on the moments before the cut, with one regression, the other, or
both; measured is the share of the items that users first act on in the two weeks after it, within 1 % of
the pool and within 400. Beside it the order of each regression alone. Without tables: a synthetic world.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from earlier_spans import examples_of, study
from pinnersage.config import RankingConfig
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.ranking.features import FEATURES
from pinnersage.ranking.fitting import recall_within, training_moments
from pinnersage.ranking.growing import grow

REGRESSIONS = ("regression", "shrunk_regression")
WITHOUT = {"ridge 100": REGRESSIONS[1], "ridge 1,000": REGRESSIONS[0], "both": None}
N_TREES = (50, 100, 150)
SHARE, LONG = 0.01, 400


def columns_without(name: str | None) -> list[int]:
    return [i for i, feature in enumerate(FEATURES) if name is None or feature.removesuffix("_rank") != name]


def compared(log: ReplayLog, cut_ms: int, n_users: int) -> dict[str, Any]:
    config = RankingConfig(n_users_per_moment=n_users)
    parts = [examples_of(log, ms, config, sampled=True) for ms in training_moments(cut_ms, config)]
    after = examples_of(log, cut_ms, RankingConfig(n_users_per_moment=2 * log.n_users), sampled=False)
    n_pool = int((log.available & (log.born_ms < cut_ms)).sum())
    budgets = {"1%": max(1, int(SHARE * n_pool)), str(LONG): LONG}
    result: dict[str, Any] = {"n_users": len(after.n_targets), "budgets": budgets}
    for name in REGRESSIONS:
        scores = after.features[:, FEATURES.index(name)]
        result[f"{name} alone"] = {label: recall_within(scores, after, n) for label, n in budgets.items()}
    features = np.concatenate([part.features for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    for name, left_out in WITHOUT.items():
        kept = columns_without(left_out)
        forests = [grow(features[:, kept], labels, config, n) for n in N_TREES]
        scored = [forest.scores(after.features[:, kept]) for forest in forests]
        result[name] = {
            label: float(np.mean([recall_within(scores, after, n) for scores in scored]))
            for label, n in budgets.items()
        }
    return result


def table(kept: dict[str, Any]) -> str:
    """Return recall at 1 % (at 400) of every variant on every span, in Markdown."""
    lines = ["| | " + " | ".join(kept) + " |", "|---" * (len(kept) + 1) + "|"]
    for name in (*WITHOUT, *(f"{name} alone" for name in REGRESSIONS)):
        cells = [f"{found[name]['1%']:.4f} ({found[name][str(LONG)]:.4f})" for found in kept.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    study(__doc__, lambda log, cut_ms, given: compared(log, cut_ms, given.users), table, users=2_000)

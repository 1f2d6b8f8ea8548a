"""What longer training gives the sequence networks, on a span that is not reported anywhere.

    python benchmarks/longer_training.py --items F --actions F --cut 2011-06-01 --most 4

Each network is fitted before the cut with as many steps as the evaluation gives it, and with more. Recall
of first-time items within 1 % of the pool and within 400, of all that users act on in the two weeks after
the cut, predicted at once; beside EASE, whose settings are chosen on the two weeks before it. No part of
`make bench`: it needs `pip install 'pinnersage[sequence,baselines]'`. Without tables: a synthetic world.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from earlier_spans import study
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_choice import recall, span
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.arms.trained_sequence import SequenceArm
from pinnersage.evaluation.arms.tuned import TunedArm
from pinnersage.evaluation.replay import Day, Mode, ReplayLog

NETWORKS = ("sasrec", "comirec")
TIMES_AS_LONG = (1, 4, 16)
SHARE, LONG = 0.01, 400
MODE: Mode = "first_time"


def measured(arm: TrainedArm | TunedArm, log: ReplayLog, day: Day, n_short: int) -> dict[str, Any]:
    """Fit an arm before a day; return its recall and how long fitting took."""
    began_s = time.perf_counter()
    arm.fit(log, day.start_ms)
    fit_s = time.perf_counter() - began_s
    found = arm.recommend(day.without_targets(), log, max(n_short, LONG), MODE)
    return {
        "1%": round(recall(day, found[:, :n_short], MODE)[0], 4),
        str(LONG): round(recall(day, found[:, :LONG], MODE)[0], 4),
        "fit_s": round(fit_s, 1),
    }


def compared(log: ReplayLog, cut_ms: int, n_days: int, most: int) -> dict[str, Any]:
    day = span(log, cut_ms, n_days, window_days=90)
    n_short = max(1, int(SHARE * day.pool.sum()))
    result: dict[str, Any] = {
        "n_pool": int(day.pool.sum()),
        "ease": measured(TunedArm("ease", n_short), log, day, n_short),
    }
    for name in NETWORKS:
        usual = TRAINED[name]()[0]
        assert isinstance(usual, SequenceArm)
        for times in (times for times in TIMES_AS_LONG if times <= most):
            arm = replace(usual, n_steps=times * usual.n_steps)
            result[f"{name}, {arm.n_steps:,} steps"] = measured(arm, log, day, n_short)
            print(name, arm.n_steps, result[f"{name}, {arm.n_steps:,} steps"], flush=True)
    return result


def table(kept: dict[str, Any]) -> str:
    """Return recall within 1 % (within 400) for each length of training on every span, in Markdown."""
    lines = ["| | " + " | ".join(kept) + " |", "|---" * (len(kept) + 1) + "|"]
    names = dict.fromkeys(name for found in kept.values() for name in found if name != "n_pool")
    for name in names:
        cells = [
            f"{f[name]['1%']:.3f} ({f[name][str(LONG)]:.3f})" if name in f else "" for f in kept.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    study(
        __doc__, lambda log, cut_ms, given: compared(log, cut_ms, given.days, given.most), table,
        most=max(TIMES_AS_LONG),
    )  # fmt: skip

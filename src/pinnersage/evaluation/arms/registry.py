"""Makes arms of every kind by name; the names stand in ``names``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pinnersage.config import BuildConfig
from pinnersage.evaluation.arms.knobs import KNOBS, knob_arms
from pinnersage.evaluation.arms.names import GROUPS
from pinnersage.evaluation.arms.ranked import RANKED, ranked_arm
from pinnersage.evaluation.arms.served import served_arm
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.arms.tuned import REFIT_DAYS, TunedArm
from pinnersage.evaluation.arms.untrained import Parts, untrained_arms
from pinnersage.evaluation.replay import Arm, ReplayLog


def make_arms(
    names: Iterable[str], log: ReplayLog, parts: Parts, budgets: Sequence[int], config: BuildConfig
) -> list[Arm]:
    """Make arms of any kind by name, not fitted.

    Parameters
    ----------
    budgets
        Items of the lists that will be asked for; settings of trained arms are chosen by the shortest.
    config
        Of the ranker, and of all that the arm ``as-configured`` serves.
    """
    arms: list[Arm] = []
    for name in names:
        if name in RANKED:
            arms.append(ranked_arm(name, parts, config.ranking))
        elif name in TRAINED:
            refit_days = REFIT_DAYS.get(name)
            arms.append(TunedArm(name, min(budgets), refit_days=refit_days, n_threads=parts.n_threads))
        elif name in KNOBS:
            arms += knob_arms(log, parts, [name])
        elif name in GROUPS["configured"]:
            arms.append(served_arm(config, parts, name))
        else:
            arms += untrained_arms(log, parts, [name])
    return arms

"""All arms by name and by group, and which of them can run here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence

from pinnersage.config import RankingConfig
from pinnersage.errors import UnavailableError, UsageError
from pinnersage.evaluation.arms.ranked import RANKED, ranked_arm
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.arms.tuned import REFIT_DAYS, TunedArm
from pinnersage.evaluation.arms.untrained import UNTRAINED, Parts, untrained_arms
from pinnersage.evaluation.replay import Arm, ReplayLog

GROUPS: dict[str, tuple[str, ...]] = {
    "untrained": tuple(UNTRAINED),
    "ranked": tuple(RANKED),
    "trained": tuple(TRAINED),
}
"""Name of a group -> its arms; ``all`` stands for every group."""

_LINEAR = ("scipy", "implicit", "threadpoolctl")
_SEQUENCE = ("torch", "torch_rechub")
_NEEDS = {
    **dict.fromkeys(RANKED, ("ranking", ("sklearn", "threadpoolctl"))),
    **dict.fromkeys(TRAINED, ("sequence", _SEQUENCE)),
    **dict.fromkeys(("ease", "item-item", "als"), ("baselines", _LINEAR)),
}


def missing_extra(name: str) -> str | None:
    """Return the extra that an arm needs and that is not installed here."""
    extra, modules = _NEEDS.get(name, ("", ()))
    return extra if any(importlib.util.find_spec(module) is None for module in modules) else None


def arm_names(
    asked: Iterable[str] | None, *, has_categories: bool = True
) -> tuple[list[str], dict[str, str]]:
    """Return the arms to run, and those left out with the reason.

    Parameters
    ----------
    asked
        Names of arms and of groups (``untrained``, ``ranked``, ``trained``, ``all``); None: the untrained.
    has_categories
        Whether the items have a category.

    Raises
    ------
    UsageError
        A name is not known.
    UnavailableError
        An arm that was asked for by its own name needs an extra that is not installed. Of a group such
        arms are left out.

    Examples
    --------
    >>> arm_names(["mean-0", "last-item", "mean-0"])[0]
    ['mean-0', 'last-item']
    """
    found: dict[str, None] = {}
    left_out: dict[str, str] = {}
    for word in asked if asked is not None else ["untrained"]:
        for name in _members(word):
            extra = missing_extra(name)
            if extra and name == word:
                raise UnavailableError(f"arm {name} needs pip install 'pinnersage[{extra}]'")
            if extra:
                left_out[name] = f"needs pinnersage[{extra}]"
            elif name == "popular-category" and not has_categories:
                left_out[name] = "the items have no category"
            else:
                found[name] = None
    return list(found), left_out


def _members(word: str) -> Sequence[str]:
    if word == "all":
        return [name for names in GROUPS.values() for name in names]
    known = {name for names in GROUPS.values() for name in names}
    if word not in known and word not in GROUPS:
        raise UsageError(
            f"no arm {word}; expected some of {', '.join(sorted(known))}, "
            f"or a group: {', '.join(GROUPS)}, all"
        )
    return GROUPS.get(word, (word,))


def make_arms(
    names: Iterable[str], log: ReplayLog, parts: Parts, budgets: Sequence[int], ranking: RankingConfig
) -> list[Arm]:
    """Make arms of any kind by name, not fitted.

    Parameters
    ----------
    budgets
        Items of the lists that will be asked for; settings of trained arms are chosen by the shortest.
    """
    arms: list[Arm] = []
    for name in names:
        if name in RANKED:
            arms.append(ranked_arm(name, parts, ranking, max(budgets)))
        elif name in TRAINED:
            refit_days = REFIT_DAYS.get(name)
            arms.append(TunedArm(name, min(budgets), refit_days=refit_days, n_threads=parts.n_threads))
        else:
            arms += untrained_arms(log, parts, [name])
    return arms

"""The trained arms by name, and the settings among which each is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from pinnersage.errors import UsageError
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_choice import Chosen, choose
from pinnersage.evaluation.arms.trained_factors import AlsArm
from pinnersage.evaluation.arms.trained_linear import EaseArm, ItemItemArm
from pinnersage.evaluation.arms.trained_networks import Network
from pinnersage.evaluation.arms.trained_sequence import SequenceArm
from pinnersage.evaluation.replay import Mode, ReplayLog

_WINDOWS = (90, None)


def _ease() -> list[TrainedArm]:
    return [EaseArm("ease", days, l2=l2) for days, l2 in product(_WINDOWS, (100.0, 300.0, 1000.0, 3000.0))]


def _item_item() -> list[TrainedArm]:
    choices = product(_WINDOWS, (50, 400), ("cosine", "tfidf"))
    return [ItemItemArm("item-item", days, n_neighbors=n, weighting=w) for days, n, w in choices]  # type: ignore[arg-type]


def _als() -> list[TrainedArm]:
    choices = product((32, 128), ((1.0, 3.0), (1.0, 10.0), (5.0, 10.0), (5.0, 30.0)))
    return [AlsArm("als", 90, n_factors=f, alpha=a, regularization=r) for f, (a, r) in choices]


def _sequence(network: Network) -> list[TrainedArm]:
    if network == "sasrec":
        return [SequenceArm(network, days, network="sasrec", n_steps=200) for days in _WINDOWS]
    return [SequenceArm(network, 90, network=network, temperature=t, n_steps=300) for t in (0.07, 0.15)]


TRAINED: dict[str, Callable[[], list[TrainedArm]]] = {
    "ease": _ease,
    "item-item": _item_item,
    "als": _als,
    "sasrec": lambda: _sequence("sasrec"),
    "comirec": lambda: _sequence("comirec"),
    "mind": lambda: _sequence("mind"),
}
"""Name -> candidates, of which the first is the default where nothing can be chosen."""


def tuned_arms(
    log: ReplayLog,
    until_ms: int,
    budget: int,
    names: Sequence[str] | None = None,
    *,
    n_days: int = 14,
    mode: Mode = "first_time",
    min_actions: int = 1,
    refit_days: int | None = None,
) -> dict[str, Chosen[TrainedArm]]:
    """Choose the settings of trained arms on the last days before the cut.

    Parameters
    ----------
    log
        Nothing from ``until_ms`` on is read.
    until_ms
        Start of the first day that will be reported.
    budget, mode, n_days, min_actions
        As :func:`~pinnersage.evaluation.arms.trained_choice.choose` takes them.
    names
        Of :data:`TRAINED`; None: all.
    refit_days
        Given to the chosen arms. Where items are born all the time, a model that is fitted once falls
        behind arms that see every day: fit anew each day to compare like with like.

    Returns
    -------
    Name -> what was chosen; the arms are not fitted.

    Raises
    ------
    UsageError
        A name is not known, or the days before the cut hold no user to choose by.
    UnavailableError
        A library is missing; the message names the extra.
    """
    wanted = list(TRAINED) if names is None else list(names)
    unknown = sorted(set(wanted) - set(TRAINED))
    if unknown:
        raise UsageError(f"no trained arm {', '.join(unknown)}; expected some of {', '.join(TRAINED)}")
    found = {}
    for name in wanted:
        chosen = choose(
            TRAINED[name](), log, until_ms, budget=budget, n_days=n_days, mode=mode, min_actions=min_actions
        )
        found[name] = replace(chosen, arm=replace(chosen.arm, refit_days=refit_days))
    return found

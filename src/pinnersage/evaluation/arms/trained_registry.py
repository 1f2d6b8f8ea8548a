"""The trained arms by name, and the settings among which each is chosen (see ``tuned``)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_factors import AlsArm
from pinnersage.evaluation.arms.trained_linear import EaseArm, ItemItemArm
from pinnersage.evaluation.arms.trained_networks import Network
from pinnersage.evaluation.arms.trained_sequence import SequenceArm

_WINDOWS = (90, None)
_TIMES_AS_LONG = (1, 4)
"""What longer training of a sequence network gives differs from log to log: much, nothing, or less."""


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
        choices = product(_TIMES_AS_LONG, _WINDOWS)
        return [SequenceArm(network, days, network=network, n_steps=200 * times) for times, days in choices]
    return [
        SequenceArm(network, 90, network=network, temperature=temperature, n_steps=300 * times)
        for times, temperature in product(_TIMES_AS_LONG, (0.07, 0.15))
    ]


TRAINED: dict[str, Callable[[], list[TrainedArm]]] = {
    "ease": _ease,
    "item-item": _item_item,
    "als": _als,
    "sasrec": lambda: _sequence("sasrec"),
    "comirec": lambda: _sequence("comirec"),
    "mind": lambda: _sequence("mind"),
}
"""Name -> candidates, of which the first is the default where nothing can be chosen."""

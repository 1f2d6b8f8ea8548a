"""Several settings on more and more users; who is surely behind the leader is out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pinnersage._arrays import Float64s
from pinnersage.errors import DataError
from pinnersage.evaluation.tuning.comparing import Pairs, mean

Score = Callable[[int, int], Float64s]
"""``score(setting, n_users)``: the figures of the first users, float64 ``(n_users,)``."""


@dataclass
class Raced:
    """How a race went.

    Attributes
    ----------
    winner
        The setting with the best mean among those that stayed to the end; the earliest of equals.
    values
        Of each setting, the figures of all users it was asked about; shorter where it dropped out.
    failed
        Setting -> why it could not be asked.
    """

    winner: int = 0
    values: dict[int, Float64s] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)


def rounds_of(n_users: int, n_first: int) -> list[int]:
    """Return how many users each round has: an eighth, a quarter, a half, all; never below ``n_first``.

    Examples
    --------
    >>> rounds_of(2000, 50), rounds_of(300, 50), rounds_of(40, 50)
    ([250, 500, 1000, 2000], [50, 75, 150, 300], [40])
    """
    sizes = {min(n_users, max(n_first, n_users // part)) for part in (8, 4, 2, 1)}
    return sorted(sizes)


def race(score: Score, n_settings: int, rounds: Sequence[int], pairs: Pairs) -> Raced:
    """Ask settings about more and more users, and drop those that are surely behind.

    A setting is out when the 95 % interval of its paired difference to the leader of the round lies
    wholly below 0. Setting 0, what stands now, stays to the end, to be compared with.

    Parameters
    ----------
    score
        Tells the figures of a setting.
    n_settings
        At least 1.
    rounds
        Users in each round, ascending.
    pairs
        Compares.

    Raises
    ------
    DataError
        Setting 0 cannot be asked.
    """
    raced = Raced()
    alive = list(range(n_settings))
    for n_users in rounds:
        alive = [s for s in alive if _asked(score, s, n_users, raced)]
        values = {s: raced.values[s] for s in alive}
        leader = max(alive, key=lambda s: (mean(values[s]), -s))
        alive = [s for s in alive if s in {0, leader} or pairs.gain(values[s], values[leader]).high >= 0]
        raced.winner = leader
        if alive == [0]:
            break
    return raced


def _asked(score: Score, setting: int, n_users: int, raced: Raced) -> bool:
    try:
        raced.values[setting] = score(setting, n_users)
    except DataError as error:
        if setting == 0:
            raise
        raced.failed[setting] = str(error)
        return False
    return True

"""Examples that rankers are fitted on, kept for options that differ only in how trees grow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pinnersage.evaluation.replay import Mode
from pinnersage.ranking.fitting import TrainingExamples

_MAX_BYTES = 1_200_000_000
"""Room for the examples of one race with the default settings of a ranker on a large log: 0.3 GB each."""


class KeptExamples:
    """Examples by settings and mode; of more than ``max_bytes``, those asked for longest ago leave.

    Parameters
    ----------
    max_bytes
        The newest stay whatever they take.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, Mode], TrainingExamples] = OrderedDict()

    def of(self, settings: str, mode: Mode, make: Callable[[], TrainingExamples]) -> TrainingExamples:
        """Return examples, made if they are not there.

        Parameters
        ----------
        settings, mode
            All that they rest on.
        make
            Called where they have to be made.
        """
        key = settings, mode
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(kept.n_bytes for kept in self._kept.values()) > self._max_bytes:
            self._kept.popitem(last=False)
        return self._kept[key]

    def drop_but(self, settings: str) -> None:
        """Drop all examples but those of some settings."""
        for key in [key for key in self._kept if key[0] != settings]:
            del self._kept[key]

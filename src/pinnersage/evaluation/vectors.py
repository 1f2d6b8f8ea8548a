"""Item embeddings as of a moment: as given, or learnt from the actions before it.

Embeddings that are learnt from the log must not have seen what they are measured on, nor items that were
not born: those of a replay are learnt before its first day, those that settings are compared on before
the training days, and a ranker that learns at an earlier moment is given those of that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage._times import rfc3339
from pinnersage.actions.liking import likes
from pinnersage.embedding.arrays import embed_items
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.errors import DataError
from pinnersage.evaluation.replay import ReplayLog

VectorSource = Literal["given", "log", "fused"]
VectorsAt = Callable[[int], Float32s]
"""``vectors_at(ms)``: float32 ``(n_items, d)`` that know no action at or after ``ms``,
and were learnt from no item born at or after it."""

_KEPT = 8
_LATER = "a later --from (from Python: first_day=)"


@dataclass
class LearntVectors:
    """Embeddings learnt from a log up to a moment, beside its own embeddings; the last few are kept.

    Attributes
    ----------
    log
        All actions; its embeddings are what is known of items without the log.
    settings
        ``source`` is ``log`` or ``fused``.
    later
        What to choose, in words, where nothing came before.
    n_kept
        Moments whose embeddings are kept, the newest learnt.
    """

    log: ReplayLog = field(repr=False)
    settings: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    later: str = _LATER
    n_kept: int = _KEPT
    _kept: dict[int, Float32s] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, ms: int) -> Float32s:
        """Return unit embeddings of all items, zeros where nothing is known.

        Raises
        ------
        DataError
            No two items stand in one session before ``ms``.
        UnavailableError
            A library of the extra ``embed`` is not installed.
        """
        if ms not in self._kept:
            self._kept[ms] = self._learnt(ms)
            while len(self._kept) > self.n_kept:
                del self._kept[next(iter(self._kept))]
        return self._kept[ms]

    def _learnt(self, ms: int) -> Float32s:
        log = self.log.as_of(ms)
        counts = likes(log.weights)
        made = embed_items(
            log.embeddings, log.users[counts], log.item_rows[counts], log.times_ms[counts],
            until_ms=ms, born_ms=log.born_ms, settings=self.settings,
        )  # fmt: skip
        if not made.any():
            raise DataError(
                f"vectors: expected two items acted on in one session before {rfc3339(ms)} to learn from, "
                f"found none; choose {self.later}, or --vectors given (vectors='given')"
            )
        return np.ascontiguousarray(made, np.float32)


def vectors_of(
    log: ReplayLog, source: VectorSource, *, later: str = _LATER, n_kept: int = _KEPT
) -> VectorsAt | None:
    """Return embeddings as of a moment; None where the log's own are taken, which are of no moment."""
    return None if source == "given" else LearntVectors(log, EmbeddingSettings(source), later, n_kept)


def embedded_at(log: ReplayLog, vectors_at: VectorsAt | None, ms: int) -> ReplayLog:
    """Return the log with the embeddings of a moment; as it is, where embeddings are given."""
    return log if vectors_at is None else replace(log, embeddings=vectors_at(ms))

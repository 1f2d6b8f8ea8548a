"""The common part of all arms that ask an index with embeddings, one or several a user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s, Int64s
from pinnersage._kernel import kernel
from pinnersage.evaluation.neighbors import Asked, NeighborLists
from pinnersage.evaluation.replay import Day, Mode, ReplayLog
from pinnersage.evaluation.state import barred
from pinnersage.retrieval._scores import Matrix, dot, nearest_query
from pinnersage.retrieval.draw import equal_shares, proportional_shares


class Queries(NamedTuple):
    """What every user of a day asks.

    Attributes
    ----------
    offsets
        int64 ``(n_users + 1,)``; user ``u`` asks ``offsets[u]:offsets[u + 1]``; a user may ask nothing.
    vectors
        float32 ``(n_queries, d)``.
    item_rows
        int32 ``(n_queries,)``, the items whose embeddings these are; None when they are not.
    importances
        float64 ``(n_queries,)``.
    """

    offsets: Int64s
    vectors: Float32s
    item_rows: Int32s | None
    importances: Float64s


@kernel
def _best_cosines(
    vectors: Float32s, offsets: Int64s, matrix: Matrix, row_offsets: Int64s, rows: Int32s, out: Float32s
) -> None:
    for u in range(offsets.shape[0] - 1):
        for i in range(row_offsets[u], row_offsets[u + 1]):
            for q in range(offsets[u], offsets[u + 1]):
                out[i] = max(out[i], dot(vectors[q], matrix[rows[i]]))


class _Looked(NamedTuple):
    day: Day
    queries: Queries
    asked: Asked

    def is_of(self, day: Day) -> bool:
        """Tell whether it is what ``day`` asks; an oracle asks more where there are more targets."""
        names = ("users", "target_offsets", "target_rows")
        return self.day.start_ms == day.start_ms and all(
            np.array_equal(getattr(self.day, name), getattr(day, name)) for name in names
        )


@dataclass
class QueryArm:
    """Asks the neighbors of one or several embeddings of a user and merges them as the Retriever does.

    With ``equal`` shares each query gives ``floor(budget / n)`` neighbors, and where lists overlap all
    go on deeper in turn until the budget is full: every arm gets as many candidates (the paper's union
    only stays below its budget). With ``proportional`` shares the importances share the budget.

    Attributes
    ----------
    name
        Of the arm.
    neighbors
        Looks up.
    sharing
        How the budget is shared.
    order
        ``score``: by the largest cosine to a query; ``turns``: as merged.
    """

    name: str
    neighbors: NeighborLists = field(repr=False)
    sharing: Literal["equal", "proportional"] = "equal"
    order: Literal["score", "turns"] = "score"
    _last: _Looked | None = field(default=None, init=False, repr=False)

    def forget_lists(self) -> None:
        """Look up anew when next asked."""
        self._last = None

    def queries(self, day: Day, log: ReplayLog) -> Queries:
        """Return what the users ask; the one thing an arm of this kind has to say."""
        raise NotImplementedError

    def recommend(self, day: Day, log: ReplayLog, budget: int, mode: Mode) -> Int32s:
        """Return the merged neighbors; see :class:`~pinnersage.evaluation.replay.Arm`."""
        looked = self._look_up(day, log)
        shares = self._shares(looked.queries, budget)
        rows = self.neighbors.merged(
            looked.asked, shares, barred(day, log, mode), budget, looked.queries.vectors
        )
        return self._ordered(looked.queries, rows) if self.order == "score" else rows

    def score(self, day: Day, log: ReplayLog, offsets: Int64s, item_rows: Int32s) -> Float32s:
        """Return the largest cosine of each item to a query of its user."""
        asks = self._look_up(day, log).queries
        scores = np.full(len(item_rows), -np.inf, np.float32)
        _best_cosines(asks.vectors, asks.offsets, self.neighbors.matrix, offsets, item_rows, scores)
        return scores

    def _look_up(self, day: Day, log: ReplayLog) -> _Looked:
        last = self._last
        if last is None or not last.is_of(day):
            asks = self.queries(day, log)
            asked: Asked
            if asks.item_rows is None:
                asked = self.neighbors.ask_vectors(asks.offsets, asks.vectors)
            else:
                asked = self.neighbors.ask_items(asks.offsets, asks.item_rows)
            last = self._last = _Looked(day, asks, asked)
        return last

    def _shares(self, asks: Queries, budget: int) -> Int64s:
        parts: list[Any] = [np.empty(0, np.int64)]
        for first, stop in zip(asks.offsets[:-1].tolist(), asks.offsets[1:].tolist(), strict=True):
            if self.sharing == "equal":
                parts.append(equal_shares(stop - first, budget))
            else:
                parts.append(proportional_shares(asks.importances[first:stop], budget))
        return np.concatenate(parts)

    def _ordered(self, asks: Queries, rows: Int32s) -> Int32s:
        for u in np.flatnonzero(np.diff(asks.offsets) > 1).tolist():
            own = asks.vectors[asks.offsets[u] : asks.offsets[u + 1]]
            found = rows[u][rows[u] >= 0]
            rows[u, : len(found)] = nearest_query(own, self.neighbors.matrix, found)[0]
        return rows

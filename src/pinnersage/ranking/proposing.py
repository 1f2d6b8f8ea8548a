"""Where the wide set's own proposals come from: interests, a single vector, or any other arm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage.interests.history import history_of
from pinnersage.interests.record import RecordBatch
from pinnersage.ranking.largest import largest
from pinnersage.ranking.moment import Moment
from pinnersage.retrieval.draw import seen_rows
from pinnersage.retrieval.retriever import Retriever

Propose = Callable[[Int64s, RecordBatch, int], Int32s]
"""``propose(users, records, k)``: int32 ``(n_users, k)`` item rows, best first, padded with -1.

``users`` are positions in the log, ``records`` theirs as of the moment that is asked about.
"""


def from_interests(retriever: Retriever, n_interests: int, *, repeats: bool) -> Propose:
    """Return proposals of the most important interests, in proportion to importance."""

    def propose(users: Int64s, records: RecordBatch, k: int) -> Int32s:
        out = np.full((len(users), k), -1, np.int32)
        for u in range(len(users)):
            found = retriever.recommend(
                records.record(u),
                max(k, 1),
                mode="budgeted",
                n_interests=n_interests,
                exclude_seen=not repeats,
            )
            out[u, : len(found.rows)] = found.rows[:k]
        return out

    return propose


def from_mean(moment: Moment, *, repeats: bool) -> Propose:
    """Return proposals of a single vector: the decayed mean of the user's actions."""
    embeddings = np.asarray(moment.embeddings, np.float32)

    def propose(users: Int64s, records: RecordBatch, k: int) -> Int32s:
        out = np.full((len(users), k), -1, np.int32)
        for u in range(len(users)):
            record = records.record(u)
            history = history_of(record, moment.decay_per_day)
            cosines = embeddings @ (history.weights @ embeddings[history.rows])
            cosines[~moment.pool] = -np.inf
            if not repeats:
                cosines[seen_rows(record)] = -np.inf
            n = min(k, int(np.isfinite(cosines).sum()))
            best = largest(cosines[None], n)[0] if n else np.empty(0, np.int32)
            out[u, :n] = best[np.argsort(-cosines[best], kind="stable")]
        return out

    return propose


def nothing(users: Int64s, records: RecordBatch, k: int) -> Int32s:  # noqa: ARG001
    """Return no proposals: only popular, linked and own items remain."""
    return np.full((len(users), k), -1, np.int32)

"""The second stage of a model: fitted when it is built, opened with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s, UInt8s, UInt64s
from pinnersage.actions.log import ActionLog
from pinnersage.config import BuildConfig
from pinnersage.interests.overruled import Overruled, joined_overruled, known_before, overruled_in
from pinnersage.interests.unique import joined, unique_actions
from pinnersage.items.births import NEVER_MS, born_ms
from pinnersage.items.live import LiveItems
from pinnersage.items.table import ItemTable
from pinnersage.ranking.fitting import fit_ranker
from pinnersage.ranking.leaks import ranker_leak
from pinnersage.ranking.moment import Moment, moment_before
from pinnersage.ranking.proposing import Propose, from_interests
from pinnersage.ranking.serving import RankedRetriever, save_ranking
from pinnersage.retrieval.base import VectorIndex
from pinnersage.retrieval.retriever import Retriever

RANKER = "ranker"


@dataclass(frozen=True, slots=True)
class WholeLog:
    """All actions up to the build's now, in memory; see :class:`~pinnersage.ranking.actions.LogArrays`."""

    offsets: Int64s
    item_rows: Int32s
    times_ms: Int64s
    weights: Float32s
    kinds: UInt8s
    event_keys: UInt64s
    born_ms: Int64s
    overruled: Overruled | None = None
    created_ms: Int64s | None = None

    def as_of(self, ms: int) -> WholeLog:
        """Return a log whose actions before a time are those known then; it may have later ones."""
        if self.overruled is None or self.created_ms is None:
            return self
        offsets, actions, overruled = known_before(self, self.overruled, ms)
        born = np.where(self.created_ms < ms, self.created_ms, NEVER_MS)
        np.minimum.at(born, actions.item_rows, actions.times_ms)
        return WholeLog(
            offsets, actions.item_rows, actions.times_ms, actions.weights, actions.kinds, actions.event_keys,
            born, overruled, self.created_ms,
        )  # fmt: skip


def write_ranker(
    directory: Path, actions: WholeLog, items: ItemTable, index: VectorIndex, pool: Bools,
    config: BuildConfig, now_ms: int,
) -> dict[str, Any]:  # fmt: skip
    """Fit a ranker on the log up to ``now_ms``, write it, and return what the manifest should say.

    Embeddings are taken as they are: such that were learnt from the same log make the past look easier
    than it was (:func:`leak_of`).
    """
    moment_at = partial(_moment, actions, items, pool, config)

    def propose_at(moment: Moment) -> Propose:
        retriever = Retriever(
            index, items.embeddings, moment.pool, config.retrieval,
            representative=config.interests.representative, decay_per_day=config.interests.decay_per_day,
        )  # fmt: skip
        return from_interests(retriever, config.ranking.n_proposing_interests, repeats=config.ranking.repeats)

    ranker = fit_ranker(actions, now_ms + 1, moment_at, propose_at, config.interests, config.ranking)
    save_ranking(directory, ranker, moment_at(now_ms + 1))
    return {name: value for name, value in ranker.about.items() if name != "config"} | {
        "gains": ranker.gains()
    }


def leak_of(items: ItemTable, now_ms: int, config: BuildConfig) -> str | None:
    """Return what to say of embeddings that have seen what a ranker learns to predict; None without."""
    if not config.ranking.fit_ranker:
        return None
    return ranker_leak(items.origin, now_ms + 1, config.ranking, "build without --ranker (fit_ranker=False)")


def open_ranker(
    directory: Path, retriever: Retriever, items: ItemTable, live: LiveItems, config: BuildConfig
) -> RankedRetriever | None:
    """Open a model's second stage; None when it was built without one.

    Raises
    ------
    StoredFormatError
        A file is missing, damaged or from a newer version.
    """
    if not directory.exists():
        return None
    return RankedRetriever(
        retriever, directory, live.embeddings, live.pool, categories=_categories(items),
        decay_per_day=config.interests.decay_per_day, ranking=config.ranking, retrieval=config.retrieval,
    )  # fmt: skip


def _moment(actions: WholeLog, items: ItemTable, pool: Bools, config: BuildConfig, ms: int) -> Moment:
    return moment_before(
        actions, ms, items.embeddings, pool,
        categories=_categories(items), decay_per_day=config.interests.decay_per_day,
    )  # fmt: skip


def whole_log(log: ActionLog, items: ItemTable, now_ms: int) -> WholeLog:
    """Read a log into memory, about 40 bytes an action, none twice, times ascending inside each user."""
    batches, overruled, n_users = [], [], 0
    for batch in log.batches(now_ms):
        batches.append(unique_actions(batch))
        overruled.append(overruled_in(batch, batches[-1], n_users))
        n_users += batch.n_users
    found, nothing = joined(batches), np.empty(0, np.int64)
    return WholeLog(
        found.offsets, found.item_rows, found.times_ms, found.weights, found.kinds, found.event_keys,
        born_ms(items, found.item_rows, found.times_ms), joined_overruled(overruled),
        born_ms(items, nothing, nothing),
    )  # fmt: skip


def _categories(items: ItemTable) -> Int32s | None:
    if "category" not in items.attributes.column_names:
        return None
    codes = items.attributes.column("category").combine_chunks().dictionary_encode().indices
    found: Int32s = codes.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return found

"""The second stage in ``bench_complexity.py``: one of full size to ask, and what fitting one costs.

What a request costs depends on how much of everything there is, not on what it says: the one that is
asked has trees grown on chance, and links of drawn strength between as many items as a ranker links, all
of the asked users' items among them.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common import DAY_MS, NOW_MS, unit_vectors, write_actions, write_items
from measuring import cpu_and_peak
from pinnersage.actions.staging import stage_actions
from pinnersage.config import BuildConfig, InterestConfig, RankingConfig, RetrievalConfig
from pinnersage.items.importing import import_items
from pinnersage.model.ranking import whole_log, write_ranker
from pinnersage.ranking.features import N_FEATURES
from pinnersage.ranking.forest import Forest
from pinnersage.ranking.growing import grow
from pinnersage.ranking.links import ItemLinks, Links
from pinnersage.ranking.moment import Moment
from pinnersage.ranking.ranker import Ranker
from pinnersage.ranking.serving import RankedRetriever, save_ranking
from pinnersage.ranking.statistics import ItemStatistics
from pinnersage.retrieval.faiss_index import build_index, open_index
from pinnersage.retrieval.retriever import Retriever

Rows = npt.NDArray[np.int32]
N_LINKED, N_LINKS, N_SHRUNK_LINKS = 5_000, 200, 1_000
"""As many as ``ranking.linking.links_before`` keeps."""
N_GROWN_ON = 10_000
N_MOMENTS, N_USERS_PER_MOMENT = 1, 500
"""What is learnt from while fitting is measured: a sixteenth of the defaults, which only adds a constant."""


@cache
def full_forest() -> Forest:
    """Return as many trees, with as many leaves, as a ranker has by default; called once, in the parent."""
    rng = np.random.default_rng(0)
    features = rng.random((N_GROWN_ON, N_FEATURES), np.float32)
    return grow(features, rng.random(N_GROWN_ON) < 0.1, RankingConfig(), RankingConfig().n_trees)


def ranked_over(retriever: Retriever, embeddings: Any, own: Rows, folder: Path) -> RankedRetriever:
    """Return a second stage, and write it first where there is none; all of ``own`` is linked."""
    pool = np.ones(len(embeddings), np.bool_)
    if not folder.exists():
        moment = Moment(
            embeddings, pool, drawn_statistics(len(embeddings)), drawn_links(own, len(embeddings))
        )
        save_ranking(folder, Ranker(full_forest(), {}), moment)
    return RankedRetriever(
        retriever, folder, embeddings, pool, categories=None, decay_per_day=InterestConfig().decay_per_day,
        ranking=RankingConfig(), retrieval=RetrievalConfig(),
    )  # fmt: skip


def drawn_statistics(n_items: int) -> ItemStatistics:
    """Return counts of items, drawn."""
    rng = np.random.default_rng(1)
    drawn = [rng.poisson(5.0, n_items).astype(np.float32) for _ in range(8)]
    return ItemStatistics(NOW_MS, *drawn)


def drawn_links(own: Rows, n_items: int) -> Links:
    """Return links between items, ``own`` first; strengths of regressions have both signs."""
    rng = np.random.default_rng(2)
    others = np.setdiff1d(np.arange(n_items), own)
    more = rng.permutation(others)[: max(0, N_LINKED - len(own))]
    linked = np.sort(np.concatenate((own[:N_LINKED], more))).astype(np.int32)

    def kept(n_links: int, lowest: float) -> ItemLinks:
        n, n_kept = len(linked), min(n_links, len(linked))
        offsets = np.arange(n + 1, dtype=np.int64) * n_kept
        columns = [np.sort(rng.choice(n, n_kept, replace=False, shuffle=False)) for _ in range(n)]
        strengths = rng.uniform(lowest, 1.0, n * n_kept)
        return ItemLinks(offsets, np.concatenate(columns).astype(np.int32), strengths.astype(np.float32))

    return Links(linked, kept(N_LINKS, -1.0), kept(N_SHRUNK_LINKS, -1.0), kept(N_LINKS, 0.0))


def fit(n_users: int, per_user: int, n_items: int, dim: int, per_center: int) -> dict[str, list[float]]:
    """Time what a build adds for a second stage: reading the log into memory, learning, writing."""
    ranking = RankingConfig(fit_ranker=True, n_moments=N_MOMENTS, n_users_per_moment=N_USERS_PER_MOMENT)
    config = BuildConfig(n_threads=1, interests=InterestConfig(max_merge_cost=1.5), ranking=ranking)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        items, actions = folder / "items.parquet", folder / "actions.parquet"
        write_items(items, unit_vectors(n_items, dim, n_items // per_center, 1.0, seed=1))
        write_actions(actions, n_users, per_user, n_items, n_items // per_center, seed=2)
        table, _ = import_items(items, folder / "items", config.imports)
        pool = np.ones(n_items, np.bool_)
        build_index(table.embeddings, pool, folder / "index", config.index, 1)
        index = open_index(folder / "index", table.embeddings)
        with stage_actions(
            actions, table.vocabulary, config.imports, now_ms=NOW_MS, wall_clock_ms=NOW_MS + DAY_MS,
            work_dir=folder, n_threads=1,
        ) as log:  # fmt: skip

            def fit_one() -> None:
                known = whole_log(log, table, NOW_MS)
                write_ranker(folder / "ranker", known, table, index, pool, config, NOW_MS)

            spent_s, peak = cpu_and_peak(fit_one)
        index.close()
    return {"fit of a ranker": [spent_s], "fit of a ranker, peak": [peak]}

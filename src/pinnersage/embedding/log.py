"""Embeddings from the log alone: items that are acted on in the same sessions are near."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage._tables.engine import Progress
from pinnersage.embedding.cooccurrence import ppmi
from pinnersage.embedding.factors import left_factors, unit_rows
from pinnersage.embedding.sessions import session_matrix
from pinnersage.embedding.settings import EmbeddingSettings


def log_embeddings(
    users: Int64s,
    item_rows: Int32s | Int64s,
    times_ms: Int64s,
    n_items: int,
    settings: EmbeddingSettings,
    progress: Progress | None = None,
) -> Float32s:
    """Return embeddings of items from the sessions they stand in, whatever the order of the actions.

    Parameters
    ----------
    users, item_rows, times_ms
        ``(n_actions,)``, all of them before the cut.
    n_items
        Number of items of the catalogue.
    settings
        Sessions, mutual information and dimensions.
    progress
        Told of the items whose co-occurrences are counted.

    Returns
    -------
    float32 ``(n_items, <= n_dimensions)``, unit length; zeros for an item that is never in one session
    with another.
    """
    sessions = session_matrix(
        users, item_rows, times_ms, n_items=n_items,
        session_days=settings.session_days, max_session_items=settings.max_session_items,
    )  # fmt: skip
    known = np.flatnonzero(np.bincount(sessions.indices, minlength=n_items))
    told = None if progress is None else lambda done, total: progress("counting co-occurrences", done, total)
    information = ppmi(
        sessions[:, known], shift=settings.shift, smoothing=settings.smoothing,
        max_neighbors=settings.max_neighbors, told=told,
    )  # fmt: skip
    if progress is not None:
        progress("reducing dimensions", 0, None)
    factors = left_factors(information, settings.n_dimensions, settings.spectrum_power, settings.seed)
    embeddings = np.zeros((n_items, factors.shape[1]), np.float32)
    embeddings[known] = unit_rows(factors)
    return embeddings

"""One embedding from what is known of an item and from the log.

With unit rows ``t`` (content) and ``g`` (log) and the share ``w`` of the log, ::

    fused = [sqrt(w) * g, sqrt(1 - w) * t] / length

so that the cosine of two items that have both is ``w * cos(g, g') + (1 - w) * cos(t, t')``. An item that
the log does not know gets for ``g`` what its content predicts: ``t @ W`` at unit length, with ``W`` from
ridge regression on the items that have both. Then the directions that keep most of all dot products are
kept (:func:`~pinnersage.embedding.factors.reduced`).
"""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage.embedding._extras import one_thread
from pinnersage.embedding.factors import reduced, unit_rows

_RIDGE = 1.0


def fuse(content: Float32s, logged: Float32s, *, log_share: float, n_dimensions: int) -> Float32s:
    """Return fused embeddings.

    Parameters
    ----------
    content
        float32 ``(n_items, d_content)``, unit length or zeros.
    logged
        float32 ``(n_items, d_log)``, unit length or zeros.
    log_share
        See above, in [0, 1].
    n_dimensions
        Upper bound.

    Returns
    -------
    float32 ``(n_items, <= n_dimensions)``, unit length; zeros for an item that has neither.
    """
    share = np.float32(log_share)
    parts = [np.sqrt(share) * with_predictions(content, logged), np.sqrt(1 - share) * content]
    return reduced(unit_rows(np.hstack(parts)), n_dimensions)


def with_predictions(content: Float32s, logged: Float32s) -> Float32s:
    """Return ``logged`` with its rows of zeros replaced by what the content predicts."""
    has_log, has_content = logged.any(axis=1), content.any(axis=1)
    missing = has_content & ~has_log
    if not (has_log & has_content).any() or not missing.any():
        return logged
    filled = logged.copy()
    with one_thread():
        predicted = content[missing] @ _weights(content[has_log], logged[has_log])
    lengths = np.linalg.norm(predicted, axis=1, keepdims=True)
    filled[missing] = predicted / np.maximum(lengths, 1)
    return filled


def _weights(content: Float32s, logged: Float32s) -> Float32s:
    gram = (content.T @ content).astype(np.float64)
    gram[np.diag_indices_from(gram)] += _RIDGE
    weights: Float32s = np.linalg.solve(gram, (content.T @ logged).astype(np.float64)).astype(np.float32)
    return weights

"""One embedding from what is known of an item and from the log.

With unit rows ``t`` (content) and ``g`` (log) and the share ``w`` of the log, ::

    fused = [sqrt(w) * g, sqrt(1 - w) * t] / length

so that the cosine of two items that have both is ``w * cos(g, g') + (1 - w) * cos(t, t')``. An item that
the log does not know gets for ``g`` what its content predicts: ``t @ W``, at most at unit length, with
``W`` from ridge regression on the items that have both. Then the directions that keep most of all dot
products are kept (:func:`~pinnersage.embedding.factors.main_axes`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pinnersage._arrays import Float32s
from pinnersage.embedding._extras import one_thread
from pinnersage.embedding.factors import along, main_axes, unit_rows

_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Fusion:
    """How content and log become one embedding, learnt from some items and good for any.

    Attributes
    ----------
    log_share
        See above, in [0, 1].
    weights
        From content to the log part, float32 ``(d_content, d_log)``; None: no item had both.
    axes
        The directions kept; None: all.
    """

    log_share: float
    weights: Float32s | None
    axes: Float32s | None

    @classmethod
    def learnt(cls, content: Float32s, logged: Float32s, *, log_share: float, n_dimensions: int) -> Fusion:
        """Learn from items; the arguments are those of :func:`fuse`."""
        weights = prediction_weights(content, logged)
        wide = cls(log_share, weights, None)
        return replace(wide, axes=main_axes(wide._joined(content, logged), n_dimensions))

    def of(self, content: Float32s, logged: Float32s) -> Float32s:
        """Return embeddings of items, those it was learnt from or others."""
        return along(self._joined(content, logged), self.axes)

    def _joined(self, content: Float32s, logged: Float32s) -> Float32s:
        share = np.float32(self.log_share)
        filled = with_predictions(content, logged, self.weights)
        return unit_rows(np.hstack([np.sqrt(share) * filled, np.sqrt(1 - share) * content]))


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
    learnt = Fusion.learnt(content, logged, log_share=log_share, n_dimensions=n_dimensions)
    return learnt.of(content, logged)


def with_predictions(content: Float32s, logged: Float32s, weights: Float32s | None) -> Float32s:
    """Return ``logged`` with its rows of zeros replaced by what the content predicts."""
    missing = content.any(axis=1) & ~logged.any(axis=1)
    if weights is None or not missing.any():
        return logged
    filled = logged.copy()
    with one_thread():
        predicted = content[missing] @ weights
    lengths = np.linalg.norm(predicted, axis=1, keepdims=True)
    filled[missing] = predicted / np.maximum(lengths, 1)
    return filled


def prediction_weights(content: Float32s, logged: Float32s) -> Float32s | None:
    """Return ridge regression from content to log, on the items that have both; None: there are none."""
    has_log = logged.any(axis=1)
    if not (has_log & content.any(axis=1)).any():
        return None
    content, logged = content[has_log], logged[has_log]
    with one_thread():
        gram = (content.T @ content).astype(np.float64)
        gram[np.diag_indices_from(gram)] += _RIDGE
        weights: Float32s = np.linalg.solve(gram, (content.T @ logged).astype(np.float64)).astype(np.float32)
    return weights

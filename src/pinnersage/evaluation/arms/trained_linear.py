"""Linear models from item to item: EASE in closed form, and nearest neighbors by counts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pinnersage._arrays import Float32s, Float64s, Int32s
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms._trained_extras import needed
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_matrices import columns_of, training_matrix, user_item_matrix
from pinnersage.evaluation.replay import ReplayLog

_MAX_SIDE = 30_000


def without_history(scores: Float32s, histories: Any) -> Float32s:
    """Write ``-inf`` over the scores of users whose history is empty; returns ``scores``."""
    scores[np.diff(histories.indptr) == 0] = -np.inf
    return scores


@dataclass
class EaseArm(TrainedArm):
    """EASE: each item predicted from all others by ridge regression (Steck 2019).

    The inverse of ``X' X + l2 I`` is taken over users where they are fewer than items, by the
    push-through identity; the result is the same.

    Attributes
    ----------
    l2
        Ridge penalty, in squared actions.
    counted
        Enter ``log(1 + n)`` of ``n`` actions on the same item instead of 1.
    """

    l2: float = 200.0
    counted: bool = False
    _columns: Any = field(default=None, init=False, repr=False, compare=False)
    _model: Any = field(default=None, init=False, repr=False, compare=False)

    def _train(self, known: ReplayLog, first_ms: int) -> None:
        matrix = training_matrix(known, first_ms, counted=self.counted)
        self._columns = columns_of(matrix)
        matrix = matrix[:, self._columns]
        if min(matrix.shape) > _MAX_SIDE:
            raise UsageError(
                f"{self.name}: expected at most {_MAX_SIDE} users or items in the window, "
                f"found {matrix.shape[0]} and {matrix.shape[1]}; choose a shorter window"
            )
        self._model = _OverItems(matrix, self.l2) if matrix.shape[1] <= matrix.shape[0] else _OverUsers(
            matrix, self.l2
        )  # fmt: skip

    def _scores(self, log: ReplayLog, users: Int32s, first_ms: int) -> Float32s:
        histories = user_item_matrix(log, users, first_ms, counted=self.counted)
        histories = histories[:, self._columns]
        scores = np.full((len(users), log.n_items), -np.inf, np.float32)
        scores[:, self._columns] = self._model.scores(histories)
        return without_history(scores, histories)


class _OverItems:
    """``H B`` with ``B = I - P / diag(P)`` and ``P = inv(X' X + l2 I)``."""

    def __init__(self, matrix: Any, l2: float) -> None:
        gram = np.asarray((matrix.T @ matrix).toarray(), np.float64)
        gram[np.diag_indices_from(gram)] += l2
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        self._weights = weights.astype(np.float32)

    def scores(self, histories: Any) -> Float32s:
        """Return float32 ``(n, n_columns)``."""
        return np.asarray(histories @ self._weights, np.float32)


class _OverUsers:
    """The same scores from ``W = inv(X X' + l2 I) X``, since ``l2 P = I - X' W``."""

    def __init__(self, matrix: Any, l2: float) -> None:
        gram = np.asarray((matrix @ matrix.T).toarray(), np.float64)
        gram[np.diag_indices_from(gram)] += l2
        self._matrix = matrix
        self._weights = np.asarray((matrix.T @ np.linalg.inv(gram)).T, np.float32)
        explained = np.asarray(matrix.multiply(self._weights).sum(axis=0), np.float64).ravel()
        self._left: Float64s = 1.0 - explained

    def scores(self, histories: Any) -> Float32s:
        """Return float32 ``(n, n_columns)``."""
        similar = np.asarray((histories @ self._matrix.T).toarray(), np.float32)
        own = np.asarray(histories.toarray(), np.float32)
        left = self._left.astype(np.float32)
        return np.asarray(own - (own - similar @ self._weights) / left, np.float32)


@dataclass
class ItemItemArm(TrainedArm):
    """Sums over a user's items of their similarity to each item, the nearest only (``implicit``).

    Attributes
    ----------
    n_neighbors
        Items kept per item.
    weighting
        How similar items are counted.
    """

    n_neighbors: int = 100
    weighting: Literal["cosine", "tfidf", "bm25"] = "tfidf"
    _similarity: Any = field(default=None, init=False, repr=False, compare=False)

    def _train(self, known: ReplayLog, first_ms: int) -> None:
        library = needed("implicit.nearest_neighbours", "baselines")
        kinds = {
            "cosine": library.CosineRecommender,
            "tfidf": library.TFIDFRecommender,
            "bm25": library.BM25Recommender,
        }
        model = kinds[self.weighting](K=self.n_neighbors, num_threads=self.n_threads)
        matrix = training_matrix(known, first_ms, counted=False)
        # Weightings count the items there are: those of the future would be among them.
        acted_on = columns_of(matrix)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of its own conversions
            model.fit(matrix[:, acted_on], show_progress=False)
        found = model.similarity.tocoo()
        values, places = found.data.astype(np.float32), (acted_on[found.row], acted_on[found.col])
        sparse = needed("scipy.sparse", "baselines")
        self._similarity = sparse.csr_matrix((values, places), shape=2 * matrix.shape[1:])

    def _scores(self, log: ReplayLog, users: Int32s, first_ms: int) -> Float32s:
        histories = user_item_matrix(log, users, first_ms, counted=False)
        scores = np.asarray((histories @ self._similarity).toarray(), np.float32)
        scores[scores <= 0] = -np.inf
        return without_history(scores, histories)

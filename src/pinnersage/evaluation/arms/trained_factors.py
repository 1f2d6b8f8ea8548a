"""Implicit ALS: latent factors of users and items; a user's are solved anew from the newest history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pinnersage._arrays import Float32s, Int32s
from pinnersage.evaluation.arms._trained_extras import needed, one_blas_thread
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_linear import without_history
from pinnersage.evaluation.arms.trained_matrices import columns_of, training_matrix, user_item_matrix
from pinnersage.evaluation.replay import ReplayLog


@dataclass
class AlsArm(TrainedArm):
    """Weighted matrix factorization by alternating least squares (``implicit``).

    Attributes
    ----------
    n_factors, regularization, n_iterations
        As the library's.
    alpha
        Confidence of an action; an item without one counts 1.
    counted
        Enter ``log(1 + n)`` of ``n`` actions on the same item instead of 1.
    seed
        Of the first factors.
    """

    n_factors: int = 64
    regularization: float = 0.1
    alpha: float = 10.0
    n_iterations: int = 15
    counted: bool = False
    seed: int = 0
    _columns: Any = field(default=None, init=False, repr=False, compare=False)
    _model: Any = field(default=None, init=False, repr=False, compare=False)

    def _train(self, known: ReplayLog, first_ms: int) -> None:
        library = needed("implicit.cpu.als", "baselines")
        matrix = training_matrix(known, first_ms, counted=self.counted)
        self._columns = columns_of(matrix)
        with one_blas_thread():
            self._model = library.AlternatingLeastSquares(
                factors=self.n_factors,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.n_iterations,
                num_threads=self.n_threads,
                random_state=self.seed,
            )
            self._model.fit(matrix[:, self._columns], show_progress=False)

    def _scores(self, log: ReplayLog, users: Int32s, first_ms: int) -> Float32s:
        histories = user_item_matrix(log, users, first_ms, counted=self.counted)[:, self._columns]
        factors = self._model.recalculate_user(np.arange(len(users)), histories)
        scores = np.full((len(users), log.n_items), -np.inf, np.float32)
        scores[:, self._columns] = factors @ self._model.item_factors.T
        return without_history(scores, histories)

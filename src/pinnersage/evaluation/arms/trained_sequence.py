"""Arms that read a history in order: SASRec, and the multi-interest models ComiRec and MIND."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pinnersage._arrays import Float32s, Int32s, Int64s
from pinnersage.actions.liking import likes
from pinnersage.errors import UsageError
from pinnersage.evaluation.arms._trained_extras import needed
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_networks import Network, Shape, UserNetwork
from pinnersage.evaluation.arms.trained_sequences import cuts, examples, histories, timelines
from pinnersage.evaluation.replay import ReplayLog


@dataclass
class SequenceArm(TrainedArm):
    """A sequence network trained on what users did in the days after each day of their history.

    Attributes
    ----------
    network
        ``sasrec`` (one vector a user), ``comirec`` (self-attentive) or ``mind`` (several).
    n_dims, max_length, n_interests, dropout
        Size of the network; see :class:`~pinnersage.evaluation.arms.trained_networks.Shape`.
    temperature
        Of the softmax, for networks whose vectors have unit length (``comirec``, ``mind``).
    horizon_days
        Items this many days after a cut are its targets.
    n_steps, n_examples, n_targets
        Batches, and their size.
    learning_rate
        Of Adam, at its highest; it falls to zero in a line.
    seed
        Of the first weights, the draws and dropout.
    """

    network: Network = "sasrec"
    n_dims: int = 64
    max_length: int = 64
    n_interests: int = 4
    dropout: float = 0.2
    temperature: float = 0.07
    horizon_days: int = 14
    n_steps: int = 400
    n_examples: int = 128
    n_targets: int = 8
    learning_rate: float = 2e-3
    seed: int = 0
    _ids: Int64s = field(default_factory=lambda: np.empty(0, np.int64), init=False, repr=False, compare=False)
    _model: Any = field(default=None, init=False, repr=False, compare=False)

    def _train(self, known: ReplayLog, first_ms: int) -> None:
        torch = needed("torch", "sequence")
        rows = np.unique(known.item_rows[(known.times_ms >= first_ms) & likes(known.weights)])
        self._ids = np.zeros(known.n_items, np.int64)
        self._ids[rows] = np.arange(len(rows)) + 1
        shape = Shape(len(rows) + 1, self.n_dims, self.max_length, self.n_interests, self.dropout)
        with torch.random.fork_rng(devices=[]), _one_thread(torch):
            torch.manual_seed(self.seed)
            self._model = UserNetwork(self.network, shape, self.temperature)
            self._learn(torch, known, first_ms)

    def _learn(self, torch: Any, known: ReplayLog, first_ms: int) -> None:
        everyone = np.arange(known.n_users, dtype=np.int32)
        lines = timelines(known, everyone, self._ids, first_ms)
        where = cuts(lines, self.horizon_days)
        if not len(where.first):
            raise UsageError(
                f"{self.name}: expected a user with actions on two days to learn from, found none; "
                "choose a later first day or a longer window"
            )
        rng = np.random.default_rng(self.seed)
        optimizer = torch.optim.Adam(self._model.module.parameters(), lr=self.learning_rate)
        fading = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=self.n_steps)
        self._model.module.train()
        for _ in range(self.n_steps):
            batch = examples(lines, where, self.n_examples, self.max_length, self.n_targets, rng)
            optimizer.zero_grad()
            self._model.loss(torch.from_numpy(batch.histories), torch.from_numpy(batch.targets)).backward()
            optimizer.step()
            fading.step()

    def _scores(self, log: ReplayLog, users: Int32s, first_ms: int) -> Float32s:
        lines = timelines(log, users, self._ids, first_ms)
        read = histories(lines, lines.offsets[:-1], lines.offsets[1:], self.max_length)
        asks = np.flatnonzero(np.diff(lines.offsets))
        scores = np.full((len(users), log.n_items), -np.inf, np.float32)
        with _one_thread(needed("torch", "sequence")):
            scores[np.ix_(asks, np.flatnonzero(self._ids))] = self._model.scores(read[asks])
        return scores


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Compute on one thread: sums are always the same, and none spins on a busy machine in vain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

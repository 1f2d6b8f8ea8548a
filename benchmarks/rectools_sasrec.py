"""SASRec as RecTools has it, network and training, beside the arms of an evaluation.

    python benchmarks/rectools_sasrec.py --items F --actions F --from 2011-09-01 --days 30 --out report

Also an example of an arm of one's own: a library's model, given to ``evaluate`` as ``more_arms``. No part
of `make bench`: it needs `pip install 'pinnersage[baselines,sequence,report]' 'rectools[torch]'`, which go
together from Python 3.13 on; below, RecTools holds numpy under 2, and an environment of its own with that
numpy and this repository's `src` on the path does. The number of epochs is chosen on the 14 days before the
first day, as the settings of every trained arm are; it learns from 90 days, once.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage.actions.liking import likes
from pinnersage.evaluation.arms.trained import TrainedArm
from pinnersage.evaluation.arms.trained_registry import TRAINED
from pinnersage.evaluation.arms.tuned import TunedArm
from pinnersage.evaluation.facade import evaluate
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.evaluation.settings import EvaluationConfig

NAME = "sasrec-rectools"


@dataclass
class RecToolsSasrec(TrainedArm):
    """RecTools' SASRec; attributes are those of its ``SASRecModel``."""

    epochs: int = 10
    n_factors: int = 64
    n_blocks: int = 2
    n_heads: int = 2
    session_max_len: int = 100
    lr: float = 1e-3
    seed: int = 0
    _model: Any = field(default=None, init=False, repr=False, compare=False)

    def _train(self, known: ReplayLog, first_ms: int) -> None:
        import torch
        from pytorch_lightning import seed_everything
        from rectools.models import SASRecModel

        torch.set_num_threads(1)
        seed_everything(self.seed, verbose=False)
        self._model = SASRecModel(
            n_factors=self.n_factors, n_blocks=self.n_blocks, n_heads=self.n_heads, epochs=self.epochs,
            session_max_len=self.session_max_len, lr=self.lr, loss="softmax", deterministic=True,
        )  # fmt: skip
        self._model.fit(_dataset(known, np.arange(known.n_users, dtype=np.int32), first_ms))

    def _scores(self, log: ReplayLog, users: npt.NDArray[np.int32], first_ms: int) -> npt.NDArray[np.float32]:
        known_items = np.asarray(self._model.data_preparator.get_known_item_ids())
        dataset = _dataset(log, users, first_ms)
        found = self._model.recommend(
            users=users, dataset=dataset, k=len(known_items), filter_viewed=False,
            on_unsupported_targets="ignore",
        )  # fmt: skip
        scores = np.full((len(users), log.n_items), -np.inf, np.float32)
        order = np.argsort(users)
        at = order[np.searchsorted(users[order], found["user_id"].to_numpy())]
        scores[at, found["item_id"].to_numpy()] = found["score"].to_numpy()
        return scores


def _dataset(log: ReplayLog, users: npt.NDArray[np.int32], first_ms: int) -> Any:
    """Return what users liked since a time as RecTools takes it."""
    import pandas as pd
    from rectools.dataset import Dataset

    actions = log.actions_of(users)
    owners = np.repeat(users, np.diff(actions.offsets))
    kept = (actions.times_ms >= first_ms) & likes(actions.weights)
    frame = pd.DataFrame(
        {
            "user_id": owners[kept], "item_id": actions.item_rows[kept], "weight": 1.0,
            "datetime": pd.to_datetime(actions.times_ms[kept], unit="ms"),
        }
    )  # fmt: skip
    return Dataset.construct(frame)


def main() -> None:
    """Measure the arm beside others."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("items", "actions", "from", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--arms", default="mean-0.01,popular-30d,ease")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 3, 10], help="to choose among")
    given = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|rectools|pydantic")
    TRAINED[NAME] = lambda: [RecToolsSasrec(NAME, epochs=epochs) for epochs in given.epochs]
    evaluate(
        given.items, given.actions, out_dir=given.out, first_day=getattr(given, "from"), n_days=given.days,
        arms=[*given.arms.split(",")], evaluation=EvaluationConfig(budgets=(0.01, 400)),
        more_arms=lambda log, _parts: [TunedArm(NAME, budget=max(1, log.n_items // 100))],
        progress=lambda step, done, total: print(step, done, total, flush=True),
    )  # fmt: skip


if __name__ == "__main__":
    main()

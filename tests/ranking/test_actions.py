"""What a ranker learns from is what is served: events that differ in their id alone are different actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.staging import stage_actions
from pinnersage.config import MS_PER_DAY, ImportConfig, InterestConfig
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.interests.build import build_records
from pinnersage.items.importing import import_items
from pinnersage.items.table import ItemTable
from pinnersage.model.ranking import whole_log
from pinnersage.ranking.actions import LogArrays, records_before

DAY = MS_PER_DAY
NOW = 20 * DAY
ITEMS = pa.table({"item_id": ["a", "b"], "embedding": [[1.0, 0.0], [0.0, 1.0]]})
ACTIONS = pa.table(
    {
        "user_id": ["u"] * 4,
        "item_id": ["a", "a", "a", "b"],
        "timestamp": pa.array([10 * DAY, 10 * DAY, 10 * DAY, 12 * DAY], pa.timestamp("ms", "UTC")),
        "event_id": ["1", "2", "3", "4"],
    }
)


def read(how: str, directory: Path) -> tuple[LogArrays, ActionBatch, ItemTable]:
    """Return the log as a ranker is given it, and the actions that records are built from."""
    items, _ = import_items(ITEMS, directory / "items", ImportConfig())
    with stage_actions(
        ACTIONS, items.vocabulary, ImportConfig(), now_ms=None, wall_clock_ms=100 * DAY, work_dir=directory
    ) as log:
        (batch,) = log.batches(NOW)
        ranked = whole_log(log, items, NOW) if how == "build" else ReplayLog.from_action_log(log, items)
    return ranked, batch, items


@pytest.mark.parametrize("how", ["build", "evaluate"])
def test_records_learnt_from_are_those_served(how: str, tmp_path: Path) -> None:
    log, actions, items = read(how, tmp_path)
    learnt = records_before(log, np.array([0]), items.embeddings, InterestConfig(), NOW).record(0)
    served = build_records(actions, items.embeddings, InterestConfig(), NOW - 1).record(0)
    assert learnt.n_actions == served.n_actions == len(ACTIONS)
    assert learnt.importances.tolist() == served.importances.tolist()
    assert learnt.medoid_rows.tolist() == served.medoid_rows.tolist()

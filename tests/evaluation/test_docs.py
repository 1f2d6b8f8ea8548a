"""docs/evaluation.md is true: its example runs as written, on frames as RecTools has them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
FIRST_DAY, N_DAYS = pd.Timestamp("2024-01-01"), 105


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Sixty users act on two of six topics, a hundred and five days long."""
    rng = np.random.default_rng(0)
    users, n = np.arange(60), 6_000
    owner = rng.choice(users, n)
    rows = (owner + rng.integers(0, 2, n) * 3) % 6 + 6 * rng.integers(0, 50, n)
    times = FIRST_DAY + pd.to_timedelta(np.sort(rng.uniform(0, N_DAYS, n)), unit="D")
    columns = {"user_id": owner, "item_id": rows, "datetime": times, "weight": 1.0}
    pd.DataFrame(columns).to_csv(tmp_path / "interactions.csv", index=False)
    items = np.arange(300)
    titles = [f"thing {item} of topic {'abcdef'[item % 6] * 3}" for item in items]
    pd.DataFrame({"item_id": items, "title": titles}).to_csv(tmp_path / "items.csv", index=False)
    return tmp_path


def test_the_python_example_runs_as_written(frames: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    done = subprocess.run([sys.executable, "-c", example], cwd=frames, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Estimate(") == 2
    assert "Written by `pinnersage tune`" in done.stdout
    assert (frames / "report" / "report.html").exists()


def test_a_python_caller_is_told_of_arguments(frames: Path) -> None:
    from pinnersage.embedding.facade import embed
    from pinnersage.errors import SchemaError, UsageError
    from pinnersage.evaluation.facade import evaluate

    items, actions = pd.read_csv(frames / "items.csv"), pd.read_csv(frames / "interactions.csv")
    made = embed(items, actions)
    with pytest.raises(UsageError, match=r"from Python: allow_leak=True"):
        evaluate(made.table, actions, out_dir=frames / "report")
    with pytest.raises(SchemaError, match=r"from Python: columns=\{'user_id': "):
        evaluate(made.table, actions.drop(columns="user_id"), out_dir=frames / "report")
    with pytest.raises(SchemaError, match=r"from Python: .*embeddings_npy="):
        evaluate(items, actions, out_dir=frames / "report")

"""docs/evaluation.md is true: its example runs as written, on frames as RecTools has them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pinnersage.evaluation.arms.names import GROUPS

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
    known = {"user_id": users[:55], "country": np.array(["DE", "FR"])[users[:55] % 2], "age": 18 + users[:55]}
    pd.DataFrame(known).to_csv(tmp_path / "users.csv", index=False)
    days = pd.to_datetime("2024-04-01") + pd.to_timedelta(np.repeat(np.arange(14), 60 * 30), unit="D")
    drawn = rng.integers(0, 301, len(days))  # one of them is no item
    given = {"user_id": np.tile(np.repeat(users, 30), 14), "day": days, "item_id": drawn}
    pd.DataFrame(given).drop_duplicates().to_csv(tmp_path / "served.csv", index=False)
    return tmp_path


def test_the_python_examples_run_as_written(frames: Path) -> None:
    example, of_own, of_groups, of_one = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    program = "\nprint('---')\n".join((example, of_own, of_groups, of_one))
    done = subprocess.run([sys.executable, "-c", program], cwd=frames, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told, own, groups, one = done.stdout.split("---\n")
    assert told.count("Estimate(") == 2
    # Lists drawn by chance: the user's own topics must be found more often.
    assert float(re.fullmatch(r"Estimate\(value=([0-9.]+), .*\)\n", own)[1]) > 1  # type: ignore[index]
    assert "Written by `pinnersage tune`" in told
    assert (frames / "report" / "report.html").exists()
    assert [line.split()[:2] for line in groups.splitlines()] == [
        ["DE", "28"], ["FR", "27"], ["(unknown)", "5"],
    ]  # fmt: skip
    *figures, interest = one.splitlines()
    assert all(-1 <= float(figure) <= 1 for figure in figures)
    assert len(figures) == 3
    assert {"medoid_item_id", "n_gone", "come"} <= ast.literal_eval(interest).keys()


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


def test_every_arm_is_told_of_in_the_order_of_the_tables() -> None:
    section = TEXT[TEXT.index("## Arms") : TEXT.index("## An arm of your own")]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("|")][2:]
    told: dict[str, list[str]] = {}
    for _, group, arms, _, _ in rows:
        named = re.findall(r"`(.*?)`", group) or [list(told)[-1]]
        told.setdefault(named[0], []).extend(re.findall(r"`(.*?)`", arms))
    assert told == {group: list(arms) for group, arms in GROUPS.items()}

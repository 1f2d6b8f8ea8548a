"""The README is true: its figures are the committed ones, its commands and its example run as written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def two_tables(tmp_path: Path) -> Path:
    """Tables with the names the README uses: 60 items, users u1..u5 with 30 actions each."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8))
    items = {"item_id": [f"i{i}" for i in range(60)], "embedding": x.tolist()}
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    n = 150
    actions = {
        "user_id": [f"u{1 + i % 5}" for i in range(n)],
        "item_id": [f"i{i}" for i in rng.integers(0, 40, n)],
        "timestamp": pa.array(1_700_000_000 + 3_600 * np.arange(n), pa.timestamp("s", tz="UTC")),
    }
    pq.write_table(pa.table(actions), tmp_path / "actions.parquet")
    return tmp_path


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_figures_are_the_committed_ones() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "figures.py")]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    shown = re.search(r"<!-- figures: .*? -->\n(.*)<!-- end of figures -->", README, flags=re.DOTALL)
    assert shown is not None
    assert shown.group(1).strip() == table.strip()


def test_commands_run_as_written(two_tables: Path) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("pinnersage")]
    # A server runs until it is stopped: tests/cli/test_serve.py starts it.
    commands = [command for command in commands if command[1] != "serve"]
    assert {command[1] for command in commands} >= {"validate", "build", "interests", "recommend", "explain"}
    for command in commands:
        program = [sys.executable, "-c", "from pinnersage.cli.app import main; main()", *command[1:]]
        done = subprocess.run(program, cwd=two_tables, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.strip(), command


def test_the_python_example_runs_as_written(two_tables: Path) -> None:
    (example,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", example], cwd=two_tables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "medoid_item_id" in done.stdout


def test_the_folder_map_names_every_package() -> None:
    folders = {path.parent.name for path in (ROOT / "src" / "pinnersage").glob("*/__init__.py")}
    public = {name for name in folders if not name.startswith("_")}
    assert public <= set(re.findall(r"(\w+)/", README))

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

from pinnersage import PinnerSage
from pinnersage.cli.demo_data import load_purchases
from pinnersage.model.live import LiveModel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def two_tables(tmp_path: Path) -> Path:
    """Tables and ids with the names the README uses: 60 items, 5 users with 30 actions each."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8))
    ids = ["butter", "jelly", *(f"i{i}" for i in range(58))]
    items = {"item_id": ids, "embedding": x.tolist()}
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    n = 150
    actions = {
        "user_id": [(8, 13, 1, 2, 3)[i % 5] for i in range(n)],
        "item_id": [ids[i] for i in rng.integers(0, 40, n)],
        "timestamp": pa.array(1_700_000_000 + 3_600 * np.arange(n), pa.timestamp("s", tz="UTC")),
    }
    pq.write_table(pa.table(actions), tmp_path / "actions.parquet")
    return tmp_path


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("pinnersage")]


def run_python(example: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", example], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_figures_are_the_committed_ones() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "figures.py")]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    shown = re.search(r"<!-- figures: .*? -->\n(.*)<!-- end of figures -->", README, flags=re.DOTALL)
    assert shown is not None
    assert shown.group(1).strip() == table.strip()


def test_commands_run_as_written(two_tables: Path) -> None:
    # A server runs until it is stopped: tests/cli/test_serve.py starts it. The demo: tests/cli/test_demo.py.
    runnable = [command for command in commands() if command[1] not in {"serve", "demo"}]
    assert {command[1] for command in runnable} >= {"validate", "build", "interests", "recommend", "explain"}
    for command in runnable:
        program = [sys.executable, "-c", "from pinnersage.cli.app import main; main()", *command[1:]]
        done = subprocess.run(program, cwd=two_tables, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.strip(), command


def test_its_ids_are_in_the_tables_that_the_demo_leaves() -> None:
    assert ["pinnersage", "demo", "--tables", "."] in commands()
    ids: dict[str, set[str]] = {"USER": set(), "ITEM": set()}
    takes = {"interests": ("USER",), "recommend": ("USER", "USER"), "erase": ("USER",),
             "similar": ("ITEM",), "explain": ("USER", "ITEM")}  # fmt: skip
    for _, verb, *args in commands():
        for kind, given in zip(takes.get(verb, ()), args[1:], strict=False):
            ids[kind].add(given)
    tables = load_purchases()
    assert len(ids["USER"]) > 1
    assert ids["USER"] <= set(map(str, tables.actions["user_id"].unique().to_pylist()))
    assert len(ids["ITEM"]) > 1
    assert ids["ITEM"] <= set(tables.items["item_id"].to_pylist())


def test_the_python_example_runs_as_written(two_tables: Path) -> None:
    (example,) = blocks("python")
    assert "medoid_item_id" in run_python(example, two_tables)


def test_the_way_back_runs_as_written(two_tables: Path) -> None:
    page = (ROOT / "docs" / "realtime.md").read_text(encoding="utf-8")
    (example,) = (block for block in blocks("python", page) if "rollback" in block)
    items, actions = two_tables / "items.parquet", two_tables / "actions.parquet"
    for _ in range(2):
        PinnerSage.build(items, actions, path=two_tables / "model").close()
    assert run_python(example, two_tables).strip() == "00000001"
    with LiveModel(two_tables / "model") as live:
        assert live.generation == "00000001"
        assert live.rollback("00000002") == live.generation == "00000002"


def test_the_folder_map_names_every_package() -> None:
    folders = {path.parent.name for path in (ROOT / "src" / "pinnersage").glob("*/__init__.py")}
    public = {name for name in folders if not name.startswith("_")}
    assert public <= set(re.findall(r"(\w+)/", README))

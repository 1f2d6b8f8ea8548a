"""The real command, and a small world of items and actions for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pinnersage import _machine_code
from pinnersage.cli.app import invoke
from pinnersage.cli.exits import run

N_TOPICS = 4
N_PER_TOPIC = 10
N_DIMENSIONS = 8
DAY_MS = 24 * 60 * 60 * 1000
START_MS = 17_000 * DAY_MS


@dataclass(frozen=True)
class Ran:
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def object(self) -> dict[str, Any]:
        (only,) = self.objects()
        return only

    def error(self) -> dict[str, str]:
        (line,) = self.err.splitlines()
        body = json.loads(line)
        assert list(body) == ["error"]
        assert list(body["error"]) == ["type", "message"]
        found: dict[str, str] = body["error"]
        return found


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _says_nothing_of_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is on stderr not depend on whether this machine has compiled kernels before."""
    monkeypatch.setattr(_machine_code, "when_compiling", lambda _tell: None)


@pytest.fixture(scope="session")
def process() -> Run:
    """Return a function that runs the installed command in a process of its own."""
    command = Path(sys.executable).with_name("pinnersage")

    def run_process(*args: object) -> Ran:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PINNERSAGE_")}
        done = subprocess.run(
            [command, *map(str, args)],
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=300,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run_process


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Return a function that runs a verb through the same entry point, without the time to start up."""

    def run_here(*args: object, cwd: Path | None = None, **environment: str) -> Ran:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            if cwd is not None:
                patch.chdir(cwd)
            code = run(invoke, [str(arg) for arg in args])
        out, err = capfdbinary.readouterr()
        return Ran(code, out.decode(), err.decode())

    return run_here


def item_table() -> pa.Table:
    """Return items of four topics; the items of a topic point nearly the same way."""
    rng = np.random.default_rng(7)
    topics = np.repeat(np.eye(N_TOPICS, N_DIMENSIONS), N_PER_TOPIC, axis=0)
    embeddings = topics + 0.15 * rng.standard_normal(topics.shape)
    n = len(embeddings)
    return pa.table(
        {
            "item_id": [f"i{number:02d}" for number in range(n)],
            "title": [f"Topic {number // N_PER_TOPIC}, item {number}" for number in range(n)],
            "category": [f"topic {number // N_PER_TOPIC}" for number in range(n)],
            "embedding": pa.array(embeddings.tolist(), pa.list_(pa.float32())),
        }
    )


def action_table() -> pa.Table:
    """Return users u0..u5: user u acts on three items each of the topics u % 4 and (u + 1) % 4."""
    rows = []
    for user in range(6):
        for place, topic in enumerate((user % N_TOPICS, (user + 1) % N_TOPICS)):
            for number in range(3):
                item = topic * N_PER_TOPIC + (user + number) % N_PER_TOPIC
                rows.append((f"u{user}", f"i{item:02d}", START_MS + (10 * place + number) * DAY_MS))
    users, items, times = zip(*rows, strict=True)
    return pa.table(
        {"user_id": users, "item_id": items, "timestamp": pa.array(times, pa.timestamp("ms", tz="UTC"))}
    )


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Write both tables as Parquet; return their folder."""
    pq.write_table(item_table(), tmp_path / "items.parquet")
    pq.write_table(action_table(), tmp_path / "actions.parquet")
    return tmp_path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, process: Run) -> Path:
    """Return a model built from the world by the real command; do not change it."""
    folder = tmp_path_factory.mktemp("built")
    pq.write_table(item_table(), folder / "items.parquet")
    pq.write_table(action_table(), folder / "actions.parquet")
    ran = process(
        "build",
        *("--items", folder / "items.parquet"),
        *("--actions", folder / "actions.parquet"),
        *("--out", folder / "model"),
        "--json",
    )
    assert ran.code == 0, ran.err
    return folder / "model"


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """Return a copy of the model that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "model"))

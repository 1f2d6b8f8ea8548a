"""A real service: the command in a process of its own, on a small model, on a free port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from pinnersage import PinnerSage

COMMAND = "from pinnersage.cli.app import main; main()"
N_TOPICS, N_PER_TOPIC, N_DIMENSIONS = 6, 12, 8
DAY_S = 86_400
START_S = 1_795_168_800 - 10 * DAY_S


def item_table() -> pa.Table:
    """Return items of six topics; ``i00`` to ``i11`` are the first."""
    rng = np.random.default_rng(3)
    topics = np.repeat(np.eye(N_TOPICS, N_DIMENSIONS), N_PER_TOPIC, axis=0)
    embeddings = topics + 0.15 * rng.standard_normal(topics.shape)
    return pa.table(
        {
            "item_id": [f"i{number:02d}" for number in range(len(embeddings))],
            "title": [f"Item {number}" for number in range(len(embeddings))],
            "category": np.repeat(["kitchen", "garden", "office", "music", "toys", "sport"], N_PER_TOPIC),
            "embedding": pa.array(embeddings.tolist(), pa.list_(pa.float32())),
        }
    )


def action_table() -> pa.Table:
    """Return users u0..u19: user u acts on three items each of the topics u % 6 and (u + 1) % 6."""
    rows = [
        (
            f"u{user}",
            f"i{(topic % N_TOPICS) * N_PER_TOPIC + (user + n) % N_PER_TOPIC:02d}",
            START_S + n * DAY_S,
        )
        for user in range(20)
        for topic in (user, user + 1)
        for n in range(3)
    ]
    users, items, times = zip(*rows, strict=True)
    return pa.table(
        {"user_id": users, "item_id": items, "timestamp": pa.array(times, pa.timestamp("s", "UTC"))}
    )


def build_model(path: Path) -> Path:
    """Build the model of both tables and return its directory."""
    PinnerSage.build(item_table(), action_table(), path=path).close()
    return path


class Server:
    """A service that runs; ``client`` asks it."""

    def __init__(self, directory: Path, log: Path, *options: object) -> None:
        self.log, self.directory = log, directory
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PINNERSAGE_")}
        self._stderr = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "serve", str(directory), "--port", "0", "--json",
             *map(str, options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr, env=environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log_text()
        self.told = json.loads(line)
        self.url: str = self.told["url"]
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self._wait_until_ready()

    def log_text(self) -> str:
        """Return what it logged so far."""
        return self.log.read_text(encoding="utf-8")

    def log_lines(self) -> list[dict[str, Any]]:
        """Return its log lines."""
        return [json.loads(line) for line in self.log_text().splitlines()]

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._stderr.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _wait_until_ready(self) -> None:
        until_s = time.monotonic() + 120
        while time.monotonic() < until_s:
            assert self.process.poll() is None, self.log_text()
            try:
                if self.client.get("/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log_text()}")


Serve = Callable[..., Server]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return a function that serves a fresh model, or the one of a given directory, with options."""
    servers: list[Server] = []

    def start(*options: object, directory: Path | None = None) -> Server:
        folder = tmp_path_factory.mktemp("served")
        model = build_model(folder / "model") if directory is None else directory
        server = Server(model, folder / "log.jsonl", *options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """Return one open service for the tests of a module."""
    return serve()


@pytest.fixture
def client(server: Server) -> httpx.Client:
    """Return what asks the module's service."""
    return server.client

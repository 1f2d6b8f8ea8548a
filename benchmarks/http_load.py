"""A service in its own process on one core, and load on it from this process on another.

Requests are sent over kept-alive raw sockets. In an open loop they are due at fixed moments, whatever the
answers do, and the time of each counts from its moment: a service that stalls is not spared the requests
that a patient client would not have sent meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

COMMAND = "from pinnersage.cli.app import main; main()"
ALL_CORES = os.sched_getaffinity(0)
MakeRequest = Callable[[int], bytes]
ROUNDS = 3


@dataclass
class Load:
    """What a load found: seconds from due to answered, and the status, of each request."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    wall_s: float = 0.0

    def failed(self) -> Counter[int]:
        """Return how often which status was a failure; 0 is a connection that ended without an answer."""
        return Counter(status for status in self.statuses if status >= 400 or status == 0)

    def told(self) -> dict[str, Any]:
        """Return quantiles, rate and failures."""
        p50, p99, most = (float(np.quantile(self.latencies_s, q)) * 1e3 for q in (0.5, 0.99, 1.0))
        return {
            "n_requests": len(self.statuses), "n_failed": self.failed().total(),
            "requests_per_s": round(len(self.statuses) / self.wall_s),
            "p50_ms": round(p50, 2), "p99_ms": round(p99, 2), "max_ms": round(most, 2),
        }  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A service that runs."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Return the processor time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Return its resident memory that no file backs: what it holds itself."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024

    def generation(self) -> str:
        """Return the name of the generation that answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready") as answer:
            return str(json.load(answer)["generation"])


@contextmanager
def served(home: Path, *options: str) -> Iterator[Served]:
    """Serve a model on the first core, and keep this process to the others."""
    command = ["-c", COMMAND, "serve", str(home), "--port", "0", "--json"]
    with _running([*command, "--no-access-log", "--rate-limit", "0", *options]) as service:
        yield service


@contextmanager
def bare() -> Iterator[Served]:
    """Run the same server on the first core with nothing behind it: what no service can fall below."""
    with _running([str(Path(__file__).with_name("bare_app.py"))]) as server:
        yield server


@contextmanager
def _running(arguments: list[str]) -> Iterator[Served]:
    cores, before = sorted(ALL_CORES), os.sched_getaffinity(0)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores[:1]),
        )  # fmt: skip
        try:
            assert process.stdout is not None
            port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
            wait_until_ready(port)
            os.sched_setaffinity(0, cores[1:] or cores)
            yield Served(port, process.pid)
        finally:
            os.sched_setaffinity(0, before)
            process.terminate()
            process.wait()


def wait_until_ready(port: int) -> None:
    """Wait until the service answers."""
    for _ in range(2_400):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready").close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the service is not ready after two minutes")


def get(path: str) -> bytes:
    """Return a request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: Any) -> bytes:
    """Return a request that carries JSON."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def open_loop(port: int, make: MakeRequest, rate_per_s: float, n: int, n_connections: int = 64) -> Load:
    """Send ``n`` requests, due ``rate_per_s`` a second."""
    return asyncio.run(_loop(port, make, n, n_connections, 1 / rate_per_s))


def middle_round(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the middle of some loads by its 99th percentile, and the percentiles of all."""
    by_p99 = sorted(rounds, key=lambda one: float(one["p99_ms"]))
    return by_p99[len(rounds) // 2] | {"p99_ms_of_rounds": [one["p99_ms"] for one in by_p99]}


def closed_loop(port: int, make: MakeRequest, n: int, n_connections: int = 16) -> Load:
    """Send ``n`` requests, each connection its next one when the last is answered."""
    return asyncio.run(_loop(port, make, n, n_connections, 0.0))


async def _loop(port: int, make: MakeRequest, n: int, n_connections: int, every_s: float) -> Load:
    load, numbers = Load(), iter(range(n))
    began = time.perf_counter() + 0.05
    await asyncio.gather(
        *(_connection(port, make, numbers, began, every_s, load) for _ in range(min(n, n_connections)))
    )
    load.wall_s = time.perf_counter() - began
    return load


async def _connection(
    port: int, make: MakeRequest, numbers: Iterator[int], began: float, every_s: float, load: Load
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        request = make(number)
        due = began + number * every_s if every_s else time.perf_counter()
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(request)
        try:
            status = await _answered(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            status = 0
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        load.latencies_s.append(time.perf_counter() - due)
        load.statuses.append(status)
    writer.close()


async def _answered(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    at = lowered.index(b"content-length:") + len(b"content-length:")
    await reader.readexactly(int(lowered[at : lowered.index(b"\r\n", at)]))
    return int(head[9:12])

"""Recommendations over HTTP: how many a second, how fast, while a batch lands, and what memory does.

    python benchmarks/bench_serve.py            writes benchmarks/results/serve.json
    python benchmarks/bench_serve.py --quick    a smaller model and fewer requests, prints only

100 k items x 256-d, warm: every user was asked for before. ``closed``: 16 connections ask as fast as they
are answered. ``half``: requests due at half of that rate; of three rounds the middle one by its p99, and the
p99 of all. ``swap``: 500 requests a second, due whatever happens, while a new generation is built by a
command of its own, lands, and answers (three seconds more).
``memory``: anonymous resident memory along 200 000 mixed requests, lists, interests, neighbors, sessions and
new actions. The service runs on one core; ``requests_per_cpu_s`` counts the processor time that it used
itself. ``ranked``: the same model with a second stage, which orders every list. ``bare``: the same requests
to the same server with nothing behind it, which answers a few bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bench_ack import as_json
from common import NOW_MS, measure_and_keep
from http_load import COMMAND, ROUNDS, Served, bare, closed_loop, get, middle_round, open_loop, post, served
from served_world import draw, write_tables

SWAP_PER_S = 500
SWAP_WITHIN_S = 60


def lists(n_users: int, k: int, seed: int) -> Any:
    """Return a function from a number to a request for a random user's list."""
    users = np.random.default_rng(seed).integers(0, n_users, 1 << 16).tolist()
    return lambda i: get(f"/v1/users/u{users[i % len(users)]}/recommendations?k={k}")


def mixed(n: int, n_users: int, n_items: int) -> Any:
    """Return a function from a number to a request: six lists in ten, and of everything else."""
    rng = np.random.default_rng(4)
    users, items = rng.integers(0, n_users, n).tolist(), rng.integers(0, n_items, n).tolist()
    n_events = n // 10 + 1
    events = [as_json(a) for a in draw(n_events, n_users, n_items, NOW_MS + np.arange(n_events), 6)]

    def make(i: int) -> bytes:
        kind = i % 20
        if kind < 12:
            return get(f"/v1/users/u{users[i]}/recommendations?k=50")
        if kind < 15:
            return get(f"/v1/users/u{users[i]}/interests")
        if kind < 17:
            return get(f"/v1/items/i{items[i]}/neighbors?k=10")
        if kind < 18:
            session = {key: value for key, value in events[i // 10].items() if key != "user_id"}
            return post("/v1/recommendations", {"actions": [session], "k": 20})
        return post("/v1/actions", {"actions": [events[i // 10]]})

    return make


def throughput(service: Served, n_users: int, k: int, n: int) -> dict[str, Any]:
    """Return figures of the closed loop, and of an open one at half its rate, and of HTTP alone."""
    make = lists(n_users, k, seed=1)
    cpu_s = service.cpu_s()
    closed = closed_loop(service.port, make, n).told()
    closed["requests_per_cpu_s"] = round(n / max(0.01, service.cpu_s() - cpu_s))
    half_per_s = closed["requests_per_s"] / 2
    half, bare_half = [], []
    with bare() as server:
        nothing = {"closed": closed_loop(server.port, make, n).told()}
        for _ in range(ROUNDS):
            half.append(open_loop(service.port, make, half_per_s, n // 2).told())
            bare_half.append(open_loop(server.port, make, half_per_s, n // 2).told())
    nothing["half"] = middle_round(bare_half)
    return {"closed": closed, "half": middle_round(half) | {"due_per_s": round(half_per_s)}, "bare": nothing}


def swap(service: Served, build: list[str], n_users: int) -> dict[str, Any]:
    """Ask all the time while a build runs and lands; return what became of the requests."""
    make, ended = lists(n_users, 20, seed=2), threading.Event()
    before, found = service.generation(), []

    def ask() -> None:
        while not ended.is_set():
            found.append(open_loop(service.port, make, SWAP_PER_S, SWAP_PER_S * 2, 32))

    asking = threading.Thread(target=ask)
    asking.start()
    done = subprocess.run(["nice", "-n", "10", *build], capture_output=True, check=True)
    assert done.returncode == 0
    until_s = time.monotonic() + SWAP_WITHIN_S
    while service.generation() == before and time.monotonic() < until_s:
        ended.wait(0.2)
    ended.wait(3.0)
    ended.set()
    asking.join()
    latencies = [s for load in found for s in load.latencies_s]
    statuses = [status for load in found for status in load.statuses]
    return {
        "n_requests": len(statuses), "n_failed": sum(s != 200 for s in statuses),
        "p99_ms": round(float(np.quantile(latencies, 0.99)) * 1e3, 1),
        "max_ms": round(max(latencies) * 1e3, 1),
        "swapped": service.generation() != before,
    }  # fmt: skip


def memory(service: Served, n_users: int, n_items: int, marks: tuple[int, ...]) -> dict[str, Any]:
    """Return anonymous memory after so many mixed requests, and failures."""
    make, done, failed = mixed(marks[-1], n_users, n_items), 0, Counter[int]()
    rss_mb: dict[str, float] = {"0": round(service.rss_mb(), 1)}
    for mark in marks:
        offset = done
        load = closed_loop(service.port, lambda i: make(offset + i), mark - done)  # noqa: B023
        failed += load.failed()
        done = mark
        rss_mb[str(mark)] = round(service.rss_mb(), 1)
    by_status = {str(status): n for status, n in failed.items()}
    return {"rss_anon_mb": rss_mb, "n_failed": failed.total()} | ({"failed": by_status} if failed else {})


def ranked(build: list[str], home: Path, n_users: int, n: int) -> dict[str, Any]:
    """Build anew with a second stage, and return how long that took and the figures of its lists."""
    began_s = time.perf_counter()
    subprocess.run([*build, "--ranker"], capture_output=True, check=True)
    build_s = round(time.perf_counter() - began_s, 1)
    with served(home) as service:
        closed_loop(service.port, lambda i: get(f"/v1/users/u{i}/recommendations"), n_users)
        return {"build_s": build_s} | throughput(service, n_users, 100, n)


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and return all figures."""
    n_users, n_actions, n_items = (200, 20, 4_000) if quick else (5_000, 100, 100_000)
    n, marks = (400, (500, 1_000)) if quick else (20_000, (25_000, 50_000, 100_000, 150_000, 200_000))
    with tempfile.TemporaryDirectory() as folder:
        items, actions = write_tables(Path(folder), n_users, n_actions, n_items)
        home = Path(folder) / "model"
        build = [
            sys.executable, "-c", COMMAND, "build", "--items", str(items), "--actions", str(actions),
            "--out", str(home), "--json",
        ]  # fmt: skip
        subprocess.run(build, capture_output=True, check=True)
        figures: dict[str, Any] = {}
        with served(home) as service:
            closed_loop(service.port, lambda i: get(f"/v1/users/u{i}/recommendations"), n_users)
            for k in (100, 20):
                figures[f"recommend_k{k}"] = throughput(service, n_users, k, n)
            figures["memory"] = memory(service, n_users, n_items, marks)
            figures["swap_at_500_per_s"] = swap(service, build, n_users)
        figures["ranked_k100"] = ranked(build, home, n_users, n // 5)
    about = {"n_users": n_users, "n_actions_per_user": n_actions, "n_items": n_items, "dim": 256}
    load_1m = round(os.getloadavg()[0], 1)
    return {
        **about,
        "figures": figures,
        "load_average": load_1m,
        "command": "python benchmarks/bench_serve.py",
    }


if __name__ == "__main__":
    measure_and_keep("serve", __doc__, run)

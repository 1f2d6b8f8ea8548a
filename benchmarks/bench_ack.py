"""How long an action takes until it is acknowledged, and until a recommendation knows it, over HTTP.

    python benchmarks/bench_ack.py            writes benchmarks/results/ack.json
    python benchmarks/bench_ack.py --quick    a smaller model and shorter loads, prints only

``ack``: actions due 2000 a second (and 500, 1000) whatever the answers do, one or ten to a request; each
is answered when the disk has its actions and the records know them. Three rounds of each load, the middle
one is told; in between the same requests go to the same server with nothing behind it (``bare``), which
tells what HTTP itself took in those minutes. ``visible``: one action on an item of a list just given, then
the list again, which must not hold the item any more; both requests together are timed, while 500 other
actions a second arrive. The service runs on one core, the load on another.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from common import NOW_MS, measure_and_keep
from http_load import ROUNDS, Load, Served, _loop, bare, get, middle_round, open_loop, post, served
from pinnersage import PinnerSage
from pinnersage.config import BuildConfig, IndexConfig
from pinnersage.streaming.events import NewAction
from served_world import draw, write_tables

LOADS = ((500, 1), (1_000, 1), (2_000, 10), (2_000, 1))
"""Actions a second, and how many of them to a request."""
BACKGROUND_PER_S = 500


def as_json(action: NewAction) -> dict[str, Any]:
    return {
        "user_id": action.user_id, "item_id": action.item_id, "action": action.kind,
        "timestamp": f"{np.datetime64(action.time_ms, 'ms')}Z", "event_id": action.event_id,
    }  # fmt: skip


def requests(n: int, n_users: int, n_items: int, seed: int, size: int = 1) -> list[bytes]:
    """Return requests that bring ``n`` new actions, ``size`` each."""
    events = [as_json(event) for event in draw(n, n_users, n_items, NOW_MS + np.arange(n), seed)]
    return [post("/v1/actions", {"actions": events[i : i + size]}) for i in range(0, n, size)]


def acknowledged(at: Served, made: list[bytes], rate_per_s: int, size: int) -> dict[str, Any]:
    """Send requests of ``size`` actions each, and return what was seen."""
    cpu_s = at.cpu_s()
    load = open_loop(at.port, lambda i: made[i], rate_per_s / size, len(made))
    used_ms = (at.cpu_s() - cpu_s) * 1e3
    return load.told() | {"cpu_ms_per_action": round(used_ms / (len(made) * size), 3)}


async def _answer(reader: asyncio.StreamReader) -> Any:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.index(b"content-length:") + len(b"content-length:")
    body = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
    assert head[9:10] == b"2", body
    return json.loads(body)


async def _visible(port: int, n: int, n_users: int, times_s: list[float], still_there: list[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(request: bytes) -> Any:
        writer.write(request)
        return await _answer(reader)

    rng = np.random.default_rng(9)
    for number in range(n):
        user = f"u{rng.integers(n_users)}"
        asked = get(f"/v1/users/{user}/recommendations?k=20&seed={number}")
        item = (await ask(asked))["items"][0]["item_id"]
        action = NewAction(user, item, NOW_MS + 10_000_000 + number, "click", event_id=f"visible-{number}")
        began = time.perf_counter()
        await ask(post("/v1/actions", {"actions": [as_json(action)]}))
        found = await ask(asked)
        times_s.append(time.perf_counter() - began)
        if item in {one["item_id"] for one in found["items"]}:
            still_there.append(item)
    writer.close()


def visible(port: int, n: int, n_users: int, background: list[bytes]) -> dict[str, Any]:
    """Time action and list together, while others act."""
    times_s: list[float] = []
    still_there: list[str] = []

    async def both() -> Load:
        other = _loop(port, lambda i: background[i], len(background), 16, 1 / BACKGROUND_PER_S)
        return (await asyncio.gather(other, _visible(port, n, n_users, times_s, still_there)))[0]

    load = asyncio.run(both())
    p50, p99, most = (float(np.quantile(times_s, q)) * 1e3 for q in (0.5, 0.99, 1.0))
    return {
        "n": n, "n_not_reflected": len(still_there), "p50_ms": round(p50, 2), "p99_ms": round(p99, 2),
        "max_ms": round(most, 2), "background": load.told(),
    }  # fmt: skip


def run(quick: bool = False) -> dict[str, Any]:
    """Measure and return all figures."""
    n_users, n_actions, n_items = (200, 20, 4_000) if quick else (20_000, 50, 100_000)
    seconds, n_visible = (1, 50) if quick else (8, 1_000)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "model"
        items, actions = write_tables(Path(folder), n_users, n_actions, n_items)
        PinnerSage.build(items, actions, path=home, config=BuildConfig(index=IndexConfig(seed=1))).close()
        with served(home) as service, bare() as server:
            warm = requests(1_000, n_users, n_items, 50)
            for port in (service.port, server.port):
                open_loop(port, lambda i: warm[i], 500, len(warm))
            for rate, size in LOADS:
                with_service, with_nothing = [], []
                for round_ in range(1 if quick else ROUNDS):
                    made = requests(rate * seconds, n_users, n_items, 1_000 * round_ + rate + size, size)
                    with_nothing.append(acknowledged(server, made, rate, size))
                    with_service.append(acknowledged(service, made, rate, size))
                name = f"ack_{rate}_actions_per_s_{size}_per_request"
                figures[name] = middle_round(with_service) | {"bare": middle_round(with_nothing)}
            others = requests(BACKGROUND_PER_S * (2 if quick else 20), n_users, n_items, 60)
            figures["visible"] = visible(service.port, n_visible, n_users, others)
    about = {"n_users": n_users, "n_actions_per_user": n_actions, "n_items": n_items, "dim": 256}
    load_1m = round(os.getloadavg()[0], 1)
    return {**about, "figures": figures, "load_average": load_1m, "command": "python benchmarks/bench_ack.py"}


if __name__ == "__main__":
    measure_and_keep("ack", __doc__, run)

"""A made world that reads well: items of six topics with titles and pictures, users with two to four topics."""

# Titles and drawings are lines of data.
# ruff: noqa: E501

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from pinnersage import PinnerSage

DAY_MS = 86_400_000
NOW_MS = 1_741_975_800_000
N_DIMENSIONS = 24
ODD_USER = "zoë/7 <i>&"
HOSTILE_TITLE = "<script>alert(1)</script> bench"

TOPICS: dict[str, tuple[str, str]] = {
    "bread": (
        "Seeded Overnight Rustic Honey Olive",
        "sourdough|rye loaf|baguette|focaccia|brioche|ciabatta|pumpernickel|challah|pretzel|flatbread",
    ),
    "chairs": (
        "Walnut Oak Rattan Velvet Painted",
        "lounge chair|rocking chair|bar stool|dining chair|armchair|footstool|daybed|wingback|folding chair|bench",
    ),
    "hikes": (
        "Alpine Coastal Forest Desert Winter",
        "ridge walk|lake loop|summit trail|hut tour|canyon path|waterfall walk|pass crossing|valley stage|cliff path|night hike",
    ),
    "plants": (
        "Trailing Variegated Dwarf Silver Giant",
        "monstera|fern|pothos|philodendron|calathea|peperomia|begonia|ficus|tradescantia|orchid",
    ),
    "films": (
        "Silent Lunar Robot Deep-space Time-loop",
        "odyssey|colony|contact|station|signal|voyage|archive|horizon|protocol|exodus",
    ),
    "paint": (
        "Loose Botanical Urban Seascape Misty",
        "watercolor|wash study|sketch|gouache|landscape|still life|portrait|ink drawing|palette|miniature",
    ),
}
_SHAPES = {
    "bread": '<ellipse cx="40" cy="35" rx="25" ry="15"/><path d="M26 28l6 12M37 26l5 15M48 27l4 12" {s}/>',
    "chairs": '<path d="M27 12v22h26v14M27 34v14M27 25h24" {s}/>',
    "hikes": '<path d="M8 50l22-34 12 18 8-10 22 26z"/><circle cx="58" cy="15" r="5"/>',
    "plants": '<path d="M40 52V30" {s}/><path d="M40 34C20 34 18 18 20 10c14 2 22 10 20 24z"/><path d="M40 38c16 0 20-12 18-20-12 2-20 8-18 20z"/>',
    "films": '<circle cx="40" cy="30" r="13"/><ellipse cx="40" cy="30" rx="25" ry="6" {s}/>',
    "paint": '<path d="M16 40c6-24 40-32 48-12 4 10-10 8-14 12s2 10-8 10c-14 0-28 0-26-10z"/>',
}
_HUES = {"bread": 34, "chairs": 16, "hikes": 205, "plants": 140, "films": 258, "paint": 325}

USERS: dict[str, str] = {
    "ada": "films bread hikes plants", "bela": "chairs paint", "chen": "plants bread chairs", "dora": "hikes films",
    "emil": "bread paint plants", "fay": "films chairs", "gus": "hikes plants paint", "hana": "paint films bread",
    "ivo": "chairs hikes", "jun": "plants films chairs", "kaya": "bread hikes", ODD_USER: "paint hikes chairs",
}  # fmt: skip


def picture(topic: str, number: int) -> str:
    """Return a small drawing as an address that holds it."""
    hue = _HUES[topic] + (number * 7) % 23 - 11
    lightness = 82 + (number * 5) % 9
    stroke = f'fill="none" stroke="hsl({hue} 45% 38%)" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"'
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 60">'
        f'<rect width="80" height="60" fill="hsl({hue} 52% {lightness}%)"/>'
        f'<g fill="hsl({hue} 42% 46%)" transform="rotate({(number * 13) % 17 - 8} 40 30)">'
        f"{_SHAPES[topic].format(s=stroke)}</g></svg>"
    )
    return f"data:image/svg+xml,{quote(svg)}"


def item_table(*, with_pictures: bool = True) -> pa.Table:
    """Return 300 items, 50 of each topic, named like ``bread-07``; a fifth of them without a picture."""
    rng = np.random.default_rng(11)
    rows = []
    for place, (topic, (adjectives, nouns)) in enumerate(TOPICS.items()):
        center = np.eye(N_DIMENSIONS)[place] + 0.18 * np.eye(N_DIMENSIONS)[(place + 1) % len(TOPICS)]
        near = 0.10 * rng.standard_normal((10, N_DIMENSIONS))
        for number in range(50):
            adjective, noun = adjectives.split()[number // 10], nouns.split("|")[number % 10]
            embedding = center + near[number % 10] + 0.05 * rng.standard_normal(N_DIMENSIONS)
            pictured = with_pictures and number % 5 != 3
            rows.append(
                {
                    "item_id": f"{topic}-{number:02d}",
                    "title": HOSTILE_TITLE if (topic, number) == ("chairs", 49) else f"{adjective} {noun}",
                    "category": topic,
                    "image_url": picture(topic, number) if pictured else "https://elsewhere.example/a.png",
                    "embedding": (embedding / np.linalg.norm(embedding)).tolist(),
                }
            )
    return pa.Table.from_pylist(rows)


def action_table() -> pa.Table:
    """Return about 80 days of actions: a user turns to one of their topics for a while, then to another."""
    rng = np.random.default_rng(5)
    rows = []
    for user_id, topics in USERS.items():
        for place, topic in enumerate(topics.split()):
            for _ in range(12 - 2 * place):
                age_days = float(
                    rng.uniform(1, 70) if place % 2 else abs(rng.normal(14 + 11 * place, 12)) + 0.2
                )
                age_ms = round(min(age_days, 80) * DAY_MS)
                number = int(rng.integers(0, 40))
                rows.append((user_id, f"{topic}-{number:02d}", NOW_MS - age_ms, "save"))
    users, items, times_ms, kinds = zip(*rows, strict=True)
    times = pa.array(times_ms, pa.timestamp("ms", "UTC"))
    return pa.table({"user_id": users, "item_id": items, "timestamp": times, "action": kinds})


def build_world(path: Path, items: pa.Table | None = None, **settings: Any) -> Path:
    """Build the model of this world as of a fixed moment and return its directory."""
    table = item_table() if items is None else items
    PinnerSage.build(table, action_table(), path=path, now=NOW_MS, **settings).close()
    return path


class PageServer:
    """A process that serves a model with its page on a free port: the command itself."""

    def __init__(self, directory: Path, *more: str) -> None:
        command = "from pinnersage.cli.app import main; main()"
        options = ["--port", "0", "--json", "--log-level", "error", *more]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PINNERSAGE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", command, "serve", str(directory), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url: str = json.loads(self.process.stdout.readline())["page_url"].rstrip("/")

    def stop(self) -> None:
        """End the process."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()

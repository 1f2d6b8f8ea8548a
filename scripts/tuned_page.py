"""Write the table of docs/results.md on what `tune` chose before each span, from docs/results/tuned.json.

Usage: python scripts/tuned_page.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from results_page import DOCS, recall_and_relevance, table, times

START, END = "<!-- table: python scripts/tuned_page.py -->", "<!-- end of table -->"
RESULTS = DOCS / "results" / "tuned.json"
TUNED_FOR = {"1%": "1 %", "400": "400", "ranker": "1 %, with a second stage"}


def chosen(settings: dict[str, Any]) -> str:
    """Return what differs from the defaults."""
    values = [f"{name} {value}" for part in settings.values() for name, value in part.items()]
    return ", ".join(values).replace("fit_ranker True", "second stage") or "the defaults"


def page(rows: list[dict[str, Any]]) -> str:
    """Return the table."""
    head = ["data", "embeddings", "tuned for", "chosen", "lists of", "recall (relevance)"]
    head += ["over the decayed mean: relevance", "recall"]
    body = []
    for row in rows:
        about = [row["data"], row["vectors"], TUNED_FOR[row["tuned_for"]], chosen(row["settings"])]
        for budget, found in row["results"].items():
            over = found["over_mean"]
            cells = [budget, recall_and_relevance(found["as-configured"])]
            body.append([*about, *cells, times(over["relevance"]), times(over["recall"])])
    return "\n".join(table(head, body))


def read() -> list[dict[str, Any]]:
    """Return what was measured."""
    found: list[dict[str, Any]] = []
    if RESULTS.exists():
        found = json.loads(RESULTS.read_text(encoding="utf-8"))["tuned"]
    return found


def write(rows: list[dict[str, Any]]) -> None:
    """Keep results, one a line, and write the page anew."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    RESULTS.write_text(f'{{"tuned": [\n{lines}\n]}}\n', encoding="utf-8")
    target = DOCS / "results.md"
    before, rest = target.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    target.write_text(f"{before}{START}\n{page(rows)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write(read())

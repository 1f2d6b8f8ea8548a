"""Shorten an evaluation's metrics.json to what the documentation shows.

Usage: python scripts/compact_results.py REPORT/metrics.json docs/results/NAME.json

Kept: facts without the places of files, the verdict, every arm's figures and intervals of first-time
items at each budget, values only of the other slices, costs. One arm a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_DIGITS = 4


def figures(row: dict[str, Any], *, with_intervals: bool) -> dict[str, Any]:
    """Return metric -> value, or [value, low, high]."""
    short = {}
    for name, found in row["metrics"].items():
        numbers = [found.get(key) for key in ("value", "low", "high")]
        rounded = [None if x is None else round(x, _DIGITS) for x in numbers]
        short[name] = rounded if with_intervals and name != "coverage" else rounded[0]
    return short


def compact(report: dict[str, Any]) -> dict[str, Any]:
    """Return the short form of a report."""
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for row in report["results"]:
        key = f"{row['budget']} {row['slice']}"
        with_intervals = row["slice"] == "first_time"
        results.setdefault(key, {})[row["arm"]] = figures(row, with_intervals=with_intervals)
    about = {name: value for name, value in report["about"].items() if name != "tables"}
    costs = {
        arm: {k: v for k, v in cost.items() if k != "settings"} | {"fitted": cost["settings"]["fitted"]}
        for arm, cost in report["costs"].items()
    }
    return {"about": about, "verdict": report["verdict"], "results": results, "costs": costs}


def lines_of(value: Any, depth: int) -> str:
    """Return JSON with one line for each entry down to ``depth``."""
    if not isinstance(value, dict) or depth == 0:
        return json.dumps(value, ensure_ascii=False)
    inner = [f"{json.dumps(name)}: {lines_of(part, depth - 1)}" for name, part in value.items()]
    return "{\n" + ",\n".join(inner) + "\n}"


def main(source: str, target: str) -> None:
    """Write the short form of one file beside nothing else."""
    report = json.loads(Path(source).read_text(encoding="utf-8"))
    Path(target).write_text(lines_of(compact(report), 3) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Shorten an evaluation's metrics.json to what the documentation shows.

Usage: python scripts/compact_results.py REPORT/metrics.json docs/results/NAME.json

Kept: facts without the places of files, the verdict, every arm's figures and intervals at each budget and
by activity, ratios to the baselines and between the pairs of the verdict, fairness and quality of the
interests, costs. One arm a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_DIGITS = 4


def figures(row: dict[str, Any]) -> dict[str, Any]:
    """Return metric -> [value, low, high]; the value alone of what has no interval."""
    short = {}
    for name, found in row["metrics"].items():
        numbers = [found.get(key) for key in ("value", "low", "high")]
        rounded = [None if x is None else round(x, _DIGITS) for x in numbers]
        short[name] = rounded[0] if rounded[1:] == [None, None] else rounded
    return short


def ratio(row: dict[str, Any]) -> dict[str, Any]:
    """Return relevance and recall of a ratio with their intervals."""
    return figures({"metrics": {name: row["metrics"][name] for name in ("relevance", "recall")}})


def lifts_of(report: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return budget -> arm -> baseline -> ratios, first-time items."""
    lifts: dict[str, dict[str, dict[str, Any]]] = {}
    for row in report["lifts"]:
        if row["slice"] == "first_time" and row["over"] != "last-item":
            lifts.setdefault(row["budget"], {}).setdefault(row["arm"], {})[row["over"]] = ratio(row)
    return lifts


def rivals_of(results: dict[str, Any], lifts: dict[str, Any]) -> dict[str, str]:
    """Return for each budget the best of popularity and the trained arms that others were divided by."""
    found = {}
    for budget, arms in lifts.items():
        over = {base for bases in arms.values() for base in bases} - {"mean-0.01"}
        table = results[f"{budget} first_time"]
        found[budget] = max(over, key=lambda arm: table[arm]["recall"][0]) if over else ""
    return found


def groups_of(report: dict[str, Any], budget: str) -> dict[str, dict[str, Any]]:
    """Return third of the users by activity -> arm -> values, first-time items."""
    groups: dict[str, dict[str, Any]] = {}
    for row in report["groups"]:
        if (row["by"], row["budget"], row["slice"]) == ("activity", budget, "first_time"):
            groups.setdefault(row["group"], {})[row["arm"]] = figures(row)
    return groups


def compact(report: dict[str, Any]) -> dict[str, Any]:
    """Return the short form of a report."""
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for row in report["results"]:
        key = f"{row['budget']} {row['slice']}"
        results.setdefault(key, {})[row["arm"]] = figures(row)
    about = {name: value for name, value in report["about"].items() if name not in ("tables", "command")}
    costs = {
        arm: {k: v for k, v in cost.items() if k != "settings"} | {"fitted": cost["settings"]["fitted"]}
        for arm, cost in report["costs"].items()
    }
    lifts = lifts_of(report)
    main = next(budget for budget in about["budgets"] if budget.endswith("%"))
    return {
        "about": about,
        "verdict": report["verdict"],
        "results": results,
        "lifts": lifts,
        "rival": rivals_of(results, lifts),
        "pairs": {f"{row['arm']} / {row['over']} at {row['budget']}": ratio(row) for row in report["pairs"]},
        "groups": groups_of(report, main),
        "exposure": {
            row["arm"]: {k: row[k] for k in ("gini", "coverage", "popularity_lift", "top_1_percent_share")}
            for row in report["exposure"]
            if (row["budget"], row["slice"]) == (main, "first_time")
        },
        "interest_quality": report["interest_quality"],
        "costs": costs,
    }


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

"""Tune on the weeks before each span of docs/results.md, then measure what was chosen on the span; hours.

Usage: python scripts/measure_tuned.py DATA [WORK [LOG ...]]

For each log and kind of embeddings: `tune` for lists of 1 % of the pool, for lists of 400, and with a second
stage. Nothing from the first day of the span on is read for that; fused embeddings are learnt from what came
before each moment that is asked about. A run that was stopped goes on where it was. Reports stay in WORK,
which is build/tuned without it; docs/results/tuned.json and the page are written.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import compact_results
import tuned_page
from measure_results import PROGRAM, SPANS, logs_in, tables_of

ASKED = {"1%": ["--budget", "1%"], "400": ["--budget", "400"], "ranker": ["--ranker"]}
MEASURED_AT = {"1%": ["1%"], "400": ["400"], "ranker": ["1%", "400"]}
MEAN = "mean-0.01"


def tune_command(tables: Path, name: str, vectors: str, asked: str, out: Path) -> list[str]:
    """Return how settings are chosen before the span."""
    until = ["--until", SPANS[name].first_day, "--vectors", vectors]
    return ["tune", *tables_of(tables), *until, *ASKED[asked], "--out", str(out)]


def evaluate_command(tables: Path, name: str, vectors: str, asked: str, tuned: Path, out: Path) -> list[str]:
    """Return how what was chosen is measured on the span, beside one averaged vector."""
    span = ["--from", SPANS[name].first_day, "--days", str(SPANS[name].n_days), "--vectors", vectors]
    budgets = [word for budget in MEASURED_AT[asked] for word in ("--budget", budget)]
    chosen = ["--config", str(tuned), "--arms", f"as-configured,{MEAN}"]
    return ["evaluate", *tables_of(tables), *span, *budgets, *chosen, "--out", str(out)]


def short(name: str, vectors: str, asked: str, tuned: Path, out: Path) -> dict[str, Any]:
    """Return what the documentation tells of one choice."""
    text = tuned.read_text(encoding="utf-8")
    report = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    remarks = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    return {
        "data": name,
        "vectors": vectors,
        "tuned_for": asked,
        "settings": tomllib.loads(text),
        "remarks": remarks[1:],
        "results": {
            row["budget"]: {
                "as-configured": compact_results.figures(row),
                "over_mean": next(
                    compact_results.ratio(lift)
                    for lift in report["lifts"]
                    if (lift["arm"], lift["over"]) == ("as-configured", MEAN)
                    and (lift["budget"], lift["slice"]) == (row["budget"], "first_time")
                ),
            }
            for row in report["results"]
            if (row["arm"], row["slice"]) == ("as-configured", "first_time")
        },
    }


def measure(data: Path, work: Path, name: str, vectors: str) -> list[dict[str, Any]]:
    """Tune and measure one log with one kind of embeddings."""
    tables, found = data / name, []
    for asked in ASKED:
        tuned, out = work / f"{name}-{vectors}-{asked}.toml", work / f"{name}-{vectors}-{asked}"
        _run_unless(tuned, tune_command(tables, name, vectors, asked, tuned))
        _run_unless(
            out / "metrics.json", evaluate_command(tables, name, vectors, asked, tuned, out), resumes=True
        )
        found.append(short(name, vectors, asked, tuned, out))
    return found


def _run_unless(made: Path, command: list[str], *, resumes: bool = False) -> None:
    if resumes or not made.exists():
        subprocess.run([*PROGRAM, *command], check=True)


def main(data: str, work: str = "build/tuned", *names: str) -> None:
    """Measure what is there, one after the other, and write the page."""
    Path(work).mkdir(parents=True, exist_ok=True)
    kept = {(row["data"], row["vectors"], row["tuned_for"]): row for row in tuned_page.read()}
    for name in names or logs_in(data):
        for vectors in ("given", "fused"):
            for row in measure(Path(data), Path(work), name, vectors):
                kept[row["data"], row["vectors"], row["tuned_for"]] = row
    order = [(name, v, asked) for name in SPANS for v in ("given", "fused") for asked in ASKED]
    tuned_page.write([kept[key] for key in order if key in kept])


if __name__ == "__main__":
    main(*sys.argv[1:])

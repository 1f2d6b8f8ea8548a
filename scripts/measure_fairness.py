"""Measure whom and what lists serve on every log of docs/results.md, and what the knobs do to it; hours.

Usage: python scripts/measure_fairness.py DATA [WORK]

The days are those of docs/results.md. A run that was stopped goes on where it was. Reports stay in WORK,
which is build/fairness without it; docs/results/fairness and its page are written.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import fairness_page
from measure_results import PROGRAM, SPANS, logs_in, tables_of
from results_page import VECTORS

ARMS = ("mean-0.01", "popular-30d", "top-3", "knobs", *fairness_page.TOLD[2:])


def command(data: Path, name: str, vectors: str, out: Path) -> list[str]:
    """Return the command line of one run."""
    of_span = ["--from", SPANS[name].first_day, "--days", str(SPANS[name].n_days), "--vectors", vectors]
    of_lists = ["--budget", "1%", "--arms", ",".join(ARMS), "--out", str(out)]
    return [*PROGRAM, "evaluate", *tables_of(data / name), *of_span, *of_lists]


def main(data: str, work: str = "build/fairness") -> None:
    """Run what is there, one after the other, and write the page."""
    for name in logs_in(data):
        for vectors in VECTORS:
            out = Path(work) / f"{name}-{vectors}"
            subprocess.run(command(Path(data), name, vectors, out), check=True)
            target = fairness_page.RESULTS / f"{out.name}.json"
            fairness_page.main(str(out / "metrics.json"), str(target))


if __name__ == "__main__":
    main(*sys.argv[1:])

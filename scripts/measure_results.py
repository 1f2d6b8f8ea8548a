"""Measure all logs of docs/results.md anew; hours, and a run that was stopped goes on where it was.

Usage: python scripts/measure_results.py DATA [WORK]

DATA holds a directory of each log, with items.parquet and actions.parquet; a log that is not there is
left as it is. Reports stay in WORK, which is build/results without it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import compact_results
import results_page


class Span(NamedTuple):
    """The days of a log that are measured."""

    first_day: str
    n_days: int


SPANS = {
    "completejourney": Span("2017-09-01", 14),
    "online-retail": Span("2011-09-01", 30),
    "congress-110": Span("2008-03-01", 30),
    "movietweetings-142k": Span("2013-09-01", 14),
}


PROGRAM = [sys.executable, "-c", "from pinnersage.cli.app import main; main()"]


def logs_in(data: str) -> list[str]:
    """Return the logs that are there; end the program where none is."""
    found = [name for name in SPANS if (Path(data) / name).is_dir()]
    if not found:
        sys.exit(f"{data}: expected a directory of some of {', '.join(SPANS)}; give the place of the logs")
    return found


def tables_of(log: Path) -> list[str]:
    """Return the options that name the tables of a log."""
    return ["--items", str(log / "items.parquet"), "--actions", str(log / "actions.parquet")]


def command(data: Path, name: str, vectors: str, out: Path) -> list[str]:
    """Return the command line of one run."""
    span = SPANS[name]
    asked = [*tables_of(data / name), "--from", span.first_day, "--days", str(span.n_days)]
    return [*PROGRAM, "evaluate", *asked, "--vectors", vectors, "--arms", "all", "--out", str(out)]


def main(data: str, work: str = "build/results") -> None:
    """Run what is there, one after the other, and write the page."""
    for name in logs_in(data):
        for vectors in results_page.VECTORS:
            out = Path(work) / f"{name}-{vectors}"
            subprocess.run(command(Path(data), name, vectors, out), check=True)
            target = results_page.DOCS / "results" / f"{out.name}.json"
            compact_results.main(str(out / "metrics.json"), str(target))
    results_page.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

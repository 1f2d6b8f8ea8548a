"""Measure every log of docs/results.md on the days behind those reported, which nobody had looked at; hours.

Usage: python scripts/measure_next_spans.py DATA [WORK]

As many days again, from the first one that no table tells of; the arms that the bars are about and their
rivals, but for the sequence networks. A run that was stopped goes on where it was. Reports stay in WORK,
which is build/next without it; docs/results/next and the page are written.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import compact_results
import results_page
from measure_results import PROGRAM, SPANS, Span, logs_in, tables_of

ARMS = (
    *("mean-0", "mean-0.01", "mean-0.1", "mean-0.25", "popular", "popular-30d", "popular-90d"),
    *("item-item", "ease", "als", "as-configured", "sampled-3", "balanced-40"),
    *("popular-ranked", "mean-0.01-ranked", "top-40-ranked"),
)
BUDGETS = ("1%", "400")


def behind(span: Span) -> Span:
    """Return as many days again, right behind a span."""
    first = date.fromisoformat(span.first_day) + timedelta(days=span.n_days)
    return Span(first.isoformat(), span.n_days)


def command(data: Path, name: str, vectors: str, out: Path) -> list[str]:
    """Return the command line of one run."""
    span, of_log = behind(SPANS[name]), tables_of(data / name)
    of_span = ["--from", span.first_day, "--days", str(span.n_days), "--vectors", vectors]
    of_lists = [word for budget in BUDGETS for word in ("--budget", budget)]
    return [*PROGRAM, "evaluate", *of_log, *of_span, *of_lists, "--arms", ",".join(ARMS), "--out", str(out)]


def main(data: str, work: str = "build/next") -> None:
    """Run what is there, one after the other, and write the page."""
    for name in logs_in(data):
        for vectors in results_page.VECTORS:
            out = Path(work) / f"{name}-{vectors}"
            subprocess.run(command(Path(data), name, vectors, out), check=True)
            target = results_page.DOCS / "results" / "next" / f"{out.name}.json"
            compact_results.main(str(out / "metrics.json"), str(target))
    results_page.main()


if __name__ == "__main__":
    main(*sys.argv[1:])

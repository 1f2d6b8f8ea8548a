"""Studies on spans before those that are reported: one run a span, all kept in one file."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_embed import world
from common import DAY_MS, NOW_MS
from pinnersage._times import to_ms
from pinnersage.config import ImportConfig, InterestConfig, RankingConfig
from pinnersage.embedding.settings import EmbeddingSettings
from pinnersage.embedding.tables import embed_tables
from pinnersage.evaluation.reading import read_log
from pinnersage.evaluation.replay import ReplayLog
from pinnersage.ranking.examples import Examples, examples_at
from pinnersage.ranking.moment import moment_before
from pinnersage.ranking.proposing import nothing

Compare = Callable[[ReplayLog, int, argparse.Namespace], dict[str, Any]]


def study(doc: str | None, compare: Compare, table: Callable[[dict[str, Any]], str], **numbers: int) -> None:
    """Run a study from the command line.

    Parameters
    ----------
    doc
        Says what is measured.
    compare
        Called with the log, the cut in milliseconds and the options; returns what is kept of the span.
    table
        Makes Markdown of what is kept of all spans.
    numbers
        Further options and their defaults.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--items")
    parser.add_argument("--actions")
    parser.add_argument("--cut")
    parser.add_argument("--out", type=Path, help="JSON file to which the result is added under data and cut")
    for name, default in ({"days": 14} | numbers).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--table", type=Path, help="print the table of such a file, and measure nothing")
    given = parser.parse_args()
    if given.table:
        print(table(json.loads(given.table.read_text())))
        return
    items, actions = (given.items, given.actions) if given.items else world()
    log, _, _ = read_log(
        items if given.items else _with_embeddings(items), actions, wall_clock_ms=time.time_ns() // 1_000_000
    )
    cut_ms = to_ms(given.cut) or int(log.times_ms.max()) - given.days * DAY_MS
    result = compare(log, cut_ms, given)
    print(json.dumps(result))
    if given.out:
        kept = json.loads(given.out.read_text()) if given.out.exists() else {}
        name = Path(given.items).parent.name if given.items else "world"
        kept[f"{name} {given.cut}"] = result
        given.out.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def examples_of(log: ReplayLog, moment_ms: int, config: RankingConfig, *, sampled: bool) -> Examples:
    """Return popular and linked candidates after a moment; all candidates of a user unless sampled."""
    moment = moment_before(log, moment_ms, log.embeddings, log.available, categories=log.categories)
    n_whole = 0 if sampled else max(1, config.n_users_per_moment // 2)
    drawn, whole = examples_at(log, moment, nothing, InterestConfig(), config, n_whole=n_whole)
    return drawn if sampled else whole


def _with_embeddings(items: Any) -> Any:
    return embed_tables(
        items, None, settings=EmbeddingSettings("text"), imports=ImportConfig(), wall_clock_ms=NOW_MS
    ).table

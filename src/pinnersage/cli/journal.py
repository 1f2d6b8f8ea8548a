"""The verb ``journal``: what a running model took in, as a table of actions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, progress_bars, write_json

Out = Annotated[
    Path, typer.Option("--out", metavar="F", help="A new file: .parquet or .jsonl.", show_default=False)
]


def journal(
    directory: options.Directory,
    out: Out,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Write the actions that a model took in since its log as a table, for builds and evaluation elsewhere.

    Give it with the log: `--actions log.parquet --actions journal.parquet`. Rows with retract take actions
    back, also those of the log.
    """
    configure_log(verbose=verbose)
    from pinnersage.model.journal_table import export_journal

    with progress_bars(shown=not as_json) as progress:
        facts = export_journal(directory, out, progress)
    if as_json:
        write_json(facts)
        return
    console().print(
        f"{out}: {facts['n_actions']:,} actions of {facts['n_users']:,} users, and "
        f"{facts['n_retractions']:,} rows that take one back.",
        markup=False, soft_wrap=True,
    )  # fmt: skip

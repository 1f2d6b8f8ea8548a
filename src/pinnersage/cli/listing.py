"""The verb ``recommend-all``: the lists of every user, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinnersage.cli import options, reading
from pinnersage.cli.output import configure_log, console, progress_bars, write_json

Out = Annotated[
    Path, typer.Option("--out", metavar="F", help="A new file: .parquet, .csv or .jsonl.", show_default=False)
]


def recommend_all(
    directory: options.Directory,
    out: Out,
    k: reading.HowMany = 100,
    n_interests: reading.NInterests = None,
    seed: reading.Seed = 0,
    mode: reading.QueryMode = None,
    include_seen: reading.IncludeSeen = False,
    exclude: reading.Exclude = None,
    where: reading.Where = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Write the lists of all users as one table, a row an item, for mails and other programs.

    Users whose actions have all left the window get no rows. The model may serve meanwhile.
    """
    configure_log(verbose=verbose)
    from pinnersage.items.matching import where_of
    from pinnersage.model import PinnerSage

    with PinnerSage.open(directory) as model, progress_bars(shown=not as_json) as progress:
        facts = model.export_lists(
            out, k, interests=n_interests, seed=seed, mode=mode, include_seen=include_seen,
            exclude=exclude or (), where=where_of(where or (), "="), progress=progress,
        )  # fmt: skip
    if as_json:
        write_json(facts)
        return
    n_with = facts["n_users"] - facts["n_users_without"]
    without = f"; {facts['n_users_without']:,} users get no list" if facts["n_users_without"] else ""
    console().print(
        f"{out}: {facts['n_rows']:,} items for {n_with:,} users{without}.", markup=False, soft_wrap=True
    )

"""The verb ``backup``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, write_json

Out = Annotated[Path, typer.Option("--out", metavar="COPY", help="A new directory.", show_default=False)]


def backup(
    directory: options.Directory,
    out: Out,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Copy a model into a new directory, with every acknowledged action; it may serve and be built meanwhile.

    The copy is a model like any other: serve it, or put it in the place of the one that was lost.
    """
    configure_log(verbose=verbose)
    from pinnersage.model.saving import back_up

    facts = back_up(directory, out)
    if as_json:
        write_json(facts)
        return
    console().print(
        f"{out}: generation {facts['generation']} and what came since, {facts['n_bytes']:,} bytes.",
        markup=False, soft_wrap=True,
    )  # fmt: skip

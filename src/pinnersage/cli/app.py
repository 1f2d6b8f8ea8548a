"""The command ``pinnersage``: its verbs and its entry point."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from pinnersage.cli import (
    backup,
    building,
    demo,
    embedding,
    erasing,
    evaluating,
    exits,
    journal,
    keys,
    listing,
    reading,
    serving,
    streaming,
    tuning,
)

app = typer.Typer(
    name="pinnersage",
    help="As many interests per user as their actions show, and recommendations from them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pinnersage {version('pinnersage')}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version.")
    ] = False,
) -> None:
    pass


_VERBS = (
    (demo.demo, "pinnersage demo"),
    (building.validate, "pinnersage validate --items items.parquet --actions actions.parquet"),
    (building.build, "pinnersage build --items items.parquet --actions actions.parquet --out model"),
    (
        embedding.embed,
        "pinnersage embed --items items.parquet --actions actions.parquet --out embedded.parquet",
    ),
    (reading.interests, "pinnersage interests model u42 u43 --json"),
    (reading.recommend, "pinnersage recommend model u42 -k 20 --mode budgeted"),
    (listing.recommend_all, "pinnersage recommend-all model --out lists.parquet -k 20"),
    (reading.similar, "pinnersage similar model i7 -k 5"),
    (reading.explain, "pinnersage explain model u42 i7"),
    (
        tuning.tune,
        "pinnersage tune --items items.parquet --actions actions.parquet --out tuned.toml",
    ),
    (evaluating.evaluate, "pinnersage evaluate --items items.parquet --actions actions.parquet --out report"),
    (streaming.ingest, "pinnersage ingest model new-actions.parquet"),
    (streaming.verify, "pinnersage verify model"),
    (streaming.compact, "pinnersage compact model --keep-days 100"),
    (journal.journal, "pinnersage journal model --out journal.parquet"),
    (backup.backup, "pinnersage backup model --out model-of-monday"),
    (erasing.erase, "pinnersage erase model u42"),
    (serving.serve, "pinnersage serve model --port 8765"),
)
for _verb, _example in _VERBS:
    app.command(epilog=f"Example: [bold]{_example}[/bold]")(_verb)
app.add_typer(keys.app)


def invoke(args: Sequence[str]) -> int | None:
    """Parse ``args`` and run the verb they name."""
    command = typer.main.get_command(app)
    with command.make_context("pinnersage", list(args)) as context:
        code: int | None = command.invoke(context)
        return code


def _open_streams() -> None:
    """Open the standard streams that are closed: other files would get their numbers, and what is printed."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It gets the lowest number that is free.
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode))


def main() -> None:
    """Run the command line and exit with its code."""
    _open_streams()
    exits.end_well_on_sigterm()
    if "_PINNERSAGE_COMPLETE" in os.environ:
        app(prog_name="pinnersage")
    sys.exit(exits.run(invoke, sys.argv[1:]))

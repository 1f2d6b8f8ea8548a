"""The verbs about events: ``ingest`` and ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, error_console, progress_bars, write_json
from pinnersage.errors import UsageError

File = Annotated[Path, typer.Argument(metavar="F", help="Actions: Parquet, Arrow, CSV or JSONL.")]
MaxParked = Annotated[
    int, typer.Option("--max-parked", min=0, help="Actions on unknown items that may wait for them.")
]
HowDurable = Annotated[
    options.Durability,
    typer.Option(
        "--durability",
        help="disk: each part survives a power cut before the next is read. process: faster; all is on the "
        "disk when the command ends, and a power cut before may damage the journal.",
    ),
]
OfItems = Annotated[
    Path | None,
    typer.Option("--items", metavar="F", help="The items the model was built from.", show_default=False),
]
OfActions = Annotated[
    list[Path] | None,
    typer.Option(
        "--actions", metavar="F", show_default=False,
        help="The log the model was built from; several are one log.",
    ),
]  # fmt: skip
KeepDays = Annotated[
    float | None,
    typer.Option(
        "--keep-days", min=0, metavar="N", show_default=False,
        help="Remove actions received more than N days ago, also those that wait for their item. "
        "Default: keep all.",
    ),
]  # fmt: skip
EXIT_DIFFERENT = 3


@options.with_settings(section="imports")
def ingest(
    directory: options.Directory,
    file: File,
    max_parked: MaxParked = 100_000,
    durability: HowDurable = "disk",
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    *,
    config: options.Config,
) -> None:
    """Add actions to a model: durable, and in the next answer, as if it had been built with them."""
    configure_log(verbose=verbose)
    from pinnersage.model.live import LiveModel

    imports = config.imports.model_dump(include=config.imports.model_fields_set)
    live = LiveModel(directory, durability=durability, max_parked=max_parked)
    with progress_bars(shown=not as_json) as progress, live as model:
        report, counts = model.add_table(file, imports, progress)
        generation = model.generation
        max_bad_share = imports.get("max_bad_share", model.config.imports.max_bad_share)
    answer = {"path": str(directory), "generation": generation, **counts, "report": report.to_dict()}
    if as_json:
        write_json(answer)
        return
    from pinnersage.cli.reports import ingest_report, unknown_items_told

    console().print(ingest_report(answer))
    if told := unknown_items_told(answer, max_bad_share):
        error_console().print(f"Warning: {told}.", style="bold red", markup=False)


def verify(
    directory: options.Directory,
    items: OfItems = None,
    actions: OfActions = None,
    embeddings: options.Embeddings = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> int | None:
    """Replay the journal and report every record that differs from what a batch builds (expected: none).

    With --items and --actions, the tables the model was built from, everything is built again and compared.
    """
    configure_log(verbose=verbose)
    if (items is None) == bool(actions):
        raise UsageError("expected both --items and --actions, or neither")
    if items is None and embeddings is not None:
        raise UsageError("expected --items and --actions beside --embeddings")
    options.check_files(items, *(actions or ()), embeddings=embeddings)
    from pinnersage.model.live import LiveModel

    with progress_bars(shown=not as_json) as progress, LiveModel(directory) as model:
        verified = model.verify(items, actions or None, progress, embeddings_npy=embeddings)
        found = verified.to_dict()
    _show(found, as_json=as_json)
    return None if found["ok"] else EXIT_DIFFERENT


def compact(
    directory: options.Directory,
    keep_days: KeepDays = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Give the journal's free space back, and forget journalled actions that are old enough."""
    configure_log(verbose=verbose)
    from pinnersage.model.live import LiveModel

    with LiveModel(directory) as model:
        answer = model.compact(keep_days)
    if as_json:
        write_json(answer)
        return
    sizes = f"{answer['n_bytes_before']:,} bytes before, {answer['n_bytes']:,} now"
    removed = f"{answer['n_removed']:,} actions removed"
    if answer["n_parked_expired"]:
        removed += f", {answer['n_parked_expired']:,} that waited for their item wait no longer"
    if answer["n_item_entries"]:
        removed += f", {answer['n_item_entries']:,} superseded entries about items removed or shortened"
    console().print(f"The journal: {removed}; {sizes}.")


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        write_json(found)
        return
    from pinnersage.cli.reports import verification_report

    console().print(verification_report(found))

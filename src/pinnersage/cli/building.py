"""The verbs that read tables: ``validate`` and ``build``."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from pinnersage._report import RowsRefusedError, TablesRefusedError
from pinnersage._times import to_ms
from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, error_console, progress_bars, write_json

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes.", show_default=False)]


@options.with_settings()
def validate(
    items: options.Items,
    actions: options.Actions,
    embeddings: options.Embeddings = None,
    now: options.Now = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    *,
    config: options.Config,
) -> None:
    """Check both tables and count their bad rows by reason, without building anything."""
    configure_log(verbose=verbose)
    options.check_files(items, *actions, embeddings=embeddings)
    from pinnersage import model

    try:
        with progress_bars(shown=not as_json) as progress:
            report = model.validate(
                items, actions, config, now=to_ms(now), embeddings_npy=embeddings, progress=progress
            )
    except (RowsRefusedError, TablesRefusedError) as refused:
        if as_json:
            write_json({"ok": False} | {name: one.to_dict() for name, one in refused.reports.items()})
        raise
    if as_json:
        write_json({"ok": True} | report)
        return
    from pinnersage.cli.reports import check_report

    console().print(check_report(report))


@options.with_settings()
def build(
    items: options.Items,
    actions: options.Actions,
    out: Out,
    embeddings: options.Embeddings = None,
    now: options.Now = None,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    *,
    config: options.Config,
) -> None:
    """Turn items and actions into a model: everyone's interests and an index of the items."""
    configure_log(verbose=verbose)
    options.check_files(items, *actions, embeddings=embeddings)
    import structlog

    from pinnersage.errors import BadRowsWarning
    from pinnersage.items.origin import LeakWarning
    from pinnersage.model import PinnerSage

    log = structlog.get_logger()
    started = time.monotonic()
    log.info("build started", items=str(items), actions=", ".join(map(str, actions)), out=str(out))
    with (
        # What is printed tells the same.
        warnings.catch_warnings(action="ignore", category=LeakWarning),
        warnings.catch_warnings(action="ignore", category=BadRowsWarning),
        progress_bars(shown=not as_json) as progress,
        PinnerSage.build(
            items,
            actions,
            path=out,
            config=config,
            now=to_ms(now),
            embeddings_npy=embeddings,
            progress=progress,
        ) as model,
    ):
        summary = model.summary()
    log.info("build finished", seconds=round(time.monotonic() - started, 3))
    _show(summary, as_json=as_json)


def _show(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        write_json(summary)
        return
    from pinnersage.cli.reports import build_report

    console().print(build_report(summary))
    for told in summary["warnings"]:
        error_console().print(f"Warning: {told}.", style="bold red", markup=False)
    typer.echo(f"\nNext: pinnersage interests {summary['path']} USER")

"""The verb ``embed``: embeddings for items that have none."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, error_console, progress_bars, write_json
from pinnersage.embedding.settings import EmbeddingSettings, Source, TextModel

if TYPE_CHECKING:
    from pinnersage.embedding.tables import EmbeddedItems


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, **more)


_LOG = "Reading the log"
_DEFAULT = EmbeddingSettings()
Actions = Annotated[
    list[Path] | None,
    _option(
        "--actions", metavar="F", show_default=False,
        help="Actions; several are one log. --from text takes births from them.",
    ),
]  # fmt: skip
Out = Annotated[Path, _option("--out", metavar="ITEMS.parquet", help="The items, with an embedding each.")]
From = Annotated[Source, _option("--from", help="Words of the items, sessions of the log, or both.")]
Texts = Annotated[
    TextModel,
    _option("--text-model", help="Beside the log: TF-IDF, MiniLM, or the items' own embeddings."),
]
Until = Annotated[
    str | None,
    _option(
        "--until",
        metavar="T",
        help="Use no action, and learn from no item, of T (RFC 3339, ISO date or ms) or later. Else all, "
        "which `evaluate` refuses.",
        show_default=False,
    ),
]
Dim = Annotated[int, _option("--dim", metavar="D", help="Dimensions, at most.")]
SessionDays = Annotated[
    float,
    _option("--session-days", rich_help_panel=_LOG, help="Days of a user that are one session; 0: all."),
]
Shift = Annotated[float, _option("--shift", rich_help_panel=_LOG, help="Larger keeps surer pairs only.")]
Smoothing = Annotated[
    float, _option("--smoothing", rich_help_panel=_LOG, help="Exponent of context frequencies.")
]
LogShare = Annotated[
    float, _option("--log-share", rich_help_panel=_LOG, help="Share of the log in a fused cosine, 0 to 1.")
]
Seed = Annotated[int, _option("--seed", help="Seeds the decompositions.")]


@options.with_settings(section="imports")
def embed(
    items: options.Items,
    actions: Actions = None,
    *,
    out: Out,
    source: From = _DEFAULT.source,
    text_model: Texts = "tfidf",
    until: Until = None,
    n_dimensions: Dim = _DEFAULT.n_dimensions,
    session_days: SessionDays = _DEFAULT.session_days,
    shift: Shift = _DEFAULT.shift,
    smoothing: Smoothing = _DEFAULT.smoothing,
    log_share: LogShare = _DEFAULT.log_share,
    seed: Seed = _DEFAULT.seed,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.Config,
) -> None:
    """Make item embeddings from texts, from the log, or from both: the items table that `build` takes."""
    configure_log(verbose=verbose)
    options.check_files(items, *actions or ())
    from pinnersage.embedding.facade import embed as run

    started = time.monotonic()
    settings = EmbeddingSettings(
        source=source, n_dimensions=n_dimensions, session_days=session_days, shift=shift,
        smoothing=smoothing, log_share=log_share, seed=seed,
    )  # fmt: skip
    with progress_bars(shown=not as_json) as progress:
        made = run(
            items, actions or None, until=until, settings=settings, text_model=text_model,
            imports=config.imports, out=out, progress=progress,
        )  # fmt: skip
    summary = _summary(made, settings, text_model, out) | {"seconds": round(time.monotonic() - started, 3)}
    if as_json:
        write_json(summary)
        return
    whole_log = until is None and source != "text"
    _show(summary, actions, config.imports.model_dump(), whole_log=whole_log)


def _show(
    summary: dict[str, Any], actions: list[Path] | None, imports: dict[str, Any], *, whole_log: bool
) -> None:
    from pinnersage.cli.reports import embedding_report

    console().print(embedding_report(summary))
    log = f"{options.actions_flags(actions)}{options.reading_flags(imports, of=['actions'])}"
    typer.echo(f"\nNext: pinnersage build --items {shlex.quote(summary['out'])} {log} --out DIR")
    if whole_log:
        error_console().print(
            "No --until was given: these embeddings know the whole log. That is right for a model without a "
            "second stage; to evaluate, tune or fit one (--ranker) on this log, give --until.", markup=False,
        )  # fmt: skip


def _summary(made: EmbeddedItems, settings: EmbeddingSettings, text_model: str, out: Path) -> dict[str, Any]:
    from pinnersage._times import rfc3339

    reports = {"items": made.items_report} | (
        {"actions": made.actions_report} if made.actions_report is not None else {}
    )
    return {
        "out": str(out),
        "from": settings.source,
        "text_model": None if settings.source == "log" else text_model,
        "until": None if made.until_ms is None else rfc3339(made.until_ms),
        "n_items": made.table.num_rows,
        "n_items_without": made.n_without,
        "n_items_in_log": made.n_items_in_log,
        "n_actions": made.n_actions,
        "n_dimensions": made.table.schema.field("embedding").type.list_size,
        "reports": {name: report.to_dict() for name, report in reports.items()},
    }

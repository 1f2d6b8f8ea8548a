"""The verb ``embed``: embeddings for items that have none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, progress_bars, write_json

if TYPE_CHECKING:
    from pinnersage.embedding.settings import EmbeddingSettings
    from pinnersage.embedding.tables import EmbeddedItems

# The choices of pinnersage.embedding.settings once more, so that starting up stays quick; a test holds
# them together.
Source = Literal["text", "log", "fused"]
TextModel = Literal["tfidf", "minilm", "given"]


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, show_default=False, **more)


_LOG = "Reading the log"
Actions = Annotated[
    Path | None, _option("--actions", metavar="F", help="Actions; not needed with --from text.")
]
Out = Annotated[Path, _option("--out", metavar="ITEMS.parquet", help="The items, with an embedding each.")]
From = Annotated[Source, typer.Option("--from", help="Words of the items, sessions of the log, or both.")]
Texts = Annotated[
    TextModel,
    typer.Option(
        "--text-model", help="What stands beside the log: TF-IDF, MiniLM, or the items' own embeddings."
    ),
]
Until = Annotated[
    str | None,
    _option("--until", metavar="T", help="Use nothing at or after T (RFC 3339, ISO date or ms). Else all."),
]
Dim = Annotated[int | None, _option("--dim", metavar="D", help="Dimensions, at most; 256 by default.")]
SessionDays = Annotated[
    float | None,
    _option(
        "--session-days",
        rich_help_panel=_LOG,
        help="Days of one user that are one session; 7 by default, 0 for all of them.",
    ),
]
Shift = Annotated[
    float | None,
    _option("--shift", rich_help_panel=_LOG, help="Larger keeps surer pairs only; 0 by default."),
]
Smoothing = Annotated[
    float | None,
    _option("--smoothing", rich_help_panel=_LOG, help="Exponent of context frequencies; 0.75 by default."),
]
LogShare = Annotated[
    float | None,
    _option(
        "--log-share",
        rich_help_panel=_LOG,
        help="Share of the log in a fused cosine, 0 to 1; 0.7 by default.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seeds the decompositions.")]


@options.with_settings(section="imports")
def embed(
    items: options.Items,
    actions: Actions = None,
    *,
    out: Out,
    source: From = "fused",
    text_model: Texts = "tfidf",
    until: Until = None,
    n_dimensions: Dim = None,
    session_days: SessionDays = None,
    shift: Shift = None,
    smoothing: Smoothing = None,
    log_share: LogShare = None,
    seed: Seed = 0,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    config: options.Config,
) -> None:
    """Make item embeddings from texts, from the log, or from both: the items table that `build` takes."""
    configure_log(verbose=verbose)
    from pinnersage._times import to_ms
    from pinnersage.embedding.settings import EmbeddingSettings
    from pinnersage.embedding.tables import embed_tables
    from pinnersage.embedding.writing import check_out, write_items

    started = time.monotonic()
    given = {
        "n_dimensions": n_dimensions, "session_days": session_days, "shift": shift,
        "smoothing": smoothing, "log_share": log_share,
    }  # fmt: skip
    settings = EmbeddingSettings(source, seed=seed, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    check_out(out, items)
    with progress_bars(shown=not as_json) as progress:
        made = embed_tables(
            items, actions, settings=settings, text_model=text_model, imports=config.imports,
            until_ms=to_ms(until), wall_clock_ms=time.time_ns() // 1_000_000, progress=progress,
        )  # fmt: skip
        write_items(made.table, out)
    summary = _summary(made, settings, text_model, out) | {"seconds": round(time.monotonic() - started, 3)}
    if as_json:
        write_json(summary)
        return
    from pinnersage.cli.reports import embedding_report

    console().print(embedding_report(summary))
    where = f" --actions {actions}" if actions is not None else " --actions F"
    typer.echo(f"\nNext: pinnersage build --items {out}{where} --out DIR")


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

"""The verb ``tune``: settings chosen by replay of the user's own log, as a file for ``--config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pinnersage.cli import options
from pinnersage.cli.evaluating import VectorSource, parse_budget
from pinnersage.cli.output import configure_log, console, error_console, progress_bars, write_json

# The choices of pinnersage.evaluation once more, for a quick start; a test holds them together.
MetricName = Literal["recall", "relevance", "ndcg"]
TargetsName = Literal["first_time", "all"]

_SPANS, _BOUNDS = "Spans", "Bounds"


def _option(*names: str, help: str, panel: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


Out = Annotated[
    Path | None,
    _option(
        "--out", metavar="F.toml", help="Where the settings go; else they are printed.", show_default=False
    ),
]
Until = Annotated[
    str | None,
    _option(
        "--until", metavar="T", panel=_SPANS, show_default=False,
        help="Nothing from this day (UTC) on is read. Else the whole log is.",
    ),
]  # fmt: skip
TrainDays = Annotated[
    int, _option("--train-days", min=1, panel=_SPANS, help="Settings are compared on so many days.")
]
HeldOutDays = Annotated[
    int,
    _option(
        "--held-out-days", min=1, max=3_660, panel=_SPANS,
        help="What was chosen is then measured on so many days, the last before --until.",
    ),
]  # fmt: skip
Budget = Annotated[str, _option("--budget", metavar="N", help="Items per list: 400, or 1% of the pool.")]
MetricOf = Annotated[MetricName, _option("--metric", help="What is to grow.")]
Targets = Annotated[
    TargetsName, _option("--targets", help="Recommend only what is new to the user, or repeats too.")
]
Vectors = Annotated[
    VectorSource,
    _option(
        "--vectors",
        help="Embeddings as given, or learnt from the log before the training days, then the held-out days.",
    ),
]
MaxUsers = Annotated[int, _option("--max-users", min=1, panel=_BOUNDS, help="Users compared on, at most.")]
MaxTrials = Annotated[
    int | None,
    _option(
        "--max-trials",
        min=1,
        panel=_BOUNDS,
        help="Settings tried besides the default, at most.",
        show_default=False,
    ),
]
Seconds = Annotated[
    float | None,
    _option(
        "--seconds", min=0.001, panel=_BOUNDS, show_default=False,
        help="No further setting is tried after so many seconds.",
    ),
]  # fmt: skip
Seed = Annotated[int, _option("--seed", min=0, help="Of the order of users and of intervals.")]


@options.with_settings()
def tune(
    items: options.Items,
    actions: options.Actions,
    out: Out = None,
    until: Until = None,
    train_days: TrainDays = 28,
    held_out_days: HeldOutDays = 14,
    budget: Budget = "1%",
    metric: MetricOf = "recall",
    targets: Targets = "first_time",
    vectors: Vectors = "given",
    max_users: MaxUsers = 2_000,
    max_trials: MaxTrials = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    embeddings: options.Embeddings = None,
    allow_leak: options.AllowLeak = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    *,
    config: options.Config,
) -> None:
    """Choose alpha, lambda, number of interests and budget rule by replay of your log.

    Settings are compared on the training days; what is better beyond doubt is chosen, all else keeps its
    default. Chosen and default settings are then measured on the held-out days. Flags and --config say
    what the default is; --ranker tunes a second stage, too, which takes minutes.

    Embeddings that were learnt from the actions of these days make all figures too good, and are refused
    where they tell: learn them from what came before (`pinnersage embed --until`), or let --vectors do it.
    """
    configure_log(verbose=verbose)
    options.check_files(items, *actions, embeddings=embeddings)
    from pinnersage.evaluation.tuning.facade import tune as run
    from pinnersage.evaluation.tuning.settings import TuningSettings

    settings = TuningSettings(
        train_days=train_days, held_out_days=held_out_days, budget=parse_budget(budget), metric=metric,
        targets=targets, max_users=max_users, max_trials=max_trials, max_seconds=seconds, seed=seed,
    )  # fmt: skip
    with progress_bars(shown=not as_json) as progress:
        result = run(
            items, actions, out=out, config=config, tuning=settings, until=until, embeddings_npy=embeddings,
            progress=progress, allow_leak=allow_leak, vectors=vectors,
        )  # fmt: skip
    found = result.to_dict() | {"out": None if out is None else str(out)}
    read = options.Read(items, actions, embeddings, config.imports.model_dump())
    write_json(found) if as_json else _show(found, read, out)


def _show(found: dict[str, Any], read: options.Read, out: Path | None) -> None:
    from pinnersage.cli.tuning_view import next_steps, tuning_view

    console().print(tuning_view(found))
    if out is None:
        typer.echo(f"\n{found['toml']}", nl=False)
        error_console().print("No --out was given: nothing was written.")
    else:
        typer.echo(f"\nNext: {next_steps(found, read, out)}")

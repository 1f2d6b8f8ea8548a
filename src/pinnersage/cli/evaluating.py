"""The verb ``evaluate``: arms beside each other on the user's own log."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pinnersage.cli import options
from pinnersage.cli.output import configure_log, console, error_console, progress_bars, write_json
from pinnersage.errors import UsageError

# The choices of pinnersage.evaluation.vectors once more; importing them takes time at every start.
VectorSource = Literal["given", "log", "fused"]

if TYPE_CHECKING:
    from pinnersage.config import BuildConfig

ReportDirectory = Annotated[
    Path, typer.Option("--out", metavar="REPORT", help="Directory of the report.", show_default=False)
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="T", help="First day measured (UTC). Else the last days of the log.",
        show_default=False,
    ),
]  # fmt: skip
Days = Annotated[int, typer.Option("--days", min=1, max=3_660, help="Days measured.")]
Budgets = Annotated[
    list[str] | None,
    typer.Option(
        "--budget", metavar="N", help="Items per list: 400, or 1% of the pool; repeatable. Else 400, 1%, 5%.",
        show_default=False,
    ),
]  # fmt: skip
ArmNames = Annotated[
    list[str] | None,
    typer.Option(
        "--arms", metavar="A,B", show_default=False,
        help="Names of arms, or groups: untrained and configured (the default), ranked, trained, knobs; "
        "all: all but knobs. Repeatable. as-configured is what a build with these settings serves; "
        "docs/evaluation.md tells of all.",
    ),
]  # fmt: skip
Vectors = Annotated[
    VectorSource,
    typer.Option("--vectors", help="Embeddings as given, or learnt from the log before the first day."),
]
Impressions = Annotated[
    Path | None,
    typer.Option(
        "--impressions", metavar="F", help="What users were shown; columns as of actions.",
        show_default=False,
    ),
]  # fmt: skip
Users = Annotated[
    Path | None,
    typer.Option(
        "--users", metavar="F", help="What you know of users: a table of user_id and columns of your own.",
        show_default=False,
    ),
]  # fmt: skip
GroupBy = Annotated[
    list[str] | None,
    typer.Option(
        "--group-by", metavar="COLUMN", show_default=False,
        help="Compare users by a column of --users, such as country or age; repeatable. Names give groups, "
        "the 12 largest for themselves; more than 12 different numbers give thirds.",
    ),
]  # fmt: skip
MinActions = Annotated[
    int, typer.Option("--min-actions", min=1, help="Measure users with this many actions in the window.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of draws, impressions and intervals.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure every arm anew, also those already measured.")]


def parse_budget(text: str) -> int | float:
    """Return items as an integer, or a share of the pool.

    Raises
    ------
    UsageError
        The text is neither.

    Examples
    --------
    >>> parse_budget("400"), parse_budget("1%"), parse_budget("0.05")
    (400, 0.01, 0.05)
    """
    from pinnersage.evaluation.settings import label

    try:
        if text.endswith("%"):
            budget: int | float = float(text[:-1]) / 100
        else:
            budget = int(text) if text.isdigit() else float(text)
        label(budget)
    except (ValueError, UsageError):
        raise UsageError(f"expected --budget like 400, 1% or 0.01, got {text!r}") from None
    return budget


@options.with_settings()
def evaluate(
    items: options.Items,
    actions: options.Actions,
    out: ReportDirectory,
    first: From = None,
    days: Days = 14,
    budget: Budgets = None,
    arms: ArmNames = None,
    vectors: Vectors = "given",
    impressions: Impressions = None,
    users: Users = None,
    group_by: GroupBy = None,
    embeddings: options.Embeddings = None,
    min_actions: MinActions = 1,
    seed: Seed = 0,
    fresh: Fresh = False,
    allow_leak: options.AllowLeak = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    *,
    config: options.Config,
) -> None:
    """Replay the log day by day and measure whether many interests beat one vector on it."""
    configure_log(verbose=verbose)
    names = _names_in(arms) if arms else None
    options.check_files(items, *actions, impressions, users, embeddings=embeddings)
    _check_words(names, first, group_by or (), has_users=users is not None)
    from pinnersage.evaluation.settings import DEFAULT_BUDGETS, EvaluationConfig

    settings = EvaluationConfig(
        budgets=tuple(map(parse_budget, budget)) if budget else DEFAULT_BUDGETS,
        min_actions=min_actions,
        seed=seed,
    )
    found = _run(
        config, items=items, actions=actions, out_dir=out, first_day=first, n_days=days, evaluation=settings,
        arms=names, impressions=impressions, users=users, group_by=group_by or (),
        vectors=vectors, embeddings_npy=embeddings, resume=not fresh, allow_leak=allow_leak,
        shown=not as_json,
    )  # fmt: skip
    write_json(found) if as_json else _show(found, out, f"the last {days} days" if first is None else None)


def _names_in(given: Sequence[str]) -> list[str]:
    """Return the names of all ``--arms``: ``--arms A,B`` and ``--arms A --arms B`` are the same."""
    found: list[str] = []
    for text in given:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not names:
            raise UsageError(
                f"--arms: expected names of arms or groups with commas between them, got {text!r}"
            )
        found += names
    return found


def _check_words(
    arms: list[str] | None, first: str | None, group_by: Sequence[str], *, has_users: bool
) -> None:
    """Tell a wrong arm, time or grouping at once: what measures them takes seconds to import."""
    from pinnersage._times import to_ms
    from pinnersage.evaluation.arms.names import arm_names
    from pinnersage.evaluation.user_groups import check_group_by

    arm_names(arms)
    to_ms(first)
    check_group_by(group_by, has_users=has_users)


def _show(found: dict[str, Any], out: Path, assumed: str | None) -> None:
    from pinnersage.cli.evaluation_view import evaluation_view
    from pinnersage.evaluation.about import days_told, found_told

    console().print(evaluation_view(found), crop=False)
    if assumed:
        error_console().print(f"No --from was given: {assumed} of the log were measured.")
    if told := days_told(found["about"]):
        error_console().print(f"{told}.", style="yellow")
    if told := found_told(found["about"]):
        error_console().print(f"{told}.")
    for arm, why in found["about"]["arms_left_out"].items():
        error_console().print(f"Left out: {arm}, {why}.", markup=False)
    typer.echo(f"\nTo read: {out / 'report.html'}   All figures: {out / 'metrics.json'}")


def _run(config: BuildConfig, *, items: Any, actions: Any, shown: bool, **given: Any) -> dict[str, Any]:
    """Return what is told: everything of the report but the groups and ratios, which are in the file."""
    from pinnersage.evaluation.facade import evaluate as measure
    from pinnersage.evaluation.verdict import sentences

    with progress_bars(shown=shown, lines=True) as progress:
        about = {"command": shlex.join(["pinnersage", *sys.argv[1:]])}
        report = measure(items, actions, config=config, about=about, progress=progress, **given)
    return report.summary(sentences(report)) | {"out": str(given["out_dir"])}

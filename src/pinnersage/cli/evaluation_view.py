"""What an evaluation found, for people: one table a budget, then the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinnersage.cli.tables import Answer, Whole, facts_table
from pinnersage.cli.times import span
from pinnersage.evaluation.about import impressions_told, origin_told

_COLUMNS = {
    "relevance": "Relevance",
    "recall": "Recall",
    "ndcg": "nDCG",
    "diversity": "Diversity",
}
_VECTORS = {
    "given": "as given",
    "log": "learnt from the log before the first day",
    "fused": "as given, fused with what the log before the first day says",
}
_WITH_INTERVAL = {"relevance", "recall"}


def evaluation_view(summary: Answer) -> Group:
    """Return facts, a table of first-time items for each budget, and the verdict."""
    about = summary["about"]
    measured = about["measured"]
    origin = "" if about["vectors"] == "log" else origin_told(about.get("embeddings"))
    facts = {
        "days": f"{span(about['span']['from'], about['span']['until'])} (not included)",
        "measured": f"{measured['n_users']:,} users on {about['span']['n_days']:,} days "
        f"({measured['n_user_days']:,} user-days, one list each), "
        f"{measured['n_first_time_targets']:,} first-time items and {measured['n_repeat_targets']:,} repeats",
        "left out": f"{measured['n_left_out_not_in_pool']:,} actions on items not in the pool, "
        f"{measured['n_left_out_too_few_actions']:,} of users with too few actions before",
        "pool": f"{about['pool']['n_items_first_day']:,} items on the first day",
        "impressions": impressions_told(about),
        "embeddings": _VECTORS[about["vectors"]] + origin,
        **_arms_left_out(about.get("arms_left_out") or {}),
    }
    return Group(*warned(about), facts_table(facts), *_tables(summary), *_verdict(summary["verdict"]))


def _arms_left_out(why: Mapping[str, str]) -> dict[str, str]:
    """Return a line of the facts, in which arms left out for one reason stand together."""
    arms_of: dict[str, list[str]] = {}
    for arm, reason in why.items():
        arms_of.setdefault(reason.removeprefix(f"{arm}: "), []).append(arm)
    told = [f"{', '.join(arms)} ({reason})" for reason, arms in arms_of.items()]
    return {"arms left out": "; ".join(told)} if told else {}


def warned(about: Answer) -> Iterator[Text]:
    """Yield what makes the figures untrustworthy, in red, and what makes some arms worse."""
    if about.get("leak"):
        yield Text(f"{about['leak']}\n", style="bold red")
    for note in about.get("notes", ()):
        yield Text(f"{note}\n", style="yellow")


def _tables(summary: Answer) -> Iterator[RenderableType]:
    for label in summary["about"]["budgets"]:
        yield Whole(partial(_table, summary, label), 1 + len(_COLUMNS), 1 + len(_WITH_INTERVAL))
    if any(row["oracle"] for row in summary["results"]):
        yield Text("* sees the targets: how far the idea could go", style="dim")


def _table(summary: Answer, label: str, n_columns: int) -> Table:
    n_items = summary["about"]["budgets"][label]
    size = f"{label} of the pool, {n_items:,}" if label.endswith("%") else f"{n_items:,}"
    table = Table(title=f"\nFirst-time items, {size} items a list", title_justify="left", box=None)
    table.add_column("Arm", no_wrap=True)
    for name in [*_COLUMNS.values()][: n_columns - 1]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary["results"]:
        if row["budget"] == label and row["slice"] == "first_time":
            name = f"{row['arm']} *" if row["oracle"] else row["arm"]
            table.add_row(Text(name), *[*_cells(row["metrics"])][: n_columns - 1])
    return table


def _cells(metrics: Any) -> Iterator[str]:
    for metric in _COLUMNS:
        found = metrics[metric]
        if found["value"] is None:
            yield "-"
        elif metric in _WITH_INTERVAL and found["low"] is not None:
            yield f"{_short(found['value'])} [{_short(found['low'])}, {_short(found['high'])}]"
        else:
            yield _short(found["value"])


def _short(value: float) -> str:
    """Return three decimals; a share loses its leading zero, so that a table fits 80 columns."""
    text = f"{value:.3f}"
    return text.removeprefix("0") if 0 <= value < 1 else text


def _verdict(verdict: list[str]) -> Iterator[RenderableType]:
    yield Text("\nVerdict", style="bold")
    for sentence in verdict:
        yield Text(f"- {sentence}")

"""What was measured, what it cost, how arms were set, and with which versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pinnersage.evaluation.about import days_told, found_told, impressions_told, origin_told
from pinnersage.evaluation.page.arm_words import arms_told
from pinnersage.evaluation.page.blocks import Block, Command, Facts, Folded, Section, Table, Text
from pinnersage.evaluation.page.columns import arm_rows, cells_of
from pinnersage.evaluation.page.figures import Figure
from pinnersage.evaluation.page.numbers import count_of
from pinnersage.evaluation.page.summary import About, Summary
from pinnersage.evaluation.page.words import budget_name

_COSTS = {
    "median_ms_per_list": "Median ms per list",
    "recommend_seconds": "Recommending, s",
    "fit_seconds": "Fitting, s",
    "cpu_seconds": "Processor, s",
}
_VECTORS = {
    "given": "as given with the items",
    "log": "learnt from the log before the first day",
    "fused": "those given with the items, fused with vectors learnt from the log before the first day",
}
_LISTS = "Near-duplicates may stand in one list here, for arms of every kind; what is served leaves them out."
_LEFT_OUT = {
    "n_left_out_not_in_pool": "actions on items that were not in the pool",
    "n_left_out_too_few_actions": "actions of users with too few actions before",
}


def measured_section(summary: Summary) -> Section:
    """Return data, span, users, targets, what was left out, pool, impressions and vectors."""
    about, measured = summary.about, summary.about.measured
    large = [
        ("users measured", count_of(measured.get("n_users"))),
        ("lists per arm (users x days)", count_of(measured.get("n_user_days"))),
        ("first-time targets", count_of(measured.get("n_first_time_targets"))),
        ("repeat targets", count_of(measured.get("n_repeat_targets"))),
        ("days", count_of(about.span.n_days)),
    ]
    blocks: list[Block] = [Facts(large, large=True), Facts(list(_facts(summary)))]
    told = arms_told(summary)
    if told:
        blocks.append(Folded("What the arms (ways to recommend) are", [Facts(told)]))
    return Section("measured", "What was measured", blocks)


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    about, data, pool = summary.about, summary.about.data, summary.about.pool
    yield (
        "How",
        (
            "The log was replayed day by day: each arm recommends from what was known before the day, then "
            "the day is revealed. A target is an action of that day on an item of the pool."
        ),
    )
    yield "Days", _days(summary)
    yield (
        "Log",
        (
            f"{count_of(data.get('n_actions'))} actions of {count_of(data.get('n_users'))} users on "
            f"{count_of(data.get('n_items'))} items, "
            f"{_day(data.get('oldest_action'))} to {_day(data.get('newest_action'))}"
        ),
    )
    yield from _tables(about)
    yield (
        "Left out",
        "; ".join(f"{count_of(about.measured.get(key))} {name}" for key, name in _LEFT_OUT.items()),
    )
    for arm, why in (about.more("arms_left_out") or {}).items():
        yield f"Arm left out: {arm}", str(why)
    yield (
        "Pool",
        (
            f"{count_of(pool.get('n_items_first_day'))} items on the first day, "
            f"{count_of(pool.get('n_items_last_day'))} on the last: items that existed then and that the "
            "catalogue offers now; what was delisted since is missing from earlier days, too"
        ),
    )
    yield "Lists", _LISTS
    yield "Budgets", ", ".join(budget_name(label, n) for label, n in about.budgets.items())
    yield "Impressions", _impressions(summary)
    if about.more("vectors") is not None:
        yield "Vectors", _vectors(about)


def _days(summary: Summary) -> str:
    about = summary.about
    empty = days_told(about.facts())
    days = f"{_day(about.span.from_)} to {_day(about.span.until)} (not included), UTC"
    return f"{days}. {empty}." if empty else days


def _tables(about: About) -> Iterator[tuple[str, str]]:
    for name, table in (about.more("tables") or {}).items():
        yield f"Table of {name}", _table_facts(table)
    if in_table := found_told(about.facts()):
        yield "Users found", in_table


def _table_facts(table: dict[str, Any]) -> str:
    """Return the files of a table, and how many of its rows were left out and why."""
    told = f"{', '.join(map(str, table.get('sources', [])))}: {count_of(table.get('n_rows'))} rows"
    reasons = "; ".join(f"{count_of(n)} {reason}" for reason, n in (table.get("reasons") or {}).items())
    return (
        f"{told}, {count_of(table.get('n_bad'))} left out ({reasons})"
        if reasons
        else f"{told}, none left out"
    )


def _impressions(summary: Summary) -> str:
    return f"{impressions_told(summary.about.facts())}, for R-precision and reciprocal rank"


def _vectors(about: About) -> str:
    vectors = about.more("vectors")
    if isinstance(vectors, str):
        is_told = "embeddings" in (about.model_extra or {}) and vectors != "log"
        return _VECTORS.get(vectors, vectors) + (origin_told(about.more("embeddings")) if is_told else "")
    flat = flattened(vectors)
    return "; ".join(f"{name} {value}" if name else value for name, value in flat)


def _day(time: Any) -> str:
    return str(time)[:10] if time else "?"


def costs_section(summary: Summary) -> Section:
    """Return seconds and milliseconds of each arm."""
    arms = list(summary.costs)
    columns = []
    for key in _COSTS:
        figures = [Figure(value=getattr(cost, key)) for cost in summary.costs.values()]
        columns.append(cells_of(figures))
    note = (
        "Ms per list, of processor time: some users of the last day are asked again for their longest "
        "first-time lists, with nothing kept from before. Making a user's interests from the actions "
        "and looking up neighbors (exactly) are in it, fitting and learning anew are not; what is "
        "counted once for all users is shared by those asked. Recommending is the time of all lists of "
        "the walk, of every budget, first-time and all; there the first arm to need interests or "
        "neighbors makes them for the later ones. Fitting holds all fits, those of later days too. "
        "Times vary from run to run and with what else the machine does."
    )
    table = Table("Cost of each arm", "Arm", list(_COSTS.values()), arm_rows(summary, arms, columns), note)
    return Section("costs", "Costs", [table])


def settings_section(summary: Summary) -> Section:
    """Return how the evaluation and each arm were set."""
    about = summary.about
    common = flattened(about.more("config") or {}) + flattened(about.more("evaluation") or {})
    blocks: list[Block] = [Text("Settings of the evaluation and, folded, of each arm.")]
    if common:
        blocks.append(Folded("Evaluation", [Facts(common)]))
    for arm, cost in summary.costs.items():
        pairs = flattened(cost.settings)
        if pairs:
            blocks.append(Folded(arm, [Facts(pairs)]))
    return Section("settings", "Settings", blocks)


def making_section(summary: Summary) -> Section:
    """Return the command, and the versions that made the figures."""
    blocks: list[Block] = []
    command = summary.about.more("command")
    if command:
        blocks += [Text("The figures were made by"), Command(str(command))]
    blocks += [
        Text("The page is made from metrics.json alone. To make it anew, measuring nothing:"),
        Command("python -m pinnersage.evaluation.page REPORT"),
    ]
    versions = flattened(summary.about.more("versions") or {})
    return Section("making", "Versions and command", [*blocks, *([Facts(versions)] if versions else [])])


def flattened(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as names with dots and texts; what is empty is left out.

    Examples
    --------
    >>> flattened({"a": {"b": 1, "c": [1, 2]}, "fitted": {}})
    [('a.b', '1'), ('a.c', '1, 2')]
    """
    if isinstance(value, dict):
        parts = [flattened(v, f"{prefix}.{k}" if prefix else str(k)) for k, v in value.items()]
        return [pair for part in parts for pair in part]
    if isinstance(value, (list, tuple)):
        if any(isinstance(v, (dict, list, tuple)) for v in value):
            return flattened({str(i): v for i, v in enumerate(value)}, prefix)
        return [(prefix, ", ".join(map(count_of, value)))] if value else []
    return [(prefix, count_of(value))]

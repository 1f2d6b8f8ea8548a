"""Answers as tables for people; every text from outside goes in as text, never as markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pinnersage._ids import ItemId
from pinnersage.cli.times import span

TitleOf = Callable[[ItemId], str]
Answer = Mapping[str, Any]

_N_MEMBERS_SHOWN = 4
_N_BAR_CELLS = 10


def interests_table(answer: Answer, title_of: TitleOf, *, n_shown: int | None = None) -> Table:
    """Return one user's interests, most important first; at most ``n_shown`` of them."""
    table = _table("#", "Interest", "Share", "Actions", "When", "Among its items")
    table.columns[1].ratio, table.columns[5].ratio = 3, 4
    for place in (0, 3):
        table.columns[place].justify = "right"
    found = answer["interests"]
    for number, interest in enumerate(found[:n_shown], start=1):
        medoid = interest["medoid_item_id"]
        table.add_row(
            str(number),
            Text(title_of(medoid), style="bold"),
            share_text(interest["share"]),
            str(interest["n_actions"]),
            span(interest["oldest_action"], interest["newest_action"]),
            Text(_members(interest["item_ids"], medoid, title_of), style="dim"),
        )
    n_more = len(found) - len(found[:n_shown])
    if n_more:
        rest = sum(interest["share"] for interest in found[n_shown:])
        table.add_row("", Text(f"and {n_more} more", style="italic"), share_text(rest))
    return table


def share_text(share: float) -> Text:
    """Return a share of one as a bar and a percentage."""
    n_full = round(share * _N_BAR_CELLS)
    bar = "■" * n_full + "·" * (_N_BAR_CELLS - n_full)
    return Text.assemble((bar, "cyan"), f" {share:4.0%}")


def recommendations_table(answer: Answer, title_of: TitleOf) -> Table:
    """Return one user's recommendations, each beside the interest it comes from."""
    table = _table("#", "Item", "Id", "Score", "From the interest")
    table.columns[1].ratio, table.columns[4].ratio = 3, 3
    for item in answer["items"]:
        interest = item["interest"]
        table.add_row(
            str(item["rank"]),
            Text(title_of(item["item_id"])),
            Text(str(item["item_id"]), style="dim"),
            f"{item['score']:.3f}",
            Text(title_of(interest), style="cyan"),
        )
    return table


def neighbors_table(answer: Answer, title_of: TitleOf) -> Table:
    """Return the items nearest to one item."""
    table = _table("#", "Item", "Id", "Score")
    for number, item in enumerate(answer["neighbors"], start=1):
        identity = Text(str(item["item_id"]), style="dim")
        table.add_row(str(number), Text(title_of(item["item_id"])), identity, f"{item['score']:.3f}")
    return table


def explanation(answer: Answer, title_of: TitleOf) -> Table:
    """Return why an item would be recommended to a user, or why not."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in flat_facts(answer):
        table.add_row(Text(name), Text(title_of(value) if name.endswith("item id") else value))
    return table


def facts_table(facts: Answer) -> Table:
    """Return nested names and values, one line each."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in flat_facts(facts):
        table.add_row(Text(name), Text(value))
    return table


def flat_facts(facts: Answer, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield ``(name, readable value)``, nested names joined by spaces.

    Examples
    --------
    >>> list(flat_facts({"n_users": 12000, "sizes": {"store_mb": 1.5}, "reasons": {}}))
    [('n users', '12,000'), ('sizes store mb', '1.5')]
    """
    for name, value in facts.items():
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from flat_facts(value, f"{label} ")
        else:
            yield label, _readable(value)


def indented(renderable: Any) -> Padding:
    """Return ``renderable`` moved two cells to the right."""
    return Padding(renderable, (0, 0, 0, 2))


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, expand=False)
    for name in names:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    return table


def _members(item_ids: Sequence[ItemId], medoid: ItemId, title_of: TitleOf) -> str:
    others = [item for item in dict.fromkeys(item_ids) if item != medoid]
    named = ", ".join(title_of(item) for item in others[:_N_MEMBERS_SHOWN])
    n_more = len(others) - _N_MEMBERS_SHOWN
    return f"{named} and {n_more} more" if n_more > 0 else named


def _readable(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_readable(part) for part in value)
    return str(value)

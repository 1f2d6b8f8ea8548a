"""Answers as tables for people; every text from outside goes in as text, never as markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pinnersage._ids import ItemId
from pinnersage.cli.times import span

TitleOf = Callable[[ItemId], str]
Answer = Mapping[str, Any]

_N_MEMBERS_SHOWN = 4
_N_BAR_CELLS = 8
_NUMBERS = {"#", "Actions", "Score", "Cosine", "Weight now", "Contribution"}
_WIDTH_OF_ONE_LINE = 100
_UNBOUND = 10_000


class Fitted:
    """A table that is made for the width at hand.

    Parameters
    ----------
    make
        Returns the table for a width in cells.
    """

    def __init__(self, make: Callable[[int], Table]) -> None:
        self._make = make

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._make(options.max_width)


class Whole:
    """A table of which no cell is cut.

    On a narrow terminal its last columns give way, one after another; what is read later, a pipe or a
    file, gets longer lines instead. Print it with ``crop=False``.

    Parameters
    ----------
    make
        Returns the table with so many of its columns.
    n_columns, n_kept
        Of the whole table, and how many stay whatever the width.
    """

    def __init__(self, make: Callable[[int], Table], n_columns: int, n_kept: int) -> None:
        self._make, self._n_columns, self._n_kept = make, n_columns, n_kept

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unbound = options.update(max_width=_UNBOUND)
        n = self._n_columns
        while True:
            table = self._make(n)
            width = console.measure(table, options=unbound).maximum
            if width <= options.max_width or n <= self._n_kept or not console.is_terminal:
                break
            n -= 1
        yield from console.render(table, options.update(width=max(width, options.max_width)))


def interests_table(answer: Answer, title_of: TitleOf, *, n_shown: int | None = None) -> Fitted | Text:
    """Return one user's interests, most important first; at most ``n_shown`` of them."""
    if not answer["interests"]:
        return Text(f"No interests as of {answer['as_of']}, the time of the model's newest action.")
    return Fitted(lambda width: _interests_table(answer, title_of, n_shown, width))


def _interests_table(answer: Answer, title_of: TitleOf, n_shown: int | None, width: int) -> Table:
    table = stretched_table("#", "Interest", "Share", "Actions", stretch={"Interest": 3})
    if width >= _WIDTH_OF_ONE_LINE:
        table.add_column("When", no_wrap=True)
        table.add_column("Among its items", no_wrap=True, overflow="ellipsis", ratio=4)
    found = answer["interests"]
    for number, interest in enumerate(found[:n_shown], start=1):
        name, share, n_actions, *details = _interest_cells(interest, title_of, found[0]["share"])
        if width < _WIDTH_OF_ONE_LINE:
            name, details = Text("\n").join([name, Text(" · ").join(filter(None, details))]), []
        table.add_row(str(number), name, share, n_actions, *details)
    n_more = len(found) - len(found[:n_shown])
    if n_more:
        rest = sum(interest["share"] for interest in found[n_shown:])
        table.add_row("", Text(f"and {n_more} more", style="italic"), f"{'':{_N_BAR_CELLS}} {rest:4.0%}")
    return kept_whole(table)


def _interest_cells(interest: Answer, title_of: TitleOf, largest: float) -> list[Text]:
    medoid = interest["medoid_item_id"]
    return [
        Text(title_of(medoid), style="bold"),
        share_text(interest["share"], largest),
        Text(str(interest["n_actions"])),
        Text(span(interest["oldest_action"], interest["newest_action"]), style="dim"),
        Text(_members(interest["item_ids"], medoid, title_of), style="dim"),
    ]


def share_text(share: float, largest: float) -> Text:
    """Return a share of one as a bar, full at the ``largest`` share, and a percentage."""
    n_full = round(share / largest * _N_BAR_CELLS) if largest > 0 else 0
    bar = "■" * n_full + "·" * (_N_BAR_CELLS - n_full)
    return Text.assemble((bar, "cyan"), f" {share:4.0%}")


def recommendations_table(answer: Answer, title_of: TitleOf) -> Table | Text:
    """Return one user's recommendations, each beside the interest it comes from."""
    if not answer["items"]:
        return Text("Nothing to recommend: see `pinnersage interests` for what there is to go by.")
    table = stretched_table(
        "#", "Item", "Id", "Score", "From the interest", stretch={"Item": 3, "Id": 2, "From the interest": 3}
    )
    for item in answer["items"]:
        interest = item["interest"]
        table.add_row(
            str(item["rank"]),
            Text(title_of(item["item_id"])),
            Text(str(item["item_id"]), style="dim"),
            f"{item['score']:.3f}",
            Text(title_of(interest), style="cyan"),
        )
    return kept_whole(table)


def neighbors_table(answer: Answer, title_of: TitleOf) -> Table:
    """Return the items nearest to one item."""
    table = stretched_table("#", "Item", "Id", "Score", stretch={"Item": 3, "Id": 2})
    for number, item in enumerate(answer["neighbors"], start=1):
        identity = Text(str(item["item_id"]), style="dim")
        table.add_row(str(number), Text(title_of(item["item_id"])), identity, f"{item['score']:.3f}")
    return kept_whole(table)


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
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, part in enumerate(value, start=1):
                yield from flat_facts(part, f"{label} {number} ")
        else:
            yield label, _readable(value)


def indented(renderable: Any) -> Padding:
    """Return ``renderable`` moved two cells to the right."""
    return Padding(renderable, (0, 0, 0, 2))


def stretched_table(*names: str, stretch: Mapping[str, int]) -> Table:
    """Return a table in which the columns of ``stretch`` share what room there is, in these proportions.

    Ids are never cut, for they are copied into the next command; they take more lines instead.
    """
    table = Table(box=None, header_style="dim", pad_edge=False, expand=True)
    for name in names:
        is_id = name == "Id"
        table.add_column(
            name, no_wrap=not is_id, overflow="fold" if is_id else "ellipsis", ratio=stretch.get(name)
        )
        if name in _NUMBERS:
            table.columns[-1].justify = "right"
    return table


def kept_whole(table: Table) -> Table:
    """Keep the columns that do not stretch from being cut; only the others give way on a narrow terminal."""
    for column in table.columns:
        if column.ratio is None:
            column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
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

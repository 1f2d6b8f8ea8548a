"""What a page is made of: sections of texts, tables, plots and folded parts; templates say how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

LONG = 15
"""Rows of a table that fit a screen; a longer one has a height of its own, and its head stays in sight."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a table.

    Attributes
    ----------
    text
        What is read.
    small
        Below it, for example the interval.
    mark
        ``best`` of its column; ``above`` or ``below`` what it is held against.
    span
        Percent of the column's scale: low end, high end and value of a small drawn interval.
    """

    text: str
    small: str = ""
    mark: Literal["", "best", "above", "below"] = ""
    span: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; ``family`` of an arm, empty for other things."""

    head: str
    cells: Sequence[Cell]
    family: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first column holds the heads of its rows."""

    kind: ClassVar[str] = "table"
    caption: str
    head: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""

    @property
    def is_long(self) -> bool:
        """Whether it is higher than a screen."""
        return len(self.rows) > LONG


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A title within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values; ``large`` for the few that matter most."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]
    large: bool = False


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence of the verdict: its outcome, what it says, and on which arms it rests."""

    outcome: Literal["won", "lost", "open", "short", "note"]
    text: str
    basis: str


@dataclass(frozen=True, slots=True)
class Sayings:
    """Sentences of the verdict."""

    kind: ClassVar[str] = "sayings"
    sayings: Sequence[Saying]


@dataclass(frozen=True, slots=True)
class Command:
    """Something to type."""

    kind: ClassVar[str] = "command"
    text: str


@dataclass(frozen=True, slots=True)
class Legend:
    """The families that there are: key, sign and name."""

    kind: ClassVar[str] = "legend"
    families: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot and its figures as a table.

    Attributes
    ----------
    key
        Of the drawing function; also its id on the page.
    title, text
        What it is, and what to see in it.
    table
        The same figures.
    """

    kind: ClassVar[str] = "plot"
    key: str
    title: str
    text: str
    table: Table


@dataclass(frozen=True, slots=True)
class Plots:
    """Plots beside each other."""

    kind: ClassVar[str] = "plots"
    plots: Sequence[Plot]


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that show when they are asked for."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]


Block = Table | Text | Heading | Facts | Sayings | Command | Legend | Plots | Folded


def some_folded(tables: Sequence[Table]) -> list[Block]:
    """Return tables, of which all but the first are folded where they are long."""
    if not tables or not tables[0].is_long:
        return list(tables)
    return [tables[0], *(Folded(table.caption, [table]) for table in tables[1:])]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a title; ``key`` is its id."""

    key: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)

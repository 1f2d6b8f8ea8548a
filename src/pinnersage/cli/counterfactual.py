"""Recommendations for people, and what changes in them without an interest."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pinnersage._ids import ItemId
from pinnersage.cli.tables import Answer, TitleOf, recommendations_table

_N_SHOWN = 10


def recommendations_view(answer: Answer, title_of: TitleOf) -> RenderableType:
    """Return the list, and below it the items that went and came where interests were left out."""
    table = recommendations_table(answer, title_of)
    if "without" not in answer:
        return table
    left_out = ", ".join(title_of(medoid) for medoid in answer["without"])
    return Group(
        Text.assemble("Without the interest ", (left_out, "cyan")),
        table,
        _changed("gone", answer["gone"], title_of),
        _changed("new in their place", answer["come"], title_of),
    )


def _changed(word: str, item_ids: Sequence[ItemId], title_of: TitleOf) -> Text:
    shown = "; ".join(title_of(item_id) for item_id in item_ids[:_N_SHOWN])
    n_more = len(item_ids) - _N_SHOWN
    rest = f"; and {n_more} more" if n_more > 0 else ""
    n_items = f"{len(item_ids):,} item{'' if len(item_ids) == 1 else 's'}"
    return Text.assemble(f"{n_items} {word}", f": {shown}{rest}" if item_ids else "")

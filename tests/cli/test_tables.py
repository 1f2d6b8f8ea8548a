"""Tables for people: everything is there, nothing is markup, nothing overflows."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from pinnersage._ids import ItemId
from pinnersage.cli.tables import (
    flat_facts,
    interests_table,
    neighbors_table,
    recommendations_table,
    share_text,
)


def interest(medoid: str, share: float, items: list[str]) -> dict[str, Any]:
    return {
        "medoid_item_id": medoid,
        "importance": share,
        "share": share,
        "n_actions": len(items),
        "newest_action": "2017-12-24T10:00:00Z",
        "oldest_action": "2017-10-02T10:00:00Z",
        "item_ids": items,
    }


ANSWER = {
    "user_id": "u",
    "as_of": "2017-12-24T10:00:00Z",
    "interests": [
        interest("a", 0.6, ["a", "b", "b", "c", "d", "e", "f"]),
        interest("x", 0.3, ["x"]),
        interest("y", 0.1, ["y"]),
    ],
}


def title_of(item: ItemId) -> str:
    return f"Title {item}"


def drawn(renderable: Any, width: int = 140) -> str:
    terminal = Console(file=io.StringIO(), width=width)
    terminal.print(renderable)
    text: str = terminal.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_interests_show_medoid_share_span_and_members() -> None:
    text = drawn(interests_table(ANSWER, title_of))
    first = next(line for line in text.splitlines() if "Title a" in line)
    assert "60%" in first
    assert "2 Oct - 24 Dec 2017" in first
    assert "Title b, Title c, Title d, Title e and 1 more" in first


@pytest.mark.parametrize("width", [40, 60, 80, 99, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = drawn(interests_table(ANSWER, title_of), width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("Title a", "60%", "2 Oct"):
        assert word in text


def test_what_is_not_shown_is_summed_up() -> None:
    text = drawn(interests_table(ANSWER, title_of, n_shown=1))
    assert "Title x" not in text
    (rest,) = [line for line in text.splitlines() if "and 2 more" in line]
    assert f"{0.3 + 0.1:.0%}" in rest


def test_titles_are_text_not_markup() -> None:
    nasty = "[bold]x[/bold] [/nothing]"
    items = [{"rank": 1, "item_id": "i", "score": 0.5, "interest": "m"}]
    assert nasty in drawn(recommendations_table({"items": items}, lambda _item: nasty))
    assert nasty in drawn(neighbors_table({"neighbors": items}, lambda _item: nasty))


@pytest.mark.parametrize("width", [50, 80])
def test_ids_are_never_cut(width: int) -> None:
    item_id = "6fb1a9d2-0c53-4c0f-9f5e-1d2b7a3c4e5f"
    items = [{"rank": 1, "item_id": item_id, "score": 0.5, "interest": "m"}]
    for table in (
        recommendations_table({"items": items}, lambda _item: "A title"),
        neighbors_table({"neighbors": items}, lambda _item: "A title"),
    ):
        text = drawn(table, width)
        assert max(map(len, text.splitlines())) <= width
        start = text.splitlines()[0].index("Id")
        lines = [line[start:].split()[0] for line in text.splitlines()[1:] if line[start:].strip()]
        assert "".join(lines) == item_id


@pytest.mark.parametrize(("share", "n_full"), [(0.0, 0), (0.25, 4), (0.5, 8)])
def test_bars_are_relative_to_the_largest(share: float, n_full: int) -> None:
    assert share_text(share, 0.5).plain.count("■") == n_full


def test_a_user_without_importance_has_empty_bars() -> None:
    assert "■" not in share_text(0.0, 0.0).plain


def test_facts_are_flat_and_readable() -> None:
    facts = {
        "n_rows": 1234,
        "strict": True,
        "nothing": None,
        "reasons": {"bad_time": 2},
        "sources": ["a", "b"],
    }
    assert dict(flat_facts(facts)) == {
        "n rows": "1,234",
        "strict": "yes",
        "nothing": "-",
        "reasons bad time": "2",
        "sources": "a, b",
    }

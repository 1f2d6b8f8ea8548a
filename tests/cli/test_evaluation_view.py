"""What an evaluation tells people on the command line."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from pinnersage.cli.evaluation_view import _arms_left_out, _tables

ARM = "balanced-40-saturation-100"
CUT = "\N{HORIZONTAL ELLIPSIS}"


def summary() -> dict[str, Any]:
    figure = {"value": 0.265, "low": 0.209, "high": 0.321}
    row = {"arm": ARM, "oracle": False, "budget": "400", "slice": "first_time"}
    row["metrics"] = dict.fromkeys(("relevance", "recall", "ndcg", "diversity"), figure)
    return {"about": {"budgets": {"400": 400}}, "results": [row]}


def printed(width: int, *, is_terminal: bool) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=is_terminal, color_system=None)
    for table in _tables(summary()):
        console.print(table, crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_without_a_terminal_no_figure_is_cut_nor_left_out(width: int) -> None:
    text = printed(width, is_terminal=False)
    assert CUT not in text
    (line,) = (line for line in text.splitlines() if ARM in line)
    assert line.split() == [ARM, *[".265", "[.209,", ".321]"], *[".265", "[.209,", ".321]"], ".265", ".265"]


def test_a_narrow_terminal_has_fewer_columns_and_no_figure_that_is_cut() -> None:
    for width, heads in (
        (200, ["Arm", "Relevance", "Recall", "nDCG", "Diversity"]),
        (76, ["Arm", "Relevance", "Recall", "nDCG"]),
        (30, ["Arm", "Relevance", "Recall"]),
    ):
        text = printed(width, is_terminal=True)
        assert CUT not in text
        assert next(line for line in text.splitlines() if "Recall" in line).split() == heads
        assert text.count(".265 [.209, .321]") == 2


def test_arms_left_out_for_one_reason_stand_together_and_are_named_once() -> None:
    why = {"als": "not installed", "ease": "ease: too short a log", "item-item": "not installed"}
    assert _arms_left_out(why) == {"arms left out": "als, item-item (not installed); ease (too short a log)"}
    assert _arms_left_out({}) == {}

"""Sentences of the verdict, taken apart."""

from __future__ import annotations

import pytest
from tests.evaluation.page.values import values

from pinnersage.evaluation.bootstrap import Estimate
from pinnersage.evaluation.page.blocks import Folded, Sayings
from pinnersage.evaluation.page.summary import summary_of
from pinnersage.evaluation.page.verdict_section import saying_of, verdict_section
from pinnersage.evaluation.verdict import _told


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(1.1, 1.3, "won"), (0.7, 0.9, "lost"), (0.9, 1.1, "open")]
)
def test_the_outcome_is_read_from_what_the_verdict_says(low: float, high: float, outcome: str) -> None:
    told = _told(Estimate((low + high) / 2, low, high, 99), "many interests", "one vector", "recall")
    budget, saying = saying_of(f"{told} (top-20 against mean-0, first-time items, budget 5%).")
    assert (budget, saying.outcome, saying.basis) == ("5%", outcome, "top-20 against mean-0")


def test_what_is_said_in_short_is_neither_won_nor_lost() -> None:
    sentence = "In short, many interests find 2.00 times (recall of first-time items, budget 1%)."
    budget, saying = saying_of(sentence)
    assert (budget, saying.outcome) == ("1%", "short")
    assert saying.text == "Many interests find 2.00 times."


def test_what_is_said_in_short_comes_first_and_the_papers_own_choices_are_folded() -> None:
    place = "first-time items, budget 1%"
    told = [
        "Asking 3 interests is enough here.",
        "In short, many interests find 2.00 times (recall of first-time items, budget 1%).",
        f"Many interests beat one vector on recall by 1.3x [1.1, 1.4] (top-20 against mean-0.01, {place}).",
        f"Ward and k-means cannot be told apart on recall: 0.9x (sampled-3 against top-20, {place}).",
    ]
    blocks = verdict_section(summary_of(values() | {"verdict": told})).blocks
    said = [block for block in blocks if isinstance(block, Sayings)]
    assert [[saying.outcome for saying in block.sayings] for block in said] == [["short", "note"], ["won"]]
    folded = [block for block in blocks if isinstance(block, Folded)]
    assert [block.title for block in folded] == ["The paper's own choices, one against another: 1 open"]

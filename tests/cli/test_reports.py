"""Reports and explanations for people hold what their JSON holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import Run, action_table
from tests.cli.test_tables import drawn, title_of

from pinnersage.cli.explaining import explanation
from pinnersage.cli.reports import erasure_receipt


@pytest.fixture
def with_bad_actions(world: Path) -> Path:
    """Return the world with two actions on an item that is not in the catalogue."""
    good = action_table()
    bad = pa.Table.from_pylist(
        [{"user_id": "u0", "item_id": "nowhere", "timestamp": 0}] * 2, schema=good.schema
    )
    pq.write_table(pa.concat_tables([good, bad]), world / "actions.parquet")
    return world


@pytest.mark.parametrize("verb", ["validate", "build"])
def test_bad_rows_are_shown_with_file_and_row(with_bad_actions: Path, call: Run, verb: str) -> None:
    folder = with_bad_actions
    out = ("--out", folder / "model") if verb == "build" else ()
    ran = call(
        verb,
        "--items",
        folder / "items.parquet",
        "--actions",
        folder / "actions.parquet",
        *out,
        COLUMNS="300",
    )
    assert ran.code == 0
    n_good = len(action_table())
    assert "Left out of actions: 2 unknown_item" in ran.out
    (row,) = [line for line in ran.out.splitlines() if f" {n_good + 1} " in line]
    assert "actions.parquet" in row
    assert "nowhere" in row


def test_nothing_is_said_of_bad_rows_where_there_are_none(world: Path, call: Run) -> None:
    ran = call("validate", "--items", world / "items.parquet", "--actions", world / "actions.parquet")
    assert "Left out" not in ran.out


def answer(**changes: Any) -> dict[str, Any]:
    actions = [
        {
            "item_id": f"a{n}",
            "timestamp": "2017-12-24T10:00:00Z",
            "action": None,
            "weight": 1.0,
            "similarity": 0.5,
            "decayed_weight": 0.25,
            "contribution": 0.125,
        }
        for n in range(7)
    ]
    whole = {
        "user_id": "u",
        "item_id": "i",
        "rank": 4,
        "score": 0.875,
        "interest": "m",
        "rank_in_interest": 2,
        "n_offered": 9,
        "recommendable": True,
        "reasons": [],
        "seen": False,
        "available": True,
        "near_duplicate_of_seen": None,
        "near_duplicate_instead": None,
        "actions": actions,
        "interests": [{"medoid_item_id": "m", "similarity": 0.875, "share": 1.0}],
    }
    return whole | changes


def test_a_candidate_is_explained() -> None:
    text = drawn(explanation(answer(), title_of))
    assert "Title i is number 4 of the list of user u, for the interest Title m" in text
    assert "(cosine 0.88, number 2 of the 9 it may offer)" in text
    assert "2017-12-24" in text
    assert f"and {7 - 5} more" in text


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (["seen"], "acted on it already"),
        (["seen", "unavailable"], "already; it is not in the pool"),
        (["muted"], "its interest is muted"),
        (["something_new"], "something_new"),
    ],
)
def test_what_speaks_against_an_item_is_told(reasons: list[str], words: str) -> None:
    text = drawn(explanation(answer(recommendable=False, reasons=reasons), title_of))
    assert "is no candidate for user u" in text
    assert words in text


def test_a_user_without_interests_is_explained() -> None:
    nothing = answer(
        recommendable=False, reasons=["no_interests"], score=None, interest=None, actions=[], interests=[]
    )
    assert "nothing of this user is in the window" in drawn(explanation(nothing, title_of))


def test_a_candidate_beyond_the_list_or_the_share_of_its_interest_is_told_so() -> None:
    text = drawn(explanation(answer(rank=None, rank_in_interest=12), title_of))
    assert "Title i is not among the first 100 of the list of user u" in text
    assert "(cosine 0.88, where 11 are nearer)" in text
    text = drawn(explanation(answer(interest=None, score=None, rank_in_interest=None), title_of))
    assert "Title i is number 4 of the list of user u." in text


def test_a_twin_that_comes_before_is_named() -> None:
    told = answer(recommendable=False, reasons=["near_duplicate"], near_duplicate_instead="t")
    text = drawn(explanation(told, title_of))
    assert "an item that is nearly the same comes before it" in text
    assert "near-duplicate of Title t" in text


def test_what_a_ranker_adds_up_is_told_in_words() -> None:
    ranking = {
        "rank": 3, "n_candidates": 50, "sources": ["popular", "linked"], "score": 1.0, "expected": 0.25,
        "contributions": {"ever": 1.5, "own_due": -0.5},  # 1 - 0.25 - (1.5 - 0.5) = -0.25
    }  # fmt: skip
    text = drawn(explanation(answer(ranking=ranking), title_of))
    for words in ("all actions on it", "+1.50", "-0.50", "score (rank 3 of 50)",
                  "It is a candidate because it is popular and acted on by the same people"):  # fmt: skip
        assert words in text
    for words, number in (("all else of it", "-0.25"), ("what any candidate begins with", "+0.25")):
        (line,) = (line for line in text.splitlines() if words in line)
        assert number in line


def test_a_twin_the_user_knows_is_named() -> None:
    assert "near-duplicate of Title t" in drawn(explanation(answer(near_duplicate_of_seen="t"), title_of))


def test_a_receipt_lists_what_was_removed() -> None:
    counts = {"n_interests": 2, "n_seen_items": 3}
    removed = [
        {"generation": f"0000000{n}", "n_actions": 5 + n, "n_log_retractions": 4 * n - 4, **counts}
        for n in (1, 2)
    ]
    journal = {"n_entries": 4, "n_preferences": 0}
    receipt = {"user_id": "u", "erased": True, "removed": removed, "journal": journal, "compacted": True}
    text = drawn(erasure_receipt(receipt))
    assert "User u is erased." in text
    assert "00000001" in text
    assert "7 actions, 2 interests, 3 items seen before those, 4 that the log takes back" in text
    assert text.count("takes back") == 1
    assert "4 entries, 0 preferences" in text

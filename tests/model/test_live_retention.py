"""What a journal keeps of items: no more than the kept generations need, and nothing that is too large."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.model.test_live import CONFIG, START_MS, VECTORS, built, items, log, name, records, table

from pinnersage import PinnerSage
from pinnersage.errors import UsageError
from pinnersage.model.item_attributes import MAX_ATTRIBUTES_BYTES
from pinnersage.model.live import LiveModel
from pinnersage.streaming.entries import ItemEntry

TITLE = {"title": "x" * 60_000}
N_PUTS = 8


def put_often(live: LiveModel, item: str = "new") -> None:
    """Put an item again and again, with another embedding each time, and another item between."""
    for number in range(N_PUTS):
        live.put_item(item, VECTORS[number].tolist(), TITLE | {"available": number % 3 != 2})
        live.put_item(f"other {number % 3}", VECTORS[-number].tolist(), {"title": f"no {number}"})
        live.add_actions([replace(log()[200 + number], item_id=item, user_id="u1")])


def test_compacting_keeps_one_of_many_titles_and_changes_no_answer(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log()[:200])
    with LiveModel(home) as live:
        put_often(live)
        before, n_bytes = records(live), live.journal().n_bytes
        answer = live.compact()
        assert answer["n_item_entries"] == N_PUTS - 1 + N_PUTS - 3
        assert answer["n_bytes"] < n_bytes - (N_PUTS - 2) * len(TITLE["title"])
        assert live.compact()["n_item_entries"] == 0
        for again in (live, LiveModel(home)):
            assert records(again) == before
            assert again.verify().to_dict()["ok"]
            assert again.items_info(["new"]) == [{"item_id": "new", "available": True} | TITLE]
            assert again.neighbors("new", 3) == live.neighbors("new", 3)


def test_what_was_taken_out_leaves_no_title(tmp_path: Path) -> None:
    with LiveModel(built(tmp_path / "m", log()[:200])) as live:
        put_often(live)
        live.delete_item("new")
        before = records(live)
        assert live.compact()["n_bytes"] < len(TITLE["title"])
        with LiveModel(tmp_path / "m") as again:
            assert records(again) == before


def test_entries_go_once_every_kept_generation_is_newer(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log()[:200])
    with LiveModel(home) as live:
        put_often(live)
        for n_kept in (N_PUTS, 1):
            built(home, log()[:200])
            live.refresh()
            live.compact()
            puts = [entry for _, entry in live.journal().read_items(0) if entry.item_id == "new"]
            assert len(puts) == n_kept
        for generation in ("00000002", "00000003"):
            live.rollback(generation)
            assert live.verify().to_dict()["ok"]
            row = live.opened().row_of("new")
            expected = VECTORS[N_PUTS - 1] / np.linalg.norm(VECTORS[N_PUTS - 1])
            assert np.allclose(live.opened().items.embeddings[row], expected)


@pytest.mark.parametrize("retract", [False, True])
def test_what_waits_too_long_leaves_room_for_others(tmp_path: Path, retract: bool) -> None:
    action = replace(log()[200], retract=retract)
    with LiveModel(built(tmp_path / "m", log()[:200]), max_parked=3) as live:
        never = [replace(action, item_id=f"never {n}") for n in range(4)]
        assert [o.status for o in live.add_actions(never)] == ["parked"] * 3 + ["rejected"]
        assert live.compact(1)["n_parked_expired"] == 0
        assert live.add_actions([replace(action, item_id="new")])[0].status == "rejected"
        assert live.compact(-1)["n_parked_expired"] == 3  # What came in this very millisecond, too.
        assert live.add_actions([replace(log()[200], item_id="new")])[0].status == "parked"
        assert live.put_item("new", VECTORS[0].tolist())["n_applied"] == 1
        assert live.verify().to_dict()["ok"]


def test_attributes_are_bounded(tmp_path: Path) -> None:
    with LiveModel(built(tmp_path / "m", log()[:200])) as live:
        most = {"title": "x" * (MAX_ATTRIBUTES_BYTES - 2)}
        live.put_item("new", VECTORS[0].tolist(), most)
        head = live.journal().heads()
        unfit: list[tuple[Any, str]] = [
            ({"url": "u", "title": most["title"] + "x"}, "attributes: expected at most 65,536 .*'title'"),
            ({"tags": ["x" * 40_000, "y" * 40_000]}, "attributes: expected at most 65,536 .*'tags'"),
            ({"title": b"bytes"}, "attributes: expected values that JSON can hold"),
            ({"available": "no"}, "available: expected True or False, got 'no'"),
            ({"quality": "high"}, "quality: expected a finite number, got 'high'"),
            ({"quality": True}, "quality: expected a finite number"),
            ({"created_at": "yesterday"}, "created_at: expected a time like"),
            ({"created_at": True}, "created_at: expected a time"),
            ({"quality": 10**400}, "quality: expected a finite number"),
            ({"size": float("inf")}, "attributes: expected values that JSON can hold"),
            ({1: "x" * 70_000}, "attributes: expected at most 65,536 .*'1'"),
        ]
        for attributes, told in unfit:
            with pytest.raises(UsageError, match=told):
                live.put_item(name(51), VECTORS[51].tolist(), attributes)
        assert live.journal().heads() == head


def test_attributes_of_pandas_are_those_of_python(tmp_path: Path) -> None:
    with LiveModel(built(tmp_path / "m", log()[:200])) as live:
        given = {"quality": np.float32(0.5), "size": np.nan, "created_at": pd.Timestamp("1970-01-02")}
        given |= {"sold_at": pd.NaT, "color": pd.NA, "available": np.int8(0)}
        live.put_item("new", VECTORS[0].tolist(), given)
        live.put_item("newer", VECTORS[0].tolist(), {"created_at": np.datetime64("1970-01-02", "ns")})
        assert live.items_info(["newer"]) == [{"item_id": "newer", "created_at": 86_400_000}]
        (told,) = live.items_info(["new"])
        assert told == {"item_id": "new", "quality": 0.5, "created_at": 86_400_000, "available": False}
        assert "new" not in {item["item_id"] for item in live.neighbors(name(0), 50)["neighbors"]}
        assert live.put_item(np.int64(77), VECTORS[1])["item_id"] == "77"  # type: ignore[arg-type]
        assert "77" in {item["item_id"] for item in live.neighbors(name(0), 50)["neighbors"]}


def test_attributes_that_an_earlier_version_kept_unchecked_lock_nobody_out(tmp_path: Path) -> None:
    """A quality that is no number is not known; an ``available`` of 0 is no."""
    home = tmp_path / "m"
    config = CONFIG.model_copy(update={"index": CONFIG.index.model_copy(update={"min_quality": 0.5})})
    PinnerSage.build(items(), table(log()[:200]), path=home, config=config).close()
    kept: dict[str, dict[str, Any]] = {
        "odd": {"quality": "abc"},
        "out": {"available": 0},
        "low": {"quality": "0.1"},
    }
    with LiveModel(home) as live:
        for item, attributes in kept.items():
            live.journal().append([ItemEntry(item, VECTORS[0], START_MS, attributes)])
    with LiveModel(home) as live, PinnerSage.open(home) as model:
        found = {item["item_id"] for item in live.neighbors(name(0), 50)["neighbors"]}
        assert found & set(kept) == {"odd"}
        assert "odd" in model.similar(name(0), 50)["item_id"].to_pylist()

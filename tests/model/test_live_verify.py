"""A verification notices whatever the records lack of the journal, and says what is no fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from tests.model.test_live import CONFIG, DAY_MS, START_MS, VECTORS, built, items, log, table

from pinnersage import PinnerSage
from pinnersage.model import turns, upkeep
from pinnersage.model.live import LiveModel
from pinnersage.model.verification import Verification
from pinnersage.retrieval.faiss_index import build_index
from pinnersage.streaming.entries import action_entry
from pinnersage.streaming.events import NewAction

LAST_MS = log()[199].time_ms
NEW = NewAction("new", "i07", LAST_MS)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveModel]:
    with LiveModel(built(tmp_path / "m", log()[:200])) as opened:
        yield opened


def test_a_record_that_differs_in_several_ways_is_one_record() -> None:
    found = Verification()
    for user, reasons in (("u", ["labels", "weights"]), ("v", []), ("u", ["lost"]), ("w", ["labels"])):
        found.note(user, reasons)
    told = found.to_dict()
    assert told["n_differing"] == 2
    assert told["differences"] == {"labels": 2, "weights": 1, "lost": 1}
    assert [(e["user_id"], e["reason"]) for e in told["examples"]] == [
        ("u", "labels, weights"),
        ("w", "labels"),
    ]


def test_a_lost_record_is_found(live: LiveModel) -> None:
    live.add_actions([NEW, replace(NEW, item_id="unknown", user_id="waits")])
    assert live.verify().to_dict()["ok"]
    live.opened().store.delete("new")
    found = live.verify().to_dict()
    assert (found["ok"], found["n_differing"], found["examples"][0]["user_id"]) == (False, 1, "new")
    assert found["differences"] == {"no record, though the journal has actions": 1}


def test_who_took_everything_back_needs_no_record(live: LiveModel) -> None:
    live.add_actions([replace(NEW, retract=True), NEW])
    assert live.verify().to_dict()["ok"]


@pytest.mark.parametrize("event_id", [None, "e1"])
@pytest.mark.parametrize("of_build", [True, False], ids=["of the build's log", "of the journal"])
def test_a_lost_retraction_is_found(live: LiveModel, event_id: str | None, of_build: bool) -> None:
    mine = next(a for a in reversed(log()[:200]) if a.user_id == "u1")
    action = mine if of_build else replace(NEW, user_id="u1", event_id=event_id)
    live.add_actions([action])
    before = live.opened().store.get("u1")
    assert before is not None
    live.add_actions([replace(action, retract=True)])
    assert live.verify().to_dict()["ok"]
    live.opened().store.put("u1", before)
    assert live.verify().differences == {"an action taken back still counts": 1}


def test_an_action_like_another_does_not_stand_for_it(live: LiveModel) -> None:
    """The same item at the same time, but of another kind and weight."""
    live.add_actions([replace(NEW, kind="save")])
    before = live.opened().store.get("new")
    assert before is not None
    live.add_actions([replace(NEW, kind="click", weight=2.0)])
    assert live.verify().to_dict()["ok"]
    live.opened().store.put("new", before)
    assert live.verify().differences == {"a journalled action is missing": 1}


def test_who_was_erased_is_told_apart_from_a_lost_record(live: LiveModel) -> None:
    tables = (items(), table(log()[:200]))
    live.erase("u1")
    found = live.verify(*tables).to_dict()
    assert (found["ok"], found["n_differing"], found["n_users"], found["n_not_in_model"]) == (True, 0, 7, 1)
    live.add_actions([replace(NEW, user_id="u2")])
    live.opened().store.delete("u2")
    found = live.verify(*tables).to_dict()
    assert (found["ok"], found["differences"]) == (False, {"no record online": 1})


@pytest.mark.parametrize(
    "after",
    [
        [replace(NEW, user_id="u1", item_id="unknown")],
        [replace(NEW, user_id="u1", retract=True)],
        [replace(NEW, user_id="u1"), replace(NEW, user_id="u1", retract=True)],
    ],
    ids=["parked", "retraction", "taken back"],
)
def test_who_was_erased_and_did_nothing_that_counts_is_not_in_the_model(
    live: LiveModel, after: list[NewAction]
) -> None:
    live.erase("u1")
    live.add_actions(after)
    found = live.verify(items(), table(log()[:200]))
    assert (found.differences, found.n_not_in_model) == ({}, 1)
    assert live.verify().to_dict()["ok"]


def test_who_came_and_took_everything_back_is_no_difference(live: LiveModel) -> None:
    live.add_actions([NEW])
    live.add_actions([replace(NEW, retract=True)])
    assert live.opened().store.get(NEW.user_id) is not None
    found = live.verify(items(), table(log()[:200]))
    assert (found.differences, found.n_users) == ({}, 8)


def test_what_only_the_model_has_is_found(live: LiveModel) -> None:
    record = live.opened().store.get("u1")
    assert record is not None
    live.erase("u2")
    live.opened().store.put("nobody's", record)
    found = live.verify(items(), table(log()[:200]))
    assert found.differences == {"record online only": 1}
    assert found.examples == [{"user_id": "nobody's", "reason": "record online only"}]


def test_a_model_of_embeddings_beside_the_table(tmp_path: Path) -> None:
    tables = (items().select(["item_id"]), table(log()[:200]))
    home, matrix = tmp_path / "m", tmp_path / "x.npy"
    np.save(matrix, VECTORS[:50])
    PinnerSage.build(*tables, path=home, config=CONFIG, embeddings_npy=matrix).close()
    with LiveModel(home) as live:
        live.add_actions([NEW])
        found = live.verify(*tables, embeddings_npy=matrix)
        assert (found.to_dict()["ok"], found.n_users) == (True, 9)
        others = live.verify(*tables, embeddings_npy=VECTORS[50:0:-1])
        assert not others.to_dict()["ok"]


def test_of_the_batch_to_compare_with_nobody_asks_for_neighbors(live: LiveModel) -> None:
    with patch("pinnersage.model.building.build_index", wraps=build_index) as built_index:
        live.verify(items(), table(log()[:200]))
    ((_, _, _, config, *_),) = [call.args for call in built_index.call_args_list]
    assert config.exact_below > len(VECTORS) * 10**6


@pytest.mark.parametrize("user_id", ["u1", "new"])
def test_what_the_journal_let_go_belongs_into_the_log_given(live: LiveModel, user_id: str) -> None:
    action = replace(NEW, user_id=user_id, time_ms=LAST_MS + 1)
    live.add_actions([action])
    assert live.compact(-1)["n_removed"] == 1  # What came in this very millisecond, too.
    found = live.verify(items(), table(log()[:200]))
    assert {example["user_id"] for example in found.examples} == {user_id}
    assert live.verify(items(), table([*log()[:200], action])).to_dict()["ok"]


def test_what_a_killed_writer_left_is_counted_though_it_is_repaired(live: LiveModel, tmp_path: Path) -> None:
    assert live.verify().n_behind == 0
    live.journal().append([action_entry(action, 0) for action in log()[200:203]])
    with LiveModel(tmp_path / "m") as other:
        other.journal().append([action_entry(action, 0) for action in log()[203:205]])
        assert other.verify().n_behind == 5
        assert other.verify().n_behind == 0


def test_a_generation_that_only_answers_is_not_behind(live: LiveModel, tmp_path: Path) -> None:
    with LiveModel(tmp_path / "m", swaps_warm=True) as warm:
        built(tmp_path / "m", log()[:200])
        live.add_actions(log()[200:])
        assert warm.generation == "00000001"
        assert warm.verify().n_behind == 0


def test_items_are_no_actions(live: LiveModel) -> None:
    live.add_actions(log()[200:210])
    for number in (50, 51):
        live.put_item(f"i{number}", VECTORS[number].tolist())
    n_actions = live.verify().n_journal_actions
    assert n_actions == live.verify(items(), table(log()[:200])).n_journal_actions == 10


def test_an_old_action_is_looked_for_among_what_was_seen(live: LiveModel) -> None:
    live.add_actions([replace(NEW, time_ms=START_MS - 200 * DAY_MS)])
    record = live.opened().store.get("new")
    assert record is not None
    live.opened().store.put("new", replace(record, seen_rows=record.seen_rows[:0]))
    assert live.verify().differences == {"an item acted on is not known as seen": 1}


@pytest.mark.parametrize("with_tables", [True, False])
def test_others_write_while_it_runs(
    live: LiveModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_tables: bool
) -> None:
    """Every user is a turn here, and between them anything happens."""
    left = [
        lambda other: other.add_actions(log()[200:220]),
        lambda other: other.add_actions([NEW, replace(NEW, user_id="u0")]),
        lambda other: other.delete_item("i07"),
        lambda other: other.put_item("i55", VECTORS[55].tolist()),
        lambda other: other.add_actions([replace(NEW, item_id="i55", user_id="u7")]),
        lambda other: other.erase("u3"),
    ]

    def between() -> None:
        if left:
            with LiveModel(tmp_path / "m") as other:
                left.pop(0)(other)

    monkeypatch.setattr(turns, "TURN_S", 0.0)
    monkeypatch.setattr(turns, "pause", between)
    tables = (items(), table(log()[:200])) if with_tables else ()
    found = live.verify(*tables).to_dict()
    assert (found["ok"], found["differences"]) == (True, {})
    assert not left


def test_nobody_waits_for_kernels_to_be_compiled(
    live: LiveModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = list[str]()

    def rehearsed(_: object) -> None:
        with LiveModel(tmp_path / "m") as other:
            outcomes.extend(outcome.status for outcome in other.add_actions([NEW]))

    monkeypatch.setattr(upkeep, "rehearse_writes", rehearsed)
    assert live.verify().to_dict()["ok"]
    assert outcomes == ["accepted"]


def test_a_generation_that_lands_while_it_runs_is_the_one_verified(
    live: LiveModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.add_actions([NEW])
    n_users, landed = live.verify().n_users, list[Path]()

    def between() -> None:
        if not landed:
            landed.append(built(tmp_path / "m", [*log()[:200], replace(NEW, user_id="one more")]))

    monkeypatch.setattr(turns, "TURN_S", 0.0)
    monkeypatch.setattr(turns, "pause", between)
    found = live.verify()
    assert (found.to_dict()["ok"], found.n_users) == (True, n_users + 1)


def test_what_was_acknowledged_before_it_began_is_looked_for(
    live: LiveModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when others write meanwhile."""
    live.add_actions([replace(NEW, user_id="u5")])
    before = live.opened().store.get("u5")
    assert before is not None
    live.add_actions([replace(NEW, user_id="u5", item_id="i09")])
    live.opened().store.put("u5", before)
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    monkeypatch.setattr(turns, "pause", lambda: live.add_actions([replace(NEW, user_id="u1")]))
    assert live.verify().differences == {"a journalled action is missing": 1}

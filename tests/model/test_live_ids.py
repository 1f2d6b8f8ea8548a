"""User ids as they are spelled, and as integers or text in one log and the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from tests.model.test_live import CONFIG, batch, built, items, log, records, table
from tests.model.test_live_landing import WORD, build, held, meanwhile, numbered

from pinnersage import PinnerSage
from pinnersage.errors import UnavailableError, UserNotFoundError
from pinnersage.model import facade, ingesting
from pinnersage.model import live as live_module
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

LONG = "9" * 25
SPELLINGS = ["01", " 1", "1_0", "1 ", "+1", "\u0661", LONG, str(2**63), "-0"]


def as_numbers(actions: list[NewAction]) -> list[NewAction]:
    return [replace(action, user_id=int(str(action.user_id)[1:])) for action in actions]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_another_spelling_is_another_user(tmp_path: Path, spelled: str) -> None:
    home = tmp_path / "m"
    build(home, numbered(log(), pa.int64()))
    with LiveModel(home) as live:
        before = records(live)
        outcomes = live.add_actions([replace(WORD, user_id=spelled), replace(WORD, user_id="1")])
        assert [outcome.status for outcome in outcomes] == ["rejected", "accepted"]
        for ask in (live.interests, live.export, live.erase):
            with pytest.raises(UserNotFoundError):
                ask(spelled)
        assert {user for user, told in records(live).items() if user not in before} == set()
        assert live.interests("1")["user_id"] == 1


def test_a_user_with_a_long_number_can_be_erased(tmp_path: Path) -> None:
    """And a generation of integers that the model is rolled back to opens without them."""
    home = tmp_path / "m"
    build(home, numbered(log()[:100], pa.int64()))
    with LiveModel(home) as live:
        live.add_actions(as_numbers(log()[100:110]))
        build(home, table([*log()[:100], replace(WORD, user_id="x")]))
        live.add_actions([replace(WORD, user_id=LONG)])
        assert live.rollback() == "00000001"
        assert isinstance(next(iter(live.find_users())), int)
        live.erase(LONG)
        assert live.erase("x")["removed"][0]["generation"] == "00000002"
    assert held(home, LONG) == []


def test_a_table_taken_in_while_ids_become_text(tmp_path: Path) -> None:
    home = tmp_path / "m"
    build(home, numbered(log()[:100], pa.int64()))
    real = ingesting.staged_entries

    @contextmanager
    def staged(*args: Any) -> Iterator[Any]:
        with real(*args) as (report, parts):
            made = list(parts)
            build(home, numbered([*log()[:100], WORD], pa.string()))
            yield report, iter(made)

    with LiveModel(home) as live, patch.object(live_module, "staged_entries", staged):
        live.add_table(numbered(log()[100:], pa.int64()))
        assert {type(user) for user in live.find_users("", 99)} == {str}
        wanted = batch(tmp_path, [*log(), WORD])
        assert len(live.find_users("", 99)) == len(wanted)
        assert live.verify().to_dict()["ok"]


def test_integers_do_not_land_beside_text_that_came_in_meanwhile(tmp_path: Path) -> None:
    home = tmp_path / "m"
    build(home, table(log()[:100]))

    def first_actions() -> None:
        with LiveModel(home) as live:
            live.add_actions([WORD])

    with (
        pytest.raises(UnavailableError, match="build again"),
        meanwhile(facade, "write_generation", first_actions),
    ):
        build(home, numbered(log(), pa.int64()))
    build(home, numbered(log(), pa.int64()))
    with LiveModel(home) as live:
        assert live.generation == "00000002"
        assert sum(i["n_actions"] for i in live.interests("word")["interests"]) == 1


def test_integers_after_a_rollback_keep_the_users_of_the_text(tmp_path: Path) -> None:
    home = tmp_path / "m"
    build(home, numbered(log()[:100], pa.int64()))
    build(home, table(log()[:100]))
    with LiveModel(home) as live:
        live.add_actions([WORD])
        live.rollback()
        build(home, numbered(log(), pa.int64()))
        assert sum(i["n_actions"] for i in live.interests("word")["interests"]) == 1
        live.erase("word")
    assert held(home, '"word"') == []


def test_kinds_with_a_zero_byte_stay_what_they_are(tmp_path: Path) -> None:
    """Such kinds come in tables; single actions with them are rejected."""
    odd = [replace(action, kind=f"a\x00{n % 3}") for n, action in enumerate(log())]
    home = built(tmp_path / "m", odd[:200])
    with LiveModel(home) as live:
        assert live.add_table(table(odd[150:]))[1]["accepted"] == 100
        assert live.add_table(table(odd[150:]))[1]["duplicate"] == 150
        assert records(live) == batch(tmp_path, odd)


def test_kinds_that_were_parked_never_stop_a_build(tmp_path: Path) -> None:
    home = built(tmp_path / "m", [a for a in log() if a.item_id < "i40"], range(40))  # type: ignore[operator]
    with LiveModel(home) as live:
        parked = [
            replace(WORD, item_id="i45", kind=f"kind {n}", time_ms=WORD.time_ms - n) for n in range(400)
        ]
        statuses = {outcome.status for outcome in live.add_actions(parked[:200])}
        assert statuses | {outcome.status for outcome in live.add_actions(parked[200:])} == {"parked"}
        build(home, table(log()))
        assert sum(i["n_actions"] for i in live.interests("word")["interests"]) == len(parked)
        assert live.add_actions([replace(WORD, item_id="i01", user_id="u1")])[0].status == "accepted"


def test_an_open_model_reads_items_that_others_put(tmp_path: Path) -> None:
    home = built(tmp_path / "m", log())
    with LiveModel(home) as live, PinnerSage.open(home) as model:
        assert model.interests("u1").num_rows
        live.put_item("novel", [1.0] * 10)
        live.add_actions([replace(WORD, item_id="novel", user_id="u1")])
        assert "novel" in str(model.interests_dict("u1"))
        model.update(table([replace(WORD, user_id="u2")]))
        assert model.interests("u2").num_rows


def test_recent_knows_repeats(tmp_path: Path) -> None:
    online = CONFIG.online.model_copy(update={"online": "recent"})
    config = CONFIG.model_copy(update={"online": online})
    home = tmp_path / "m"
    with_id = replace(WORD, event_id="e1")
    PinnerSage.build(items(), table(log()), path=home, config=config).close()
    with LiveModel(home) as live:
        for action in (WORD, with_id):
            user = f"new {action.event_id}"
            mine = replace(action, user_id=user)
            assert [o.status for o in live.add_actions([mine, mine])] == ["accepted", "duplicate"]
            assert live.add_actions([mine])[0].status == "duplicate"
            told = live.interests(user)["interests"]
            build(home, log(), config)
            assert live.add_actions([mine])[0].status == "duplicate"
            assert live.interests(user)["interests"] == told
            with PinnerSage.open(home) as model:
                assert model.interests(user).num_rows == 1


def test_an_item_put_has_its_id_as_the_catalogue_has_it(tmp_path: Path) -> None:
    numbers = items().set_column(0, "item_id", pa.array(range(len(items()))))
    actions = pa.table({"user_id": ["u"], "item_id": [0], "timestamp": [1_700_000_000_000]})
    PinnerSage.build(numbers, actions, path=tmp_path / "m", time_unit="ms").close()
    with LiveModel(tmp_path / "m") as live:
        embedding = live.opened().items.embeddings[0]
        for given in ("7000", 7000):
            assert live.put_item(given, embedding)["item_id"] == 7000
        assert live.delete_item("7000")["item_id"] == 7000

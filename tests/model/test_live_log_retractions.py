"""What the log of a build takes back stays so when it comes again, as in a batch over log and journal."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.model.test_journal_table import (
    BUILD,
    CATALOGUE,
    FIRST,
    build,
    built_of,
    counted,
    items,
    sources,
    steps,
    table,
    told_of,
)
from tests.model.test_live_landing import held, meanwhile
from tests.model.test_live_machine import CONFIG, actions, batch
from tests.streaming.worlds import item_id

from pinnersage import PinnerSage
from pinnersage.config import OnlineConfig
from pinnersage.errors import UserNotFoundError
from pinnersage.model import facade
from pinnersage.model.live import LiveModel
from pinnersage.model.taken_back import TAKEN_BACK
from pinnersage.store.generations import Staging
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.log_retractions import LogRetractions

BACK = replace(FIRST, item_id=item_id(1), event_id="back", time_ms=FIRST.time_ms + 1)
BARE = replace(FIRST, item_id=item_id(2), kind="save", weight=0.5, time_ms=FIRST.time_ms + 2)
TAKEN = [replace(action, retract=True) for action in (BACK, BARE)]
LOG = [FIRST, BARE, *TAKEN]
SECRET = "only-taken-back-here"
ONCE = replace(FIRST, user_id=SECRET, event_id="once")

logged = st.lists(st.builds(lambda a, back: replace(a, retract=back), actions, st.booleans()), max_size=10)


def usable(log: Sequence[NewAction]) -> list[NewAction]:
    """Return a log of which at least one action counts."""
    return [FIRST, *(a for a in log if a.user_id != FIRST.user_id)]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), logged, logged, steps, steps)
def test_records_are_those_of_a_batch_over_log_and_journal(
    data: st.DataObject,
    first: list[NewAction],
    second: list[NewAction],
    before: list[list[tuple[NewAction, bool]]],
    after: list[list[tuple[NewAction, bool]]],
) -> None:
    """Through two builds, a compaction and a restart; what the logs take back is sent again and again."""
    with tempfile.TemporaryDirectory(prefix="log-retractions-") as scratch:
        home, come = Path(scratch), list[NewAction]()
        for log, batches in ((usable(first), before), (usable(second), after)):
            build(home / "model", table(log))
            known = [replace(a, retract=False) for a in [*log, *come]]
            with LiveModel(home / "model", durability="process") as live:
                for step in batches:
                    events = [data.draw(st.sampled_from(known)) if again else e for e, again in step]
                    events = [e for e in events if e.user_id != FIRST.user_id]
                    live.add_actions(events)
                    come += events
                live.compact()
            with LiveModel(home / "model", durability="process") as live:
                assert live.verify().to_dict()["ok"]
                compared = live.verify(items(), table(log)).to_dict()
                assert compared["ok"], compared
                online, now_ms = told_of(live.opened()), live.opened().now_ms
                both = sources(home, live, table(log), "")
            with built_of(both, home / f"elsewhere-{len(list(home.iterdir()))}") as opened:
                elsewhere = told_of(opened)
                assert opened.now_ms == now_ms
            assert elsewhere == batch(CATALOGUE, counted([*log, *come]), now_ms, CONFIG)
            assert {u: {**r, "seen": {*r["seen"]}} for u, r in online.items()} == {
                u: {**r, "seen": {*r["seen"]}} for u, r in elsewhere.items()
            }


def land(home: Path, log: Sequence[NewAction] = LOG, mode: str = "exact") -> Path:
    config = BUILD.model_copy(update={"online": OnlineConfig(online=mode)})  # type: ignore[arg-type]
    PinnerSage.build(items(), table(log), path=home, config=config).close()
    return home


@contextmanager
def opened(home: Path, log: Sequence[NewAction] = LOG, mode: str = "exact") -> Iterator[LiveModel]:
    with LiveModel(land(home, log, mode)) as live:
        yield live


def n_actions(live: LiveModel, user: str = "zoe") -> float:
    return float(sum(interest["n_actions"] for interest in live.interests(user)["interests"]))


def reasons(live: LiveModel, events: Sequence[NewAction]) -> list[Any]:
    return [(o.status, str(o.reason).partition(":")[0]) for o in live.add_actions(events)]


@pytest.mark.parametrize("mode", ["exact", "recent"])
def test_what_a_log_took_back_does_not_count_when_it_comes(tmp_path: Path, mode: str) -> None:
    """One by one, as a table, after a compaction, in another process, and after the next build."""
    back = [("accepted", "taken_back")] * 2
    with opened(tmp_path / "m", mode=mode) as live:
        assert n_actions(live) == 1
        assert reasons(live, [BACK, BARE]) == back
        assert n_actions(live) == 1
        live.compact(keep_days=-1)  # What came in this very millisecond, too.
        assert reasons(live, [BACK, BARE]) == back
        assert live.add_table(table([BACK, BARE]))[1]["rejected"] == 0
        with LiveModel(tmp_path / "m") as other:
            assert reasons(other, [BACK, BARE]) == back
            land(tmp_path / "m", mode=mode)
            assert reasons(other, [BACK, BARE]) == back
            assert n_actions(other) == n_actions(live) == 1
        others = [replace(BARE, weight=1.0), replace(BACK, event_id="other"), replace(BACK, user_id="ann")]
        assert reasons(live, others) == [("accepted", "None")] * 3
        assert (n_actions(live), n_actions(live, "ann")) == (3, 1)
    with PinnerSage.open(tmp_path / "m") as model:
        assert sum(i["n_actions"] for i in model.interests_dict("zoe")["interests"]) == 3
        model.save(tmp_path / "saved")
    with LiveModel(tmp_path / "saved") as saved:
        assert reasons(saved, [replace(BACK, weight=0.25)]) == back[:1]
        assert n_actions(saved) == 3


def test_what_a_log_takes_back_may_be_taken_back_again(tmp_path: Path) -> None:
    """It is a repeat. The journal has it then: the log of the next build may not."""
    with opened(tmp_path / "m") as live:
        for n_journalled in (2, 2):
            assert [status for status, _ in reasons(live, TAKEN)] == ["duplicate"] * 2
            assert live.journal().heads().all == n_journalled
        land(tmp_path / "m", [FIRST, BARE])
        assert [reason for _, reason in reasons(live, [BACK, BARE])] == ["taken_back"] * 2
        assert n_actions(live) == 1
        assert live.verify(items(), table([FIRST, BARE])).to_dict()["ok"]


def test_what_waits_for_its_item_is_taken_back_when_that_comes(tmp_path: Path) -> None:
    late = replace(BACK, item_id="new")
    with opened(tmp_path / "m", [FIRST, replace(late, retract=True)]) as live:
        assert reasons(live, [late])[0] == ("parked", "unknown_item")
        live.put_item("new", items()["embedding"][0].as_py())
        assert n_actions(live) == 1
        assert live.verify().to_dict()["ok"]


def test_room_that_an_item_leaves_is_not_filled_with_what_the_log_takes_back(tmp_path: Path) -> None:
    capped = BUILD.model_copy(update={"interests": CONFIG.model_copy(update={"max_actions": 2})})
    newer = [replace(FIRST, item_id=item_id(n), time_ms=FIRST.time_ms + 10 + n) for n in (3, 4)]
    PinnerSage.build(items(), table([*newer, *TAKEN]), path=tmp_path / "m", config=capped).close()
    with LiveModel(tmp_path / "m") as live:
        live.add_actions([FIRST, BACK, BARE])  # All older than what counts.
        live.delete_item(item_id(4))
        assert told_of(live.opened())["zoe"]["items"] == [FIRST.item_id, item_id(3)]
        live.delete_item(item_id(3))
        assert told_of(live.opened())["zoe"]["items"] == [FIRST.item_id]
        assert live.verify().to_dict()["ok"]


def test_what_comes_while_a_build_runs_is_taken_back_by_its_log(tmp_path: Path) -> None:
    with opened(tmp_path / "m", [FIRST]) as live:
        with meanwhile(facade, "write_generation", lambda: live.add_actions([BACK])):
            land(tmp_path / "m")
        live.refresh()
        assert n_actions(live) == 1
        assert live.verify(items(), table(LOG)).to_dict()["ok"]


def test_a_log_speaks_for_its_own_generation_only(tmp_path: Path) -> None:
    """A build that never lands takes back nothing, a rollback brings back what a wrong log took back."""
    with opened(tmp_path / "m", [FIRST, BARE]) as live:
        with (
            patch.object(Staging, "publish", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            land(tmp_path / "m")
        live.refresh()
        assert reasons(live, [BACK]) == [("accepted", "None")]
        assert n_actions(live) == 3
        land(tmp_path / "m")
        live.refresh()
        assert n_actions(live) == 1
        for name, n in (("00000001", 3), ("00000002", 1)):
            live.rollback(name)
            assert n_actions(live) == n
            assert live.verify().to_dict()["ok"]


def test_an_export_shows_what_the_log_takes_back(tmp_path: Path) -> None:
    with opened(tmp_path / "m", [*LOG, replace(ONCE, retract=True)]) as live:
        found = live.export("zoe")["taken_back_in_log"]
        assert [(one["item_id"], one["action"], one["weight"]) for one in found] == [
            (a.item_id, a.kind or None, a.weight) for a in TAKEN
        ]
        assert [bool(one["event_key"]) for one in found] == [True, False]
        alone = live.export(SECRET)
        assert (len(alone["taken_back_in_log"]), alone["actions"], alone["journal"]) == (1, [], [])


@pytest.mark.parametrize("killed", [None, "forget", "compact"])
def test_erasing_reaches_what_the_log_takes_back(tmp_path: Path, killed: str | None) -> None:
    home = tmp_path / "m"
    log = [*LOG, replace(ONCE, retract=True)]
    with opened(home, log) as live:
        land(home, log)
        live.refresh()
        if killed:
            with (
                patch.object(LogRetractions, killed, side_effect=KeyboardInterrupt),
                pytest.raises(KeyboardInterrupt),
            ):
                live.erase(SECRET)
            assert held(home, SECRET)
            LiveModel(home).close()
        else:
            removed = live.erase(SECRET)["removed"]
            assert [one["n_log_retractions"] for one in removed] == [1, 1]
        assert held(home, SECRET) == []
        with pytest.raises(UserNotFoundError):
            live.erase(SECRET)
        assert reasons(live, [ONCE]) == [("accepted", "None")]
        assert n_actions(live, SECRET) == 1
        assert reasons(live, [BACK]) == [("accepted", "taken_back")]


def test_who_acts_again_before_the_end_of_an_erasure_has_taken_back_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "m", [*LOG, replace(ONCE, retract=True)]) as live:
        with (
            patch.object(LogRetractions, "forget", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            live.erase(SECRET)
        assert reasons(live, [ONCE]) == [("accepted", "None")]
        live.refresh()
        assert n_actions(live, SECRET) == 1
        assert live.export(SECRET)["taken_back_in_log"] == []


def test_an_erasure_reaches_what_a_running_build_takes_back(tmp_path: Path) -> None:
    home = tmp_path / "m"
    with opened(home, [FIRST, ONCE]) as live:

        def erase() -> None:
            live.erase(SECRET)

        def erase_and_come_back() -> None:
            live.erase(SECRET)
            live.add_actions([ONCE])

        for happens, n in ((erase_and_come_back, 1), (erase, 0)):
            with meanwhile(facade, "write_generation", happens):
                land(home, [*LOG, replace(ONCE, retract=True)])
            live.refresh()
            if n:
                assert n_actions(live, SECRET) == n
                assert live.export(SECRET)["taken_back_in_log"] == []
        with pytest.raises(UserNotFoundError):
            live.interests(SECRET)
    assert held(home, SECRET) == []


def test_a_log_without_such_rows_leaves_no_file_and_a_lost_one_is_noticed(tmp_path: Path) -> None:
    with opened(tmp_path / "m", [FIRST]) as live:
        assert not list((tmp_path / "m").rglob(TAKEN_BACK))
        land(tmp_path / "m")
        live.refresh()
        live.check_ready()
        for path in (tmp_path / "m").rglob(f"{TAKEN_BACK}/*"):
            path.unlink()
        with pytest.raises(Exception, match=TAKEN_BACK):
            live.check_ready()

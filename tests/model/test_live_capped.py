"""At the most actions that count: when newer ones go, older ones count again, as in a fresh batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.model.test_live import CONFIG, DAY_MS, VECTORS, items, log, name, records, table

from pinnersage import PinnerSage
from pinnersage.interests.extend import nothing_new
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction
from pinnersage.streaming.extending import extended, without

CAP = 6
CAPPED = CONFIG.model_copy(
    update={
        "interests": CONFIG.interests.model_copy(update={"max_actions": CAP}),
        "imports": CONFIG.imports.model_copy(update={"max_bad_share": 1.0}),
    }
)
LOG = log()[:200]
LAST_MS = LOG[-1].time_ms
MINE = [NewAction("mine", name(i), LAST_MS - i * DAY_MS, "", 1.0, f"e{i}") for i in range(10)]
OLD_USER = "u1"


def built(path: Path, actions: list[NewAction], numbers: list[int] | None = None) -> Path:
    rows = table(actions).append_column("event_id", pa.array([a.event_id for a in actions], pa.string()))
    PinnerSage.build(items(numbers or range(50)), rows, path=path, config=CAPPED).close()
    return path


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveModel]:
    with LiveModel(built(tmp_path / "m", LOG)) as opened:
        opened.add_actions(MINE)
        yield opened


def batch(tmp_path: Path, actions: list[NewAction], *without: int) -> object:
    """Return the record of the user "mine" in a batch without some items."""
    numbers = [n for n in range(50) if n not in without]
    with LiveModel(built(tmp_path / f"batch-{len(list(tmp_path.iterdir()))}", actions, numbers)) as whole:
        return records(whole)["mine"]


def mine(live: LiveModel, *gone: int) -> object:
    """Return the same of a live model; that items taken out were seen is no matter."""
    found = records(live)["mine"]
    return (*found[:-1], [item for item in found[-1] if item not in map(name, gone)])


def test_what_an_item_taken_out_leaves_room_for_counts_again(live: LiveModel, tmp_path: Path) -> None:
    live.delete_item(name(2))
    assert mine(live, 2) == batch(tmp_path, [*LOG, *MINE], 2)
    live.delete_item(name(0))
    assert mine(live, 0, 2) == batch(tmp_path, [*LOG, *MINE], 0, 2)
    assert live.verify(items(), table(LOG)).to_dict()["ok"]
    assert live.verify().to_dict()["ok"]


def test_it_goes_on_counting_with_the_next_action(live: LiveModel, tmp_path: Path) -> None:
    live.delete_item(name(2))
    live.delete_item(name(3))
    later = replace(MINE[0], item_id=name(30), event_id="later")
    live.add_actions([later])
    assert mine(live, 2, 3) == batch(tmp_path, [*LOG, *MINE, later], 2, 3)
    live.add_actions([replace(later, retract=True)])
    assert mine(live, 2, 3)[1] == batch(tmp_path, [*LOG, *MINE], 2, 3)[1]  # type: ignore[index]


def test_an_item_put_back_takes_its_place_again(live: LiveModel, tmp_path: Path) -> None:
    """Its action was beyond the cap when it was taken out; what took its place is older."""
    live.delete_item(name(7))
    for number in (2, 3):
        live.delete_item(name(number))
    more = replace(MINE[9], item_id=name(31), event_id="more", time_ms=LAST_MS - 20 * DAY_MS)
    live.add_actions([more])
    live.put_item(name(7), VECTORS[7].tolist())
    assert mine(live, 2, 3) == batch(tmp_path, [*LOG, *MINE, more], 2, 3)
    for number in (2, 3):
        live.put_item(name(number), VECTORS[number].tolist())
    assert mine(live) == batch(tmp_path, [*LOG, *MINE, more])


def test_another_process_reads_the_same(live: LiveModel, tmp_path: Path) -> None:
    live.delete_item(name(2))
    with LiveModel(tmp_path / "m") as other:
        assert records(other) == records(live)
    with PinnerSage.open(tmp_path / "m") as model:
        told = live.interests("mine")["interests"]
        assert model.interests("mine")["n_actions"].to_pylist() == [one["n_actions"] for one in told]


def test_what_only_the_log_has_waits_for_the_next_build_and_is_told(live: LiveModel) -> None:
    newest = live.export(OLD_USER)["actions"][-1]["item_id"]
    tables = (items(), table(LOG))
    assert live.verify(*tables).to_dict()["n_waiting_for_build"] == 0
    live.delete_item(newest)
    n_short = sum(len(live.opened().record(user).item_rows) < CAP for user in live.opened().store.user_ids())
    found = live.verify(*tables).to_dict()
    assert (found["ok"], found["n_waiting_for_build"], found["differences"]) == (True, n_short, {})
    assert n_short > 0


def test_what_the_log_alone_had_beyond_new_actions_is_told_too(live: LiveModel) -> None:
    """New actions push it out of the record; then they go."""
    new = [NewAction(OLD_USER, name(40), LAST_MS, "", 1.0, f"n{i}") for i in range(2)]
    live.add_actions(new)
    live.add_actions([replace(action, retract=True) for action in new])
    found = live.verify(items(), table(LOG)).to_dict()
    assert (found["ok"], found["n_waiting_for_build"]) == (True, 1)


def test_what_is_out_or_taken_back_need_not_be_known_as_seen(live: LiveModel) -> None:
    """And who acted on nothing else needs no record."""
    live.add_actions([NewAction("other", name(45), LAST_MS, "", 1.0, "x")])
    live.add_actions([NewAction(OLD_USER, name(n), LAST_MS - n, "", 1.0, f"y{n}") for n in range(40, 49)])
    live.add_actions([NewAction(OLD_USER, name(48), LAST_MS - 48, "", 1.0, "y48", retract=True)])
    live.delete_item(name(45))
    live.delete_item(name(47))
    found = live.verify(items(), table(LOG)).to_dict()
    assert (found["ok"], found["differences"]) == (True, {})


@pytest.mark.parametrize("n_lost", [1, 2])
def test_a_lost_action_of_the_log_is_no_waiting_one(live: LiveModel, n_lost: int) -> None:
    live.delete_item(live.export(OLD_USER)["actions"][0]["item_id"])
    assert live.verify(items(), table(LOG)).to_dict()["ok"]
    lose(live, OLD_USER, list(range(CAP - n_lost, CAP)))
    assert not live.verify(items(), table(LOG)).to_dict()["ok"]


def test_a_lost_action_is_found_at_the_cap(live: LiveModel) -> None:
    """Also when another, which nobody did, is in its place."""
    assert live.verify().to_dict()["ok"]
    lose(live, "mine", [CAP - 1], bogus=True)
    assert live.verify().differences == {"a journalled action is missing": 1}


def lose(live: LiveModel, user: str, lost: list[int], *, bogus: bool = False) -> None:
    """Take actions out of a record, and let it be what a batch builds of the others."""
    opened = live.opened()
    record = opened.store.get(user)
    assert record is not None
    left = without(record, np.isin(np.arange(record.n_actions), lost))
    if bogus:
        columns = ("item_rows", "times_ms", "weights", "kinds", "event_keys", "labels")
        twice = {c: np.concatenate((getattr(left, c)[:1], getattr(left, c))) for c in columns}
        twice["times_ms"][0] -= 1_000
        twice["event_keys"][0] = 1
        left = replace(left, **twice)  # type: ignore[arg-type]
    config = opened.config.interests
    built = extended([left], nothing_new(0), opened.items, opened.kinds, config, record.as_of_ms)
    opened.store.put(user, built[0])


def test_a_correction_of_the_oldest_action_that_counts_is_no_repeat(live: LiveModel, tmp_path: Path) -> None:
    """The journal knows its event id, and still must take it: of the two the later in order counts."""
    oldest = MINE[CAP - 1]
    corrected = replace(oldest, kind="save")
    assert [outcome.status for outcome in live.add_actions([corrected])] == ["duplicate"]
    assert mine(live) == batch(tmp_path, [*LOG, *MINE, corrected])
    head = live.journal().heads().all
    assert [outcome.status for outcome in live.add_actions([corrected, oldest])] == ["duplicate"] * 2
    assert live.journal().heads().all == head
    assert live.verify().to_dict()["ok"]

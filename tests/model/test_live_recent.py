"""Mode ``recent`` on real files: what a build kept of an interest is left alone, and answers are true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.model.test_live import CONFIG, DAY_MS, VECTORS, items, log, table

from pinnersage import PinnerSage
from pinnersage.config import OnlineConfig
from pinnersage.errors import UserNotFoundError
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

RECENT = CONFIG.model_copy(update={"online": OnlineConfig(online="recent", n_recent=5)})
NOW_MS = log()[-1].time_ms
FAR = NewAction("u1", "i01", NOW_MS + 85 * DAY_MS)


def land(home: Path) -> None:
    PinnerSage.build(items(), table(log()), path=home, config=RECENT).close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveModel]:
    land(tmp_path / "m")
    with LiveModel(tmp_path / "m") as opened:
        yield opened


def interests(live: LiveModel, user: str = "u1") -> dict[Any, float]:
    return {i["medoid_item_id"]: i["importance"] for i in live.interests(user)["interests"]}


def seen(live: LiveModel, user: str = "u1") -> set[Any]:
    opened = live.opened()
    record = opened.record(user)
    return set(opened.items.vocabulary.ids_of(np.union1d(record.item_rows, record.seen_rows)))


@pytest.mark.parametrize("position", [0, -1])
def test_an_interest_whose_medoid_is_taken_out_goes_and_no_other_changes(
    live: LiveModel, position: int
) -> None:
    before, seen_before = interests(live), seen(live)
    gone = list(before)[position]
    live.delete_item(gone)
    assert interests(live) == {medoid: value for medoid, value in before.items() if medoid != gone}
    assert seen(live) == seen_before
    live.put_item(gone, VECTORS[int(str(gone)[1:])].tolist())
    assert interests(live) == before


def test_an_interest_stays_when_its_medoid_gets_another_embedding(live: LiveModel) -> None:
    before = interests(live)
    live.put_item(next(iter(before)), VECTORS[55].tolist())
    assert interests(live) == before


def test_an_interest_leaves_with_its_newest_action_and_no_other_changes(live: LiveModel) -> None:
    record = live.opened().record("u1")
    ids = live.opened().items.vocabulary.ids_of(record.item_rows)
    newest = dict(zip(ids, record.times_ms.tolist(), strict=True))
    before, seen_before = interests(live), seen(live)
    live.put_item("far away", (100 * VECTORS[55]).tolist())
    live.add_actions([replace(FAR, item_id="far away")])
    oldest_ms = FAR.time_ms - CONFIG.interests.window_ms
    decay = np.exp(-CONFIG.interests.decay_per_day * (FAR.time_ms - record.as_of_ms) / DAY_MS)
    stay = {medoid: value * decay for medoid, value in before.items() if newest[medoid] > oldest_ms}
    found = interests(live)
    assert 0 < len(stay) < len(before)
    assert found.pop("far away") == 1.0
    assert found == pytest.approx(stay)
    assert seen(live) == seen_before | {"far away"}


def test_what_was_seen_stays_so_when_every_interest_has_left(live: LiveModel) -> None:
    seen_before = seen(live)
    live.add_actions([replace(FAR, time_ms=FAR.time_ms + 90 * DAY_MS)])
    assert list(interests(live)) == ["i01"]
    assert seen(live) == seen_before | {"i01"}


def test_an_answer_says_when_taking_back_counts_only_from_the_next_build(
    live: LiveModel, tmp_path: Path
) -> None:
    """Nothing of what the build knew can be taken out of an interest; what came since can."""
    old = next(a for a in reversed(log()) if a.user_id == "u1")
    mine = [replace(FAR, time_ms=NOW_MS + n) for n in (1, 2)]
    before = interests(live)
    found = live.add_actions([replace(old, retract=True), mine[0], replace(mine[0], retract=True), mine[1]])
    assert [outcome.status for outcome in found] == ["accepted"] * 4
    assert [str(outcome.reason).partition(":")[0] for outcome in found] == [
        "counts_from_next_build", "taken_back", "None", "None",
    ]  # fmt: skip
    assert live.add_actions([replace(mine[1], retract=True)])[0].reason is None
    assert interests(live) == pytest.approx(before)
    land(tmp_path / "m")
    assert sum(interests(live).values()) < sum(before.values())
    assert live.add_actions([replace(mine[1], retract=True)])[0].status == "duplicate"


def test_an_action_that_waited_through_a_build_counts_from_the_next(live: LiveModel, tmp_path: Path) -> None:
    waits = [replace(FAR, user_id="new", item_id="novel", time_ms=NOW_MS + n) for n in (1, 2)]
    live.add_actions(waits[:1])
    land(tmp_path / "m")
    live.add_actions(waits[1:])
    assert live.put_item("novel", VECTORS[55].tolist())["n_applied"] == 1
    assert [i["n_actions"] for i in live.interests("new")["interests"]] == [1]
    assert live.status()["journal"]["n_parked"] == 1
    land(tmp_path / "m")
    assert interests(live, "new").keys() == {"novel"}
    assert live.status()["journal"]["n_parked"] == 0
    with pytest.raises(UserNotFoundError):
        live.interests("nobody")


@pytest.mark.parametrize("forgotten", [False, True])
def test_what_was_taken_back_before_a_build_does_not_count_after_it(
    live: LiveModel, tmp_path: Path, forgotten: bool
) -> None:
    mine = replace(FAR, time_ms=NOW_MS + 1, event_id="mine")
    live.add_actions([mine])
    live.add_actions([replace(mine, retract=True)])
    land(tmp_path / "m")
    before = interests(live)
    if forgotten:
        live.compact(keep_days=0)
    assert [str(o.reason).partition(":")[0] for o in live.add_actions([mine])] == ["taken_back"]
    assert interests(live) == pytest.approx(before)

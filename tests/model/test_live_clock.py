"""A clock that is wrong: what arrives is taken all the same, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.model.test_live import built, log

from pinnersage.config import MS_PER_DAY
from pinnersage.model.clock import MAX_SET_BACK_MS
from pinnersage.model.live import LiveModel
from pinnersage.streaming.events import NewAction

MS_PER_HOUR = MS_PER_DAY // 24
SetClock = Callable[[int], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set the clock so many milliseconds off."""
    real = time.time_ns

    def off_by(ms: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: real() + ms * 1_000_000)

    return off_by


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveModel]:
    with LiveModel(built(tmp_path / "m", log()[:200])) as model:
        yield model


def now(event_id: str, user_id: str = "u0") -> NewAction:
    """Return an action of this moment by a right clock."""
    return NewAction(user_id, "i05", RIGHT_NS() // 1_000_000, event_id=event_id)


RIGHT_NS = time.time_ns


def statuses(live: LiveModel, *actions: NewAction) -> list[str]:
    return [outcome.status for outcome in live.add_actions(actions)]


def test_a_clock_set_back_refuses_nothing_of_now(live: LiveModel, set_clock: SetClock) -> None:
    assert statuses(live, now("a")) == ["accepted"]
    set_clock(-MAX_SET_BACK_MS + MS_PER_HOUR)
    again = now("b")
    assert statuses(live, again) == ["accepted"]
    live.put_item("novel", [1.0] * 10)
    assert statuses(live, again, now("c")) == ["duplicate", "accepted"]
    live.erase("u0")  # the newest action goes with its user
    assert statuses(live, now("d", "u1")) == ["accepted"]
    times = [entry.received_ms for _, entry in live.journal().read(0)]
    assert times == sorted(times)


def test_what_is_ahead_of_every_clock_is_refused(live: LiveModel, set_clock: SetClock) -> None:
    assert statuses(live, now("a")) == ["accepted"]
    set_clock(-MS_PER_HOUR)
    ahead = replace(now("b"), time_ms=now("b").time_ms + MS_PER_HOUR)
    assert statuses(live, ahead) == ["rejected"]


def test_a_clock_that_was_far_ahead_once_is_not_believed_for_good(
    live: LiveModel, set_clock: SetClock
) -> None:
    set_clock(30 * MS_PER_DAY)
    assert statuses(live, now("a")) == ["accepted"]
    set_clock(0)
    ahead = replace(now("b"), time_ms=now("b").time_ms + MS_PER_DAY)
    assert statuses(live, ahead, now("c")) == ["rejected", "accepted"]
    _, newest = live.journal().read(live.journal().heads().all - 1)[-1]
    assert newest.received_ms <= RIGHT_NS() // 1_000_000

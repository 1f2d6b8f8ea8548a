"""Bodies with actions: the quick way and the slow way read the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnersage.serving.intake import read_actions
from pinnersage.serving.problems import RequestError
from pinnersage.serving.settings import ServiceSettings
from pinnersage.streaming.events import NewAction

FIRST_MS = 10 * 365 * 86_400_000 + 2 * 86_400_000  # 1980, two leap years after 1970
BOUNDS = ServiceSettings(max_actions=50, max_id_bytes=40)
IDS = st.one_of(st.text(min_size=1, max_size=8), st.integers(-(2**63), 2**63 - 1))
ACTIONS = st.fixed_dictionaries(
    {"user_id": IDS, "item_id": IDS, "timestamp": st.integers(FIRST_MS, 253_402_300_799_999)},
    optional={
        "action": st.text(max_size=5),
        "weight": st.floats(0, 1e30),
        "event_id": IDS,
        "retract": st.booleans(),
    },
)

BAD: list[Any] = [
    {}, 3, None, [], {"user_id": 1}, {"user_id": True, "item_id": 1, "timestamp": FIRST_MS},
    {"user_id": 1, "item_id": 1, "timestamp": FIRST_MS, "evnt_id": "x"},
]  # fmt: skip


def expected(given: dict[str, Any]) -> NewAction:
    """Return the action by the plainest reading."""
    return NewAction(
        given["user_id"], given["item_id"], given["timestamp"], given.get("action", ""),
        given.get("weight", 1.0), given.get("event_id"), given.get("retract", False),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=6), st.data())
def test_bad_actions_among_good_ones_change_nothing_about_the_good(
    good: list[Any], data: st.DataObject
) -> None:
    wanted = [expected(action) for action in good]
    assert read_actions(json.dumps({"actions": good}).encode(), BOUNDS).actions == wanted
    bad = data.draw(st.sampled_from(BAD))
    at = data.draw(st.integers(0, len(good)))
    taken = read_actions(json.dumps({"actions": [*good[:at], bad, *good[at:]]}).encode(), BOUNDS)
    assert taken.actions == wanted
    assert set(taken.rejected) == {at}
    assert taken.n_given == len(good) + 1


@pytest.mark.parametrize(
    ("time", "time_ms"),
    [
        ("1980-01-01T00:00:00Z", FIRST_MS),
        ("1980-01-02T00:00:00", FIRST_MS + 86_400_000),
        ("1980-01-01T01:00:00.5+00:30", FIRST_MS + 30 * 60_000 + 500),
        ("1979-12-31T23:59:59.999Z", None),
        (FIRST_MS, FIRST_MS),
        (FIRST_MS - 1, None),
        (1_795_168_800, None),
        (0, None),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("0001-01-01T00:00:00+14:00", None),
        ("1969-12-31T23:59:59Z", None),
        ("2024-02-30T00:00:00Z", None),
        (10**18, None),
        (10**40, None),
        (1.5, None),
        (True, None),
    ],
)
def test_times(time: object, time_ms: int | None) -> None:
    body = json.dumps({"actions": [{"user_id": 1, "item_id": 2, "timestamp": time}]}).encode()
    taken = read_actions(body, BOUNDS)
    assert [action.time_ms for action in taken.actions] == ([] if time_ms is None else [time_ms])
    if time_ms is None:
        assert taken.rejected[0].field == "timestamp"


def test_a_row_with_half_a_surrogate_pair_takes_no_other_with_it() -> None:
    bad = rb'{"user_id": "u\ud83d", "item_id": 2, "timestamp": 1795168800000}'
    good = b'{"user_id": "\xc3\xbc", "item_id": 2, "timestamp": 1795168800000}'
    taken = read_actions(b'{"actions": [%b, %b, %b]}' % (good, bad, good), BOUNDS)
    assert [(action.user_id, action.item_id) for action in taken.actions] == [("ü", 2)] * 2
    assert {at: result.reason for at, result in taken.rejected.items()} == {1: "unreadable_row"}


@pytest.mark.parametrize(
    "body", [b'{"actions": [%b]} x', b'{"more": 1, "actions": [%b]}', b'{"actions": [%b, NaN]}', b"[%b]"]
)
def test_python_reads_no_more_than_rows(body: bytes) -> None:
    with pytest.raises(RequestError):
        read_actions(body % rb'{"user_id": "u\ud83d"}', BOUNDS)


def test_ids_are_measured_in_bytes() -> None:
    def taken(user: object) -> int:
        body = json.dumps({"actions": [{"user_id": user, "item_id": 2, "timestamp": FIRST_MS}]}).encode()
        return len(read_actions(body, BOUNDS).actions)

    assert [taken("ü" * 20), taken("ü" * 21), taken("x" * 40), taken("x" * 41)] == [1, 0, 1, 0]
    assert [taken(2**63 - 1), taken(2**63), taken(""), taken(1.0), taken(None)] == [1, 0, 0, 0, 0]


def test_an_empty_event_id_is_none() -> None:
    body = b'{"actions": [{"user_id": 1, "item_id": 2, "timestamp": 1795168800000, "event_id": ""}]}'
    assert read_actions(body, BOUNDS).actions[0].event_id is None


def test_too_many_are_refused_whole() -> None:
    body = json.dumps({"actions": [{"user_id": 1, "item_id": 2, "timestamp": FIRST_MS}] * 51}).encode()
    with pytest.raises(RequestError, match="at most 50") as refused:
        read_actions(body, BOUNDS)
    assert refused.value.status == 413


def test_seconds_are_no_milliseconds_but_what_was_taken_by_mistake_may_be_taken_back() -> None:
    seconds = {"user_id": 1, "item_id": 2, "timestamp": 1_795_168_800}
    body = json.dumps({"actions": [seconds, seconds | {"retract": True}]}).encode()
    taken = read_actions(body, BOUNDS)
    assert [(action.time_ms, action.retract) for action in taken.actions] == [(1_795_168_800, True)]
    refused = taken.rejected[0]
    assert (refused.reason, refused.field) == ("time_before_1980", "timestamp")
    assert refused.message is not None
    assert "milliseconds" in refused.message
    assert "1970-01-21" in refused.message


def test_a_field_that_does_not_exist_is_named() -> None:
    body = json.dumps(
        {"actions": [{"user_id": 1, "item_id": 2, "timestamp": FIRST_MS, "wieght": 3}]}
    ).encode()
    refused = read_actions(body, BOUNDS).rejected[0]
    assert (refused.reason, refused.field) == ("unknown_field", "wieght")
    with pytest.raises(RequestError) as found:
        read_actions(b'{"actions": [], "durable": true}', BOUNDS)
    assert found.value.errors[0].field == "durable"
    refused = read_actions(b'{"actions": [{"body": 3}]}', BOUNDS).rejected[0]
    assert (refused.reason, refused.field) == ("unknown_field", "body")


def test_of_a_key_that_stands_twice_the_last_value_counts() -> None:
    twice = b'{"user_id": "a", "user_id": "b", "item_id": 1, "timestamp": %d}' % FIRST_MS
    for others in (b"", b", {}"):  # With a bad one beside it each is read by itself.
        (action,) = read_actions(b'{"actions": [%s%s]}' % (twice, others), BOUNDS).actions
        assert action.user_id == "b"

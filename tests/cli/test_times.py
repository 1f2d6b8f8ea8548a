"""Times as typed, against the standard library's own arithmetic."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnersage._times import to_ms
from pinnersage.cli.times import span
from pinnersage.errors import UsageError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 24 * 60 * 60 * 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-5", -5),
        ("1483228800000", 1483228800000),
        ("1970-01-03", 2 * DAY_MS),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01.250Z", 1250),
        ("1970-01-01 02:00:00+02:00", 0),
    ],
)
def test_accepted_forms(text: str, expected: int) -> None:
    assert to_ms(text) == expected


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9998, 1, 1)),
    st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_a_time_is_its_distance_from_the_epoch_in_floored_ms(naive: datetime, offset_minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert to_ms(moment.isoformat()) == (moment - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize("text", ["", "yesterday", "2017-13-01", "1.5", "12:00"])
def test_other_texts_are_usage_errors(text: str) -> None:
    with pytest.raises(UsageError, match="expected a time like"):
        to_ms(text)


@pytest.mark.parametrize(
    "time", ["99999999999999999999", "253402300800000", "9999-12-31T23:59:59-12:00", 10**17]
)
def test_times_that_no_calendar_has_are_usage_errors(time: str | int) -> None:
    with pytest.raises(UsageError, match="years 1 to 9999"):
        to_ms(time)


@pytest.mark.parametrize("time", [1.7e12, np.datetime64("2024-03-01")])
def test_other_types_are_usage_errors(time: Any) -> None:
    with pytest.raises(UsageError, match="expected a time as text"):
        to_ms(time)


def test_the_integers_of_arrays_are_milliseconds() -> None:
    assert to_ms(np.int64(17)) == 17
    assert type(to_ms(np.int64(17))) is int


def test_a_span_over_new_year_names_both_years() -> None:
    assert span("2016-12-31T23:00:00Z", "2017-01-02T00:00:00.000Z") == "31 Dec 2016 - 2 Jan 2017"

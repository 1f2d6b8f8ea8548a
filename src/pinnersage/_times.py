"""Times as they are written: RFC 3339 in UTC, milliseconds only where there are any."""

from __future__ import annotations

import operator
import re
from datetime import UTC, date, datetime, timedelta
from typing import SupportsIndex

from pinnersage.errors import UsageError

_INTEGER = re.compile(r"^-?\d+$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = (
    (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
    for moment in (datetime.min, datetime.max)
)


def rfc3339(time_ms: int) -> str:
    """Return the text of a time in milliseconds since 1970.

    Examples
    --------
    >>> rfc3339(86_400_000), rfc3339(1_500)
    ('1970-01-02T00:00:00Z', '1970-01-01T00:00:01.500Z')
    """
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    precision = "milliseconds" if time_ms % 1_000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def to_ms(time: SupportsIndex | str | date | None) -> int | None:
    """Return milliseconds since 1970 of whatever people give as a time; None stays None.

    Text is RFC 3339, an ISO date or integer milliseconds; a time without a zone is UTC, a date its midnight.

    Raises
    ------
    UsageError
        The text is none of these, or the time is outside the years 1 to 9999.

    Examples
    --------
    >>> to_ms("1970-01-02"), to_ms("1970-01-01T01:00:00+01:00"), to_ms("17"), to_ms(None)
    (86400000, 0, 17, None)
    >>> to_ms(date(1970, 1, 2))
    86400000
    """
    if time is None:
        return None
    time_ms = _ms_of(time)
    if not _FIRST <= time_ms <= _LAST:
        raise UsageError(f"expected a time in the years 1 to 9999, got {time}; are these milliseconds?")
    return time_ms


def _ms_of(time: SupportsIndex | str | date) -> int:
    if isinstance(time, SupportsIndex):
        return operator.index(time)
    if isinstance(time, str):
        if _INTEGER.match(time):
            return int(time)
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            raise UsageError(
                f"expected a time like 2017-12-01, 2017-12-01T08:00:00Z or integer milliseconds, got {time!r}"
            ) from None
    if isinstance(time, date) and not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day, tzinfo=UTC)
    if not isinstance(time, datetime):
        raise UsageError(f"expected a time as text, datetime or integer milliseconds, got {time!r}")
    moment = time if time.tzinfo else time.replace(tzinfo=UTC)
    # Integer division: a float of seconds loses the last millisecond of far-away times.
    return (moment - _EPOCH) // timedelta(milliseconds=1)

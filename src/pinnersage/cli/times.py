"""Times as people type and read them; inside they are int64 milliseconds since 1970 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pinnersage.errors import UsageError

_INTEGER = re.compile(r"^-?\d+$")


def parse_now(text: str) -> int:
    """Return the milliseconds of an RFC 3339 time, an ISO date (midnight UTC) or an integer.

    Raises
    ------
    UsageError
        The text is none of these.

    Examples
    --------
    >>> parse_now("1970-01-02")
    86400000
    >>> parse_now("1970-01-01T01:00:00+01:00")
    0
    """
    if _INTEGER.match(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"expected a time like 2017-12-01, 2017-12-01T08:00:00Z or integer milliseconds, got {text!r}"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _to_ms(moment)


def _to_ms(moment: datetime) -> int:
    # Integer arithmetic: timestamp() is a float and loses the last millisecond of far-away times.
    age = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (age.days * 86_400 + age.seconds) * 1_000 + age.microseconds // 1_000


def short_date(rfc3339: str) -> str:
    """Return the date of an RFC 3339 time.

    Examples
    --------
    >>> short_date("2017-12-24T10:00:00.000Z")
    '2017-12-24'
    """
    return rfc3339[:10]


def span(oldest: str, newest: str) -> str:
    """Return two RFC 3339 times as a readable span.

    Examples
    --------
    >>> span("2017-10-02T10:00:00Z", "2017-12-24T10:00:00Z")
    '2 Oct - 24 Dec 2017'
    >>> span("2017-12-24T10:00:00Z", "2017-12-24T11:00:00Z")
    '24 Dec 2017'
    """
    first, last = (datetime.fromisoformat(time) for time in (oldest, newest))
    until = f"{last.day} {last:%b %Y}"
    if first.date() == last.date():
        return until
    since = f"{first.day} {first:%b}" if first.year == last.year else f"{first.day} {first:%b %Y}"
    return f"{since} - {until}"

"""Times as people read them."""

from __future__ import annotations

from datetime import datetime


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

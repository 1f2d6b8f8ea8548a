"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pinnersage._times import to_ms

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING = "\N{EN DASH}"
_UNITS = ("B", "kB", "MB", "GB", "TB")


def ms_of(time: str) -> int:
    """Return the milliseconds since 1970 of a time of an answer."""
    return to_ms(time) or 0


def moment(time_ms: int) -> datetime:
    """Return a time as a date in UTC."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def day(time_ms: int) -> str:
    """Return the day of a time.

    Examples
    --------
    >>> day(1_795_545_000_000)
    '24 Nov 2026'
    """
    then = moment(time_ms)
    return f"{then.day} {then:%b %Y}"


def day_and_time(time_ms: int) -> str:
    """Return day and minute of a time, in UTC.

    Examples
    --------
    >>> day_and_time(1_795_545_000_000)
    '24 Nov 2026, 18:30'
    """
    return f"{day(time_ms)}, {moment(time_ms):%H:%M}"


def ago(time_ms: int, now_ms: int) -> str:
    """Return how long before ``now_ms`` a time was.

    Examples
    --------
    >>> [ago(0, now_ms) for now_ms in (10_000, 180_000, 7_200_000, 86_400_000 * 3)]
    ['just now', '3 min ago', '2 h ago', '3 days ago']
    """
    passed_ms = max(0, now_ms - time_ms)
    if passed_ms < _MINUTE_MS:
        return "just now"
    if passed_ms < _HOUR_MS:
        return f"{passed_ms // _MINUTE_MS} min ago"
    if passed_ms < _DAY_MS:
        return f"{passed_ms // _HOUR_MS} h ago"
    n_days = passed_ms // _DAY_MS
    return "1 day ago" if n_days == 1 else f"{n_days:,} days ago"


def percent(share: float) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> [percent(share) for share in (0.4321, 0.004, 0.0)]
    ['43 %', '< 1 %', '0 %']
    """
    return "< 1 %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def signed(number: float) -> str:
    """Return a number with its sign.

    Examples
    --------
    >>> [signed(number) for number in (1.234, -0.5, 0.001)]
    ['+1.23', '\N{MINUS SIGN}0.50', '+0.00']
    """
    return f"{number:+.2f}".replace("-", "\N{MINUS SIGN}")


def count(n: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> [count(n, "item") for n in (0, 1, 12_345)]
    ['0 items', '1 item', '12,345 items']
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def size(n_bytes: float) -> str:
    """Return a number of bytes.

    Examples
    --------
    >>> [size(n) for n in (12, 3_400, 2_500_000_000)]
    ['12 B', '3.4 kB', '2.5 GB']
    """
    power = 0
    while n_bytes >= 1_000 and power < len(_UNITS) - 1:
        n_bytes, power = n_bytes / 1_000, power + 1
    return f"{n_bytes:.{0 if power == 0 else 1}f} {_UNITS[power]}"


def duration(seconds: float | None) -> str:
    """Return a length of time.

    Examples
    --------
    >>> [duration(s) for s in (None, 0.00042, 0.0123, 0.25, 3.0)]
    ['\u2013', '0.42 ms', '12 ms', '250 ms', '3.0 s']
    """
    if seconds is None:
        return NOTHING
    ms = seconds * 1_000
    if ms >= 1_000:
        return f"{seconds:.1f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.2g} ms"


def letters(position: int) -> str:
    """Return the letters that stand for an interest.

    Examples
    --------
    >>> [letters(position) for position in (0, 25, 26, 27)]
    ['A', 'Z', 'AA', 'BB']
    """
    return chr(ord("A") + position % 26) * (position // 26 + 1)

"""Numbers as text: one number of decimals a column, a dash where there is nothing to say."""

from __future__ import annotations

import math
from collections.abc import Iterable

DASH = "\N{EN DASH}"
_FALLBACK = 3
_DIGITS, _ALL_DIGITS = 3, 17


def decimals_of(values: Iterable[float | None]) -> int:
    """Return how many decimals a column needs, from its largest figure.

    Examples
    --------
    >>> decimals_of([0.031, None]), decimals_of([0.31]), decimals_of([7.12]), decimals_of([])
    (4, 3, 2, 3)
    """
    largest = max((abs(x) for x in values if x is not None), default=None)
    if largest is None:
        return _FALLBACK
    return 4 if largest < 0.1 else 3 if largest < 1.5 else 2 if largest < 100 else 1


def text_of(value: float | None, decimals: int) -> str:
    """Return a number, or a dash.

    Examples
    --------
    >>> text_of(0.5, 3), text_of(None, 3), text_of(-0.00001, 3), text_of(1234.5, 1)
    ('0.500', '–', '0.000', '1,234.5')
    """
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text


def interval_of(low: float | None, high: float | None, decimals: int) -> str:
    """Return an interval; empty where there is none, open where it has no upper end.

    Examples
    --------
    >>> interval_of(0.1, 0.25, 2), interval_of(0.1, None, 2), interval_of(None, None, 2)
    ('[0.10, 0.25]', '[0.10, ∞)', '')
    """
    if low is None:
        return ""
    if high is None:
        return f"[{text_of(low, decimals)}, ∞)"
    return f"[{text_of(low, decimals)}, {text_of(high, decimals)}]"


def count_of(value: object) -> str:
    """Return a whole number with thousands apart, other numbers shortly, other things as they are.

    Examples
    --------
    >>> count_of(1234), count_of(90.0), count_of(0.25), count_of(None), count_of("real")
    ('1,234', '90', '0.25', '–', 'real')
    """
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{int(value):,}" if value.is_integer() and abs(value) < 1e15 else f"{value:g}"
    return str(value)


def ends_of(least: float, most: float) -> str:
    """Return both ends of a group, or the one that they are, with as many digits as keep them apart.

    Whole numbers are told in full, others with three significant digits or as whole numbers.

    Examples
    --------
    >>> ends_of(0.001, 0.049), ends_of(-12.345, 1234.5), ends_of(7.0, 7.0), ends_of(0.12341, 0.12349)
    ('0.001 to 0.049', '-12.3 to 1,234', '7', '0.1234 to 0.1235')
    """
    for n_digits in range(_DIGITS, _ALL_DIGITS + 1):
        ends = [_significant(end, n_digits) for end in (least, most)]
        if ends[0] != ends[1]:
            return " to ".join(ends)
    return _significant(least, _DIGITS)


def _significant(value: float, n_digits: int) -> str:
    """Return a number with some significant digits; all digits before the point."""
    if float(value).is_integer() or abs(float(f"{value:.{n_digits}g}")) >= 10**n_digits:
        return count_of(float(round(value)))
    return f"{value:,.{n_digits}g}"

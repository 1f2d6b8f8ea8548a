"""External ids and internal row numbers are different types."""

from __future__ import annotations

import operator
from typing import NewType

UserId = str | int
ItemId = str | int
ItemRow = NewType("ItemRow", int)

_INT64 = range(-(2**63), 2**63)
_LONGEST = len(str(-(2**63)))


def exact_integer(value: UserId) -> int | None:
    """Return the 64-bit integer that an id is, or is the decimal text of; ``"07"`` and ``" 7"`` are none.

    Examples
    --------
    >>> [exact_integer(value) for value in (7, "7", "-7", "07", " 7", "7_0", "9" * 30, "u")]
    [7, 7, -7, None, None, None, None, None]
    """
    try:
        if isinstance(value, str) and len(value) > _LONGEST:
            return None
        number = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        return None
    return number if number in _INT64 and str(number) == str(value) else None

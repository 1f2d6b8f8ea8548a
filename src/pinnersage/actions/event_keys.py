"""64-bit keys of event ids, the same on every machine, version and engine."""

from __future__ import annotations

import hashlib
import re

NO_EVENT = 0
_GIVEN = "key:[0-9a-fA-F]{16}"


def event_key(event_id: str | int | None) -> int:
    """Return the key that stands for an event id in a record.

    The key is the second half of the MD5 digest of the id's text in UTF-8 (integers in decimal),
    read as a little-endian unsigned integer; MD5 serves here as a well-known hash, not as a guard.
    Of ``key:`` and 16 hexadecimal digits the digits are the key: so a table of a journal, which keeps no
    ids, names the same events as the log they came from.

    Parameters
    ----------
    event_id
        None or an empty text: the action has none.

    Returns
    -------
    int
        0 for no id, otherwise 1 .. 2**64 - 1.

    Examples
    --------
    >>> event_key("abc")
    8250560606382298838
    >>> event_key(7) == event_key("7")
    True
    >>> event_key(None)
    0
    >>> event_key("key:727fe1287d3f96d6") == event_key(event_id_of(8250560606382298838))
    True
    """
    if event_id is None or event_id == "":
        return NO_EVENT
    if isinstance(event_id, str) and event_id.startswith("key:") and re.fullmatch(_GIVEN, event_id):
        return max(int(event_id[4:], 16), 1)
    digest = hashlib.md5(str(event_id).encode(), usedforsecurity=False).digest()
    return max(int.from_bytes(digest[8:], "little"), 1)


def event_id_of(key: int) -> str | None:
    """Return an event id that has this key; None for no event.

    Examples
    --------
    >>> event_id_of(255)
    'key:00000000000000ff'
    """
    return f"key:{key:016x}" if key else None


def event_key_sql(text: str) -> str:
    """Return :func:`event_key` as SQL of type UBIGINT over an SQL expression of type VARCHAR."""
    # The quick test of the beginning spares nearly every id the pattern.
    is_given = f"starts_with({text}, 'key:') AND regexp_full_match({text}, '{_GIVEN}')"
    given = f"greatest(TRY_CAST('0x' || substr({text}, 5) AS UBIGINT), 1::UBIGINT)"
    key = f"greatest(md5_number_lower({text}), 1::UBIGINT)"
    return (
        f"CASE WHEN {text} IS NULL OR {text} = '' THEN 0::UBIGINT WHEN {is_given} THEN {given} ELSE {key} END"
    )

"""64-bit keys of event ids, the same on every machine, version and engine."""

from __future__ import annotations

import hashlib

NO_EVENT = 0


def event_key(event_id: str | int | None) -> int:
    """Return the key that stands for an event id in a record.

    The key is the second half of the MD5 digest of the id's text in UTF-8 (integers in decimal),
    read as a little-endian unsigned integer; MD5 serves here as a well-known hash, not as a guard.

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
    """
    if event_id is None or event_id == "":
        return NO_EVENT
    digest = hashlib.md5(str(event_id).encode(), usedforsecurity=False).digest()
    return max(int.from_bytes(digest[8:], "little"), 1)


def event_key_sql(text: str) -> str:
    """Return :func:`event_key` as SQL of type UBIGINT over an SQL expression of type VARCHAR."""
    key = f"greatest(md5_number_lower({text}), 1::UBIGINT)"
    return f"CASE WHEN {text} IS NULL OR {text} = '' THEN 0::UBIGINT ELSE {key} END"

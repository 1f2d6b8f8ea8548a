"""A generation that is about to answer looks up beforehand what the one before was asked for."""

from __future__ import annotations

import time

from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.model.opened import OpenedGeneration

MAX_WARM_S = 10.0
_CHUNK = 32


def warm(landed: OpenedGeneration, before: OpenedGeneration) -> int:
    """Fill the cache of neighbors with the items whose neighbors ``before`` has in its own.

    Those asked for last come first. It works half of the time at most, to leave the processor to
    requests, and ends after :data:`MAX_WARM_S`.

    Returns
    -------
    Number of lists looked up.
    """
    asked = before.retriever.cached()[::-1]
    ids = before.items.vocabulary.ids_of([row for row, _ in asked])
    rows = landed.items.vocabulary.rows_of(ids).tolist() if ids else []
    known = [(row, depth) for row, (_, depth) in zip(rows, asked, strict=True) if row != UNKNOWN]
    until_s, n = time.monotonic() + MAX_WARM_S, 0
    while n < len(known) and time.monotonic() < until_s:
        began_s = time.monotonic()
        landed.retriever.look_up(known[n : n + _CHUNK])
        n += _CHUNK
        time.sleep(time.monotonic() - began_s)
    return min(n, len(known))

"""Kinds of action as codes: a model has at most 255, and what comes beyond counts together."""

from __future__ import annotations

from collections.abc import Sequence

from pinnersage._arrays import Int32s
from pinnersage.items.vocabulary import UNKNOWN
from pinnersage.streaming.entries import ActionEntry

MAX_KINDS = 255
NO_KIND = -1
OTHER_KIND = "(other)"
"""Stands for the kinds beyond the most a model may have; they come when parked actions find their item."""


class Codes(dict[str, int]):
    """Kind -> code; that of :data:`OTHER_KIND` where a kind has none, :data:`NO_KIND` without that."""

    def __missing__(self, kind: str) -> int:
        return self.get(OTHER_KIND, NO_KIND)


def codes_of(kinds: Sequence[str]) -> Codes:
    """Return the code of each kind."""
    return Codes({kind: position for position, kind in enumerate(kinds)})


def with_new_kinds(kinds: tuple[str, ...], events: Sequence[ActionEntry], rows: Int32s) -> tuple[str, ...]:
    """Return the kinds once events on known items have come; codes of those before stay."""
    new = dict.fromkeys(
        event.kind
        for event, row in zip(events, rows.tolist(), strict=True)
        if row != UNKNOWN and not event.retract
    )
    together = kinds + tuple(kind for kind in new if kind not in kinds)
    if len(together) <= MAX_KINDS or OTHER_KIND in kinds:
        return together if len(together) <= MAX_KINDS else kinds
    return (*(kind for kind in together[:MAX_KINDS] if kind != OTHER_KIND), OTHER_KIND)

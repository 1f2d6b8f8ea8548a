"""A user's actions over time, a lane for each interest. Positions are percent of the width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from pinnersage._ids import ItemId
from pinnersage.serving.page.words import day, moment

_FIRST, _LAST = 3.5, 96.5
_DAY_MS = 86_400_000
_MAX_TICKS = 6
_PICTURE_WIDTH = 9.0
_LEAST_SPAN_MS = 3_600_000
_STEPS = tuple(
    timedelta(hours=hours) for hours in (0.25, 1, 3, 6, 12, 24, 48, 168, 336, 730, 1_461, 2_922, 8_766)
)
_MONTH = timedelta(hours=730)


class ActionAt(NamedTuple):
    """One action: on which item, when, and of which kind."""

    item_id: ItemId
    time_ms: int
    kind: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One action in its lane.

    Attributes
    ----------
    x
        Its place.
    left, right
        Halfway to its neighbors in the lane: a pointer between them means this one.
    item_id, time_ms, kind
        The action.
    with_picture
        Whether there is room to show the item.
    """

    x: float
    left: float
    right: float
    item_id: ItemId
    time_ms: int
    kind: str
    with_picture: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across all lanes, and what stands below it."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Dots for each interest, in their order, over common ticks."""

    lanes: list[list[Dot]]
    ticks: list[Tick]
    first_ms: int
    last_ms: int

    @property
    def has_pictures(self) -> bool:
        """Whether any dot shows its item."""
        return any(dot.with_picture for lane in self.lanes for dot in lane)


def timeline(
    interests: Sequence[Iterable[ItemId]],
    actions: Sequence[ActionAt],
    as_of_ms: int,
    with_picture: frozenset[ItemId] = frozenset(),
) -> Timeline:
    """Return the timeline of a user.

    Parameters
    ----------
    interests
        The items of each interest.
    actions
        In any order; those on items of no interest are left out.
    as_of_ms
        The right end.
    with_picture
        Items that have a picture.
    """
    lane_of = {item_id: lane for lane, item_ids in enumerate(interests) for item_id in item_ids}
    shown = sorted((a for a in actions if a.item_id in lane_of), key=lambda a: (a.time_ms, str(a.item_id)))
    last_ms = max([as_of_ms, *(a.time_ms for a in shown)])
    first_ms = min([last_ms - _LEAST_SPAN_MS, *(a.time_ms for a in shown)])
    lanes: list[list[Dot]] = [[] for _ in interests]
    for lane, dots in enumerate(lanes):
        own = [action for action in shown if lane_of[action.item_id] == lane]
        dots.extend(_lane(own, first_ms, last_ms, with_picture))
    return Timeline(lanes, _ticks(first_ms, last_ms), first_ms, last_ms)


def _lane(
    actions: Sequence[ActionAt], first_ms: int, last_ms: int, with_picture: frozenset[ItemId]
) -> list[Dot]:
    """Return dots, oldest first; pictures for the newest that do not cover each other."""
    dots: list[Dot] = []
    taken: list[float] = []
    places = [_place(action.time_ms, first_ms, last_ms) for action in actions]
    bounds = [0.0, *(round((one + next_) / 2, 3) for one, next_ in pairwise(places)), 100.0]
    for at, action in reversed(list(enumerate(actions))):
        x = places[at]
        has_room = all(abs(x - other) >= _PICTURE_WIDTH for other in taken)
        pictured = has_room and action.item_id in with_picture
        if pictured:
            taken.append(x)
        dots.append(Dot(x, bounds[at], bounds[at + 1], action.item_id, action.time_ms, action.kind, pictured))
    return dots[::-1]


def _place(time_ms: int, first_ms: int, last_ms: int) -> float:
    return round(_FIRST + (time_ms - first_ms) / (last_ms - first_ms) * (_LAST - _FIRST), 2)


def _ticks(first_ms: int, last_ms: int) -> list[Tick]:
    """Return a handful of round moments between two times."""
    span = timedelta(milliseconds=last_ms - first_ms)
    step = next((step for step in _STEPS if span / step <= _MAX_TICKS), _STEPS[-1])
    ticks: list[Tick] = []
    at = _first_tick(moment(first_ms), step)
    while at <= moment(last_ms) and len(ticks) <= _MAX_TICKS:
        time_ms = round(at.timestamp() * 1_000)
        if time_ms >= first_ms:
            ticks.append(Tick(_place(time_ms, first_ms, last_ms), _label(at, time_ms, step)))
        at = _next_tick(at, step)
    return ticks


def _first_tick(first: datetime, step: timedelta) -> datetime:
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if step >= _MONTH:
        return midnight.replace(day=1)
    if step >= timedelta(days=7):
        return midnight - timedelta(days=first.weekday())
    return midnight


def _next_tick(at: datetime, step: timedelta) -> datetime:
    if step < _MONTH:
        return at + step
    months = at.month - 1 + round(step / _MONTH)
    return at.replace(year=at.year + months // 12, month=months % 12 + 1)


def _label(at: datetime, time_ms: int, step: timedelta) -> str:
    if step < timedelta(days=1):
        return f"{at:%H:%M}"
    return f"{at:%b %Y}" if step > _MONTH else day(time_ms)[:-5]

"""Names beside dots, placed so that none lies on another or on a dot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from pinnersage.evaluation.page.drawing.style import INK, MUTED, settle, short

_RADII_PT = (8, 12, 18, 26, 36, 48, 62, 78, 96, 116, 140, 170, 205)
_FIRST_ANGLES = (30, 330, 150, 210, 0, 180, 90, 270)
_ANGLES = (*_FIRST_ANGLES, *(k for k in range(15, 360, 15) if k not in _FIRST_ANGLES))
"""Beside the bars of an interval, which run straight, a name is easier to read than on them."""
_LEADER_FROM_PT = 12
_DOT_PT, _GAP_PT = 4.5, 1.5
_SIZE = 8.5
_N_STEPS = 24
Line = tuple[tuple[float, ...], tuple[float, ...]]


def place_labels(
    axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str | None]
) -> list[Bbox]:
    """Write names beside dots; a thin line leads to those that stand off.

    Places are tried from near to far, those on the right first; a name that fits nowhere is left out.

    Parameters
    ----------
    axes
        With its final limits and place in the figure.
    points
        Coordinates of the dots.
    names
        One each; None: the dot has none, and only keeps its place free.

    Returns
    -------
    The boxes taken, in pixels.
    """
    assert axes.figure is not None
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    settle(figure)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # dots are where they stay only from here on
    scale = figure.dpi / 72
    at = [tuple(axes.transData.transform(point)) for point in points]
    dots = [_around(x, y, _DOT_PT * scale) for x, y in at]
    taken: list[Bbox] = []
    lines: list[Line] = []
    frame = axes.get_window_extent().padded(-3 * scale)
    for i in sorted(range(len(at)), key=lambda i: (-_crowd(at, i), at[i])):
        name = names[i]
        if name is None:
            continue
        note = axes.annotate(short(name), points[i], fontsize=_SIZE, color=INK, annotation_clip=False)
        size = note.get_window_extent(renderer)
        others = taken + [dot for j, dot in enumerate(dots) if j != i]
        place = _free_place(at[i], (size.width, size.height), frame, others, lines, scale)
        if place is None:
            note.remove()
            continue
        note.set_position((place[0] / scale, place[1] / scale))
        note.set_anncoords("offset points")
        box = Bbox.from_bounds(at[i][0] + place[0], at[i][1] + place[1], size.width, size.height)
        taken.append(box.padded(_GAP_PT * scale / 2))
        line = _line(at[i], box)
        if math.dist(*line) > _LEADER_FROM_PT * scale:
            lines.append(line)
            _lead(axes, points[i], line, scale)
    return taken


def _crowd(at: Sequence[tuple[float, ...]], i: int) -> float:
    """Return how near the other dots are; the most crowded choose first."""
    return sum(1 / (20 + math.dist(at[i], other)) for j, other in enumerate(at) if j != i)


def _around(x: float, y: float, half: float) -> Bbox:
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _free_place(
    at: tuple[float, ...],
    size: tuple[float, float],
    frame: Bbox,
    taken: Sequence[Bbox],
    lines: Sequence[Line],
    scale: float,
) -> tuple[float, float] | None:
    """Return the lower left corner of the first free place, as an offset from the dot in pixels.

    Where no place is free of lines too, one that is free of names and dots will do; None: there is none.
    """
    usable = []
    for dx, dy in _places(size, scale):
        box = Bbox.from_bounds(at[0] + dx, at[1] + dy, *size)
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not box.padded(_GAP_PT * scale / 2).count_overlaps(taken):
            if not any(_crosses(line, box) for line in lines) and not _blocked(_line(at, box), taken):
                return dx, dy
            usable.append((dx, dy))
    return usable[0] if usable else None


def _places(size: tuple[float, float], scale: float) -> Iterator[tuple[float, float]]:
    width, height = size
    for radius in _RADII_PT:
        for angle in _ANGLES:
            cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            x, y = radius * scale * cos, radius * scale * sin
            left = x if cos > 0.1 else x - width if cos < -0.1 else x - width / 2
            yield left, y - height / 2 + sin * height / 2


def _line(at: tuple[float, ...], box: Bbox) -> Line:
    """Return the line from a dot to the nearest side of its name."""
    return at, (min(max(at[0], box.x0), box.x1), min(max(at[1], box.y0), box.y1))


def _crosses(line: Line, box: Bbox) -> bool:
    (x0, y0), (x1, y1) = line
    steps = [k / _N_STEPS for k in range(_N_STEPS + 1)]
    return any(box.contains(x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in steps)


def _blocked(line: Line, taken: Sequence[Bbox]) -> bool:
    """Tell whether a line runs through a box; those that its dot lies in do not count."""
    return any(_crosses(line, box) for box in taken if not box.contains(*line[0]))


def _lead(axes: Axes, point: tuple[float, float], line: Line, scale: float) -> None:
    """Draw a line from a dot to its name."""
    (x0, y0), (x1, y1) = line
    axes.annotate(
        "", point, ((x1 - x0) / scale, (y1 - y0) / scale), textcoords="offset points", annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.6, "shrinkA": 1, "shrinkB": 4},
    )  # fmt: skip

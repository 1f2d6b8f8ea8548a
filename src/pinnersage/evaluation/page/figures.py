"""A figure with its interval, as JSON holds it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Plain(BaseModel):
    """Base of what is read: frozen, exact in its types, blind to what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True)


class Figure(Plain):
    """A value with its 95 % interval; None where there is nothing to say."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_users: int | None = None


def as_figure(value: float | Figure | None) -> Figure:
    """Return a figure, given one or a bare number."""
    return value if isinstance(value, Figure) else Figure(value=value)


def between(value: float | None, interval: list[float] | None) -> Figure:
    """Return a figure, given a number and the ends of its interval."""
    low, high = interval or (None, None)
    return Figure(value=value, low=low, high=high)

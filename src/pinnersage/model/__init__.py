"""The whole system behind one class: build, open, ask, update, erase."""

from pinnersage.model.building import validate
from pinnersage.model.facade import PinnerSage

__all__ = ["PinnerSage", "validate"]

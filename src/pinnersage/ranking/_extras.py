"""Libraries of the extra ``ranking``, imported when they are needed."""

from __future__ import annotations

from typing import Any

from pinnersage import _extras

_PURPOSE = "fitting a ranker"


def needed(module: str) -> Any:
    """Return an imported optional module.

    Raises
    ------
    UnavailableError
        It is not installed; names the extra that brings it.
    """
    return _extras.needed(module, "ranking", _PURPOSE)


def one_thread() -> Any:
    """Return a context in which libraries compute on one thread; what is fitted is then always the same."""
    return _extras.one_thread("ranking", _PURPOSE)

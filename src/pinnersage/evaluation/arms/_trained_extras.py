"""Libraries that trained arms need, imported when an arm is fitted."""

from __future__ import annotations

from typing import Any

from pinnersage import _extras

_PURPOSE = "a trained arm"


def needed(module: str, extra: str) -> Any:
    """Return an imported optional module.

    Raises
    ------
    UnavailableError
        It is not installed; names the extra that brings it.
    """
    return _extras.needed(module, extra, _PURPOSE)


def one_blas_thread() -> Any:
    """Return a context in which BLAS computes on one thread."""
    return _extras.one_thread("baselines", _PURPOSE, "blas")

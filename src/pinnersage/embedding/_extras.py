"""Libraries of the extra ``embed``, imported when they are needed."""

from __future__ import annotations

from typing import Any

from pinnersage import _extras

_PURPOSE = "making item embeddings"


def needed(module: str, extra: str) -> Any:
    """Return an imported optional module.

    Raises
    ------
    UnavailableError
        It is not installed; names the extra that brings it.
    """
    return _extras.needed(module, extra, _PURPOSE)


def needs_scipy() -> Any:
    """Return ``scipy.sparse``."""
    return needed("scipy.sparse", "embed")


def one_thread() -> Any:
    """Return a context in which BLAS uses one thread, so that sums are the same on every machine's cores."""
    return _extras.one_thread("embed", _PURPOSE)

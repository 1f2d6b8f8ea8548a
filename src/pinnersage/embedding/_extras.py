"""Libraries of the extra ``embed``, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from pinnersage.errors import UnavailableError, install_hint


def needed(module: str, extra: str) -> Any:
    """Return an imported optional module.

    Raises
    ------
    UnavailableError
        It is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnavailableError(
            f"making item embeddings needs {module} ({error}); {install_hint(extra)}"
        ) from error


def needs_scipy() -> Any:
    """Return ``scipy.sparse``."""
    return needed("scipy.sparse", "embed")


def one_thread() -> Any:
    """Return a context in which BLAS uses one thread, so that sums are the same on every machine's cores."""
    return needed("threadpoolctl", "embed").threadpool_limits(1)

"""Libraries of the extras, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from pinnersage.errors import UnavailableError, install_hint


def needed(module: str, extra: str, purpose: str) -> Any:
    """Return an imported optional module.

    Parameters
    ----------
    purpose
        What it is needed for, as the subject of a sentence.

    Raises
    ------
    UnavailableError
        It is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UnavailableError(f"{purpose} needs {module} ({error}); {install_hint(extra)}") from error


def one_thread(extra: str, purpose: str, kind: Literal["blas", "openmp"] | None = None) -> Any:
    """Return a context in which libraries compute on one thread; ``kind`` None: whatever threads they use.

    Sums are then the same whatever cores a machine has, and no thread waits for another on a busy one.
    Import first what computes: only libraries that are loaded are limited.

    Raises
    ------
    UnavailableError
        threadpoolctl is not installed; names the extra that brings it.
    """
    return needed("threadpoolctl", extra, purpose).threadpool_limits(1, kind)

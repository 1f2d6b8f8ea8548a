"""Libraries of the extras, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

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

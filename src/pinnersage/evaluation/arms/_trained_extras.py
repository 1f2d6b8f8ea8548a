"""Libraries that trained arms need, imported when an arm is fitted."""

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
        raise UnavailableError(f"a trained arm needs {module} ({error}); {install_hint(extra)}") from error

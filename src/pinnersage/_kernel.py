"""The one way this package compiles a kernel: cached on disk, GIL released, typed as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile with IEEE arithmetic: equal input gives equal bits."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))


def vector_kernel(function: F) -> F:
    """Compile letting the compiler reorder sums and fuse multiply-adds, so that loops vectorise.

    Infinities stay legal (they mark dead entries); not-a-number does not.
    """
    flags = {"contract", "reassoc", "nsz", "nnan", "arcp"}
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=flags)(function))

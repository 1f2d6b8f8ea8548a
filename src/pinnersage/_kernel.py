"""The one way this package compiles a kernel: cached on disk, GIL released, typed as it was.

Kernels inline one another across modules, but the compiler's cache only looks at the file a kernel
stands in: after an upgrade it could serve machine code of the old version. So every cache entry is
stamped with a digest of every source that holds kernels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from pinnersage._interrupts import interrupts_kept
from pinnersage._machine_code import cache_of

F = TypeVar("F", bound=Callable[..., Any])


def source_digest(package: Path) -> str:
    """Return a digest of the sources below ``package`` that hold kernels, and of their constants."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        if b"_kernel import" in source or path.name == "config.py":
            digest.update(path.relative_to(package).as_posix().encode() + source)
    return digest.hexdigest()


_DIGEST = source_digest(Path(__file__).parent)


def _compiled(function: F, **options: Any) -> F:
    dispatcher = numba.njit(nogil=True, error_model="numpy", **options)(function)
    dispatcher._cache = cache_of(function, _DIGEST)  # There is no public way to say what makes it stale.
    dispatcher.compile = interrupts_kept()(dispatcher.compile)  # A compiler calls back where none may end.
    return cast(F, dispatcher)


def kernel(function: F) -> F:
    """Compile with IEEE arithmetic in the order written."""
    return _compiled(function)


def vector_kernel(function: F) -> F:
    """Compile letting the compiler reorder sums and fuse multiply-adds, so that loops vectorise.

    Infinities stay legal (they mark entries out of use); not-a-number does not.
    """
    return _compiled(function, fastmath={"contract", "reassoc", "nsz", "nnan", "arcp"})


def inlined_kernel(function: F) -> F:
    """Compile as part of the one kernel that calls it: each level of calls compiles all below it again."""
    return _compiled(function, inline="always")

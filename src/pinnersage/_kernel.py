"""The one way this package compiles a kernel: cached on disk, GIL released, typed as it was.

Kernels inline one another across modules, but the compiler's cache only looks at the file a kernel
stands in: after an upgrade it could serve machine code of the old version. So every cache entry is
stamped with a digest of every source that holds kernels.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from pinnersage._interrupts import interrupts_kept

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
_KERNELS: list[Any] = []


def _compiled(function: F, **options: Any) -> F:
    dispatcher = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    file = dispatcher._cache._cache_file  # There is no public way to say either of these.
    file._source_stamp, file.save = _DIGEST, partial(_save, file)
    dispatcher.compile = interrupts_kept()(dispatcher.compile)  # A compiler calls back where none may end.
    _KERNELS.append(dispatcher)
    return cast(F, dispatcher)


def _save(file: Any, key: Any, data: Any) -> None:
    """Save machine code in a file named by what it is of, and only then name that file in the index.

    The compiler itself numbers files, and names them first: of two processes that begin without a cache, or
    from one that is killed in between, an index may be left that leads to other code.
    """
    known = file._load_index()
    base = file._index_name.removesuffix(".nbi")
    of_what = hashlib.sha256(repr((_DIGEST, file._version, key)).encode()).hexdigest()
    name = f"{base}.{of_what[:16]}.nbc"
    file._save_data(name, data)
    file._save_index(known | {key: name})
    if not known:  # What other sources left; whoever looks for a file that is gone compiles again.
        for path in Path(file._cache_path).glob(f"{escape(base)}.*.nbc"):
            if path.name != name:
                path.unlink(missing_ok=True)


def none_compiled() -> bool:
    """Return whether no kernel imported so far has machine code on disk, so that first calls take long."""
    return bool(_KERNELS) and not any(_has_code(dispatcher) for dispatcher in _KERNELS)


def _has_code(dispatcher: Any) -> bool:
    try:
        return bool(dispatcher._cache._cache_file._load_index())
    except (OSError, EOFError, ValueError, pickle.PickleError):
        return False


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

"""The one way this package compiles a kernel: cached on disk, GIL released, typed as it was.

Kernels inline one another across modules, but the compiler's cache only looks at the file a kernel
stands in: after an upgrade it could serve machine code of the old version. So every cache entry is
stamped with a digest of every source that holds kernels.
"""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from glob import escape
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching

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
_caching: Any = caching
_config: Any = numba.config
_LISTENERS: list[Callable[[], None]] = []


def when_compiling(tell: Callable[[], None]) -> None:
    """Let ``tell`` be called right before this process first compiles a kernel, if it has to; once.

    Who was to be called before is not.
    """
    _LISTENERS[:] = [tell]


def _told(found: Any) -> Any:
    """Tell who listens that what was not found will be compiled."""
    if found is None and _LISTENERS:
        _LISTENERS.pop()()
    return found


class _Place:
    """A directory for machine code, in the terms of the compiler's cache."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._folder, self._line = folder, function.__code__.co_firstlineno
        self._py_file = function.__code__.co_filename

    def from_function(self, _function: object, _file: str) -> _Place:
        return self

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return _DIGEST

    def get_disambiguator(self) -> str:
        return str(self._line)

    def ensure_cache_path(self) -> None:
        pass  # It was, or nothing can be kept.


class _Files(_caching.CompileResultCacheImpl):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._locator_classes = [_Place(function, folder)]
        super().__init__(function)


class _Cache(_caching.FunctionCache):  # type: ignore[misc]
    """Machine code of one kernel in one directory, which may be one that cannot be written to."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._impl_class = partial(_Files, folder=folder)
        super().__init__(function)
        self._cache_file.save = partial(_save, self._cache_file)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return _told(super().load_overload(sig, target_context))

    def has_code(self) -> bool:
        try:
            return bool(self._cache_file._load_index())
        except (OSError, EOFError, ValueError, pickle.PickleError):
            return False


class _NoCache(_caching.NullCache):  # type: ignore[misc]
    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return _told(super().load_overload(sig, target_context))


def _cache_of(function: Callable[..., Any]) -> Any:
    """Return where a kernel's machine code lies: first where it can be written, or is already.

    Beside the package or in the user's cache; with ``NUMBA_CACHE_DIR``, there. Where neither can be written,
    as in an image that is mounted for reading and was not warmed, it is compiled in every process.
    """
    beside = Path(function.__code__.co_filename).absolute().parent
    inside = f"{beside.name}_{hashlib.sha256(str(beside).encode()).hexdigest()[:16]}"
    given = _config.CACHE_DIR
    folders = [Path(given, inside).absolute()] if given else [beside / "__pycache__", *_of_user(inside)]
    for folder in folders:
        found = _Cache(function, folder)
        if _is_writable(folder) or found.has_code():
            return found
    return _NoCache()


def _of_user(inside: str) -> list[Path]:
    try:
        return [Path.home().absolute() / ".cache" / "pinnersage" / inside]
    except RuntimeError:  # A user without a home.
        return []


@cache
def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError:
        return False
    return True


def _compiled(function: F, **options: Any) -> F:
    dispatcher = numba.njit(nogil=True, error_model="numpy", **options)(function)
    dispatcher._cache = _cache_of(function)  # There is no public way to say where, nor what makes it stale.
    dispatcher.compile = interrupts_kept()(dispatcher.compile)  # A compiler calls back where none may end.
    return cast(F, dispatcher)


def _save(file: Any, key: Any, data: Any) -> None:
    """Save machine code, if there is room and it may be written."""
    with suppress(OSError):
        _save_whole(file, key, data)


def _save_whole(file: Any, key: Any, data: Any) -> None:
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

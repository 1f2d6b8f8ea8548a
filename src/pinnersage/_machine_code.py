"""Where a kernel's machine code lies, and what makes it stale: the compiler's cache, told what we know."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from glob import escape
from pathlib import Path
from typing import Any

import numba
from numba.core import caching

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

    def __init__(self, function: Callable[..., Any], folder: Path, stamp: str) -> None:
        self._folder, self._stamp, self._line = folder, stamp, function.__code__.co_firstlineno
        self._py_file = function.__code__.co_filename

    def from_function(self, _function: object, _file: str) -> _Place:
        return self

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return str(self._line)

    def ensure_cache_path(self) -> None:
        pass  # It was, or nothing can be kept.


class _Files(_caching.CompileResultCacheImpl):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any], folder: Path, stamp: str) -> None:
        self._locator_classes = [_Place(function, folder, stamp)]
        super().__init__(function)


class _Cache(_caching.FunctionCache):  # type: ignore[misc]
    """Machine code of one kernel in one directory, which may be one that cannot be written to."""

    def __init__(self, function: Callable[..., Any], folder: Path, stamp: str) -> None:
        self._impl_class = partial(_Files, folder=folder, stamp=stamp)
        super().__init__(function)
        self._cache_file.save = partial(_save, self._cache_file)
        self._cache_file._load_index = partial(_unless_damaged, self._cache_file._load_index, {})

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return _told(_unless_damaged(partial(super().load_overload, sig, target_context), None))

    def has_code(self) -> bool:
        return bool(self._cache_file._load_index())


def _unless_damaged(load: Callable[[], Any], otherwise: Any) -> Any:
    """Return what is loaded; ``otherwise`` for what a power cut left, or may not be read: it is made anew."""
    try:
        return load()
    except (OSError, EOFError, ValueError, pickle.PickleError):
        return otherwise


class _NoCache(_caching.NullCache):  # type: ignore[misc]
    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return _told(super().load_overload(sig, target_context))


def cache_of(function: Callable[..., Any], stamp: str) -> Any:
    """Return where a kernel's machine code lies: first where it can be written, or is already.

    Beside the package or in the user's cache; with ``NUMBA_CACHE_DIR``, there. Where neither can be written,
    as in an image that is mounted for reading and was not warmed, it is compiled in every process. Code with
    another ``stamp`` is not used.
    """
    beside = Path(function.__code__.co_filename).absolute().parent
    inside = f"{beside.name}_{hashlib.sha256(str(beside).encode()).hexdigest()[:16]}"
    given = _config.CACHE_DIR
    folders = [Path(given, inside).absolute()] if given else [beside / "__pycache__", *_of_user(inside)]
    for folder in folders:
        found = _Cache(function, folder, stamp)
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
    of_what = hashlib.sha256(repr((file._source_stamp, file._version, key)).encode()).hexdigest()
    name = f"{base}.{of_what[:16]}.nbc"
    file._save_data(name, data)
    file._save_index(known | {key: name})
    if not known:  # What other sources left; whoever looks for a file that is gone compiles again.
        for path in Path(file._cache_path).glob(f"{escape(base)}.*.nbc"):
            if path.name != name:
                path.unlink(missing_ok=True)

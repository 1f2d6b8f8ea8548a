"""DuckDB with bounded memory, and its errors told as ours."""

from __future__ import annotations

import errno
import importlib
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from pinnersage._interrupts import interrupts_put_off
from pinnersage._tables.memory import engine_limit_mb
from pinnersage.errors import DataError, StorageFullError, UnavailableError

if TYPE_CHECKING:
    import duckdb

Connection: TypeAlias = "duckdb.DuckDBPyConnection"

Progress = Callable[[str, int, int | None], None]
"""Called with a stage, how much is done, and of how much (None: not known); never from two threads."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_TEXTS = ("no space left", "file too large", "disk quota", "max_temp_directory_size")
_POLL_S = 0.1


def open_engine(scratch: Path, memory_limit_mb: int, n_threads: int | None = None) -> Connection:
    """Open a database of its own in ``scratch``, which also takes what does not fit in memory.

    ``memory_limit_mb`` is the most it takes of memory, in a small container a share of what that lets.
    """
    settings: dict[str, Any] = {
        "memory_limit": f"{engine_limit_mb(memory_limit_mb)}MB",
        "temp_directory": str(scratch / "spill"),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if n_threads is not None:
        settings["threads"] = n_threads
    with translated("the table engine"):
        connection: Connection = _library().connect(str(scratch / "staged.duckdb"), config=settings)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
    return connection


def _library() -> Any:
    """Return DuckDB, imported when it is needed: what serves a model asks it nothing."""
    with interrupts_put_off():
        return importlib.import_module("duckdb")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn errors of DuckDB, Arrow and the operating system into errors of this package.

    Parameters
    ----------
    what
        Names the file or table in the message.
    """
    try:
        yield
    except (_library().Error, pa.ArrowException, EOFError, zlib.error, OSError, RuntimeError) as error:
        told = _in_our_words(what, error)
        if told is None:
            raise
        raise told from error


def _in_our_words(what: str, error: Exception) -> BaseException | None:
    if isinstance(error, _library().InterruptException) or _says_interrupted(error):
        return KeyboardInterrupt()
    if isinstance(error, RuntimeError) and not isinstance(error, pa.ArrowException):
        return None  # Of Arrow's some are both.
    first = _first_line(error)
    if isinstance(error, (EOFError, zlib.error)):
        return DataError(f"{what}: the compressed file is damaged or cut short ({first})")
    if _says_full(error) or (isinstance(error, OSError) and error.errno in _FULL):
        return StorageFullError(
            f"{what}: no room left on the disk ({first}). Free some, or work in another directory."
        )
    if isinstance(error, _library().OutOfMemoryException):
        return UnavailableError(
            f"{what}: the table engine ran out of memory ({first}). "
            "Raise memory_limit_mb, or use fewer threads."
        )
    if isinstance(error, OSError):
        return DataError(f"{what}: cannot be read or written ({first})")
    return DataError(f"{what}: cannot be read as a table ({first})")


def _says_interrupted(error: Exception) -> bool:
    """Tell whether a Ctrl-C came while DuckDB had the main thread."""
    return type(error) is RuntimeError and "interrupted" in str(error).lower()


def _says_full(error: Exception) -> bool:
    text = str(error).lower()
    return any(full in text for full in _FULL_TEXTS)


def _first_line(error: Exception) -> str:
    told = "; ".join(map(str, error.args)) if len(error.args) > 1 and _is_arrows(error) else str(error)
    return (told.strip() or type(error).__name__).splitlines()[0]


def _is_arrows(error: Exception) -> bool:
    """Tell whether an error is Arrow's, whose parts are sentences; an OSError begins with a number."""
    return isinstance(error, pa.ArrowException) and not isinstance(error, OSError)


def run(
    connection: Connection,
    sql: str,
    stage: str,
    n_bytes: int,
    progress: Progress | None,
) -> list[tuple[Any, ...]]:
    """Run one long statement, telling ``progress`` from the calling thread; Ctrl-C stops it.

    Returns
    -------
    list of tuple
        All rows of the result.
    """
    if progress is None:
        return connection.execute(sql).fetchall()
    outcome: list[Any] = []
    # Not the thread's end: a Ctrl-C in join() may leave Python 3.11 believing that it has ended.
    finished = threading.Event()

    def work() -> None:
        try:
            outcome.append(connection.execute(sql).fetchall())
        except (_library().Error, pa.ArrowException, OSError) as error:
            outcome.append(error)
        finally:
            finished.set()

    threading.Thread(target=work, name=f"pinnersage-{stage}", daemon=True).start()
    try:
        while not finished.wait(_POLL_S):
            share = min(max(connection.query_progress(), 0.0), 100.0) / 100.0
            progress(stage, int(share * n_bytes), n_bytes)
    except BaseException:
        with interrupts_put_off():
            connection.interrupt()
            while not finished.wait(_POLL_S):  # It may not have begun when it was told to stop.
                connection.interrupt()
        raise
    if not outcome or isinstance(outcome[0], Exception):
        raise outcome[0] if outcome else RuntimeError(f"{stage}: the statement ended without a result")
    progress(stage, n_bytes, n_bytes)
    rows: list[tuple[Any, ...]] = outcome[0]
    return rows

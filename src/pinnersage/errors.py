"""Every error pinnersage raises on purpose.

::

    PinnerSageError
    ├── UsageError                 the call itself is wrong            exit 2   HTTP 400
    ├── DataError                  the input or a stored file is bad   exit 3   HTTP 422
    │   ├── SchemaError            columns, types or widths are wrong
    │   ├── BadRowsError           too many rows had to be left out
    │   └── StoredFormatError      a stored file is damaged or from a newer version
    ├── NotFoundError              what was asked for is not there     exit 4   HTTP 404
    │   ├── ModelNotFoundError
    │   ├── UserNotFoundError
    │   └── ItemNotFoundError
    └── UnavailableError           try again later, or free a resource exit 5   HTTP 503
        ├── BuildInProgressError   another build holds the directory
        ├── StorageFullError       the disk or the memory map is full
        └── WouldWaitError         the answer has to wait or takes long, and may not

A message says what was expected, what came, and what to do about it.
"""

from __future__ import annotations


class PinnerSageError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(PinnerSageError, ValueError):
    """An argument is outside what the function or verb accepts."""

    exit_code = 2


class DataError(PinnerSageError, ValueError):
    """Input data or a stored file cannot be used as it is."""

    exit_code = 3


class SchemaError(DataError):
    """A table lacks a column, or a column has an unusable type or width."""


class BadRowsError(DataError):
    """More rows had to be left out than the caller allows."""


class BadRowsWarning(UserWarning):
    """Rows of a table were left out of a build, fewer than it would refuse."""


class StoredFormatError(DataError):
    """A stored file is damaged, truncated, or written by a newer version."""


class NotFoundError(PinnerSageError, LookupError):
    """Something asked for by name does not exist."""

    exit_code = 4


class ModelNotFoundError(NotFoundError):
    """The directory holds no finished build."""


class UserNotFoundError(NotFoundError):
    """The store holds no record of the user."""


class ItemNotFoundError(NotFoundError):
    """The item is not in the catalogue."""


class UnavailableError(PinnerSageError, RuntimeError):
    """A resource is busy, full or gone; the same call may work later."""

    exit_code = 5


class BuildInProgressError(UnavailableError):
    """Another process is building into the same directory."""


class StorageFullError(UnavailableError):
    """The disk or the store's memory map has no room left."""


class WouldWaitError(UnavailableError):
    """The answer has to wait for a lock or for files, or takes long; ask where a call may wait."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra, to be run in a checkout.

    Examples
    --------
    >>> install_command("ranking")
    "pip install '.[ranking]'"
    """
    return f"pip install '.[{extra}]'"


def install_hint(extra: str) -> str:
    """Return what to do to have an extra, as the end of a message."""
    return f"run, in the checkout of pinnersage: {install_command(extra)}"

"""What is known of an item that is put online besides its embedding, checked before it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from pinnersage._times import to_ms
from pinnersage.errors import UsageError
from pinnersage.model.opened import OpenedGeneration
from pinnersage.streaming.entries import EMBEDDING_VERSION
from pinnersage.streaming.events import FIRST_MS

MAX_ATTRIBUTES_BYTES = 65_536
_LARGEST = float(np.finfo(np.float64).max)


def checked_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as they are kept: nulls left out, ``created_at`` in milliseconds.

    Raises
    ------
    UsageError
        JSON cannot hold a value, all are too large, or ``available``, ``quality`` or ``created_at`` are not
        what they should be.

    Examples
    --------
    >>> checked_attributes({"available": 0, "quality": np.float32(2), "created_at": "1970-01-02"})
    {'available': False, 'quality': 2.0, 'created_at': 86400000}
    """
    found = {name: _plain(value) for name, value in attributes.items()}
    found = {name: v for name, v in found.items() if v is not None or name == EMBEDDING_VERSION}
    if "available" in found:
        found["available"] = _available(found["available"])
    if "quality" in found:
        _check_quality(found["quality"])
    if "created_at" in found:
        found["created_at"] = _created_at_ms(found["created_at"])
    _check_size(found)
    return found


def with_version(opened: OpenedGeneration, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an item, the name of the model's embeddings among them, if they have one.

    Raises
    ------
    UsageError
        The embedding is said to be of another version.
    """
    version = opened.config.imports.embedding_version
    given = attributes.get(EMBEDDING_VERSION, version)
    if given != version:
        own = "no name for its embeddings" if version is None else repr(version)
        raise UsageError(
            f"{EMBEDDING_VERSION}: the model has {own}, got {given!r}; build it anew with embeddings of that "
            "version first (--embedding-version)"
        )
    rest = {name: value for name, value in attributes.items() if name != EMBEDDING_VERSION}
    return rest if version is None else rest | {EMBEDDING_VERSION: version}


def _plain(value: Any) -> Any:
    """Return numpy's numbers as Python's, and None for what a table of pandas has where nothing is."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    elif isinstance(value, (np.number, np.bool_, np.str_)):
        value = value.item()
    if type(value).__name__ == "NAType":  # Of pandas, which is not needed here.
        return None
    is_missing = isinstance(value, (float, datetime)) and value != value
    return None if is_missing else value


def _available(value: Any) -> bool:
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    raise UsageError(f"available: expected True or False, got {value!r:.100}")


def _check_quality(value: Any) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not -_LARGEST <= value <= _LARGEST:
        raise UsageError(f"quality: expected a finite number, got {value!r:.100}")


def _created_at_ms(value: Any) -> int | None:
    if isinstance(value, bool):
        raise UsageError(f"created_at: expected a time, got {value}")
    if isinstance(value, int | float) and abs(value) < FIRST_MS:
        raise UsageError(
            f"created_at: expected milliseconds since 1970, of 1980 or later, got {value:,}: are these "
            "seconds? Write an earlier time as text"
        )
    try:
        return to_ms(value)
    except (UsageError, TypeError) as error:
        raise UsageError(f"created_at: {error}") from None


def _check_size(attributes: Mapping[str, Any]) -> None:
    try:
        n_bytes = {name: len(json.dumps(value, allow_nan=False)) for name, value in attributes.items()}
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"attributes: expected values that JSON can hold, {error}") from None
    total, largest = sum(n_bytes.values()), max(n_bytes, key=n_bytes.__getitem__, default="")
    if total > MAX_ATTRIBUTES_BYTES:
        raise UsageError(
            f"attributes: expected at most {MAX_ATTRIBUTES_BYTES:,} bytes of JSON for all of an item, "
            f"got {total:,}; {str(largest)[:100]!r} is the largest with {n_bytes[largest]:,}, shorten it"
        )

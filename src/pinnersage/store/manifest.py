"""What a generation says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.store._durable import write_whole

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
OWN_KEYS = ("format_version", "library_version", "created_at")


def write_manifest(generation: Path, values: Mapping[str, Any], *, created_at_ms: int) -> None:
    """Write the manifest: ``values``, the format version, the library's version and the time."""
    taken = [key for key in OWN_KEYS if key in values]
    if taken:
        raise UsageError(f"the manifest's {taken[0]!r} is filled in by the library: leave it out")
    moment = datetime.fromtimestamp(created_at_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    own = {
        "format_version": FORMAT_VERSION,
        "library_version": version("pinnersage"),
        "created_at": moment.replace("+00:00", "Z"),
    }
    text = json.dumps(own | dict(values), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(generation / MANIFEST, f"{text}\n".encode())


def read_manifest(generation: Path) -> dict[str, Any]:
    """Return the manifest of a generation.

    Raises
    ------
    StoredFormatError
        If it is missing, damaged, or of a newer format.
    """
    path = generation / MANIFEST
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise _damaged(path, "it is missing") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(values, dict) or type(values.get("format_version")) is not int:
        raise _damaged(path, "it has no format_version")
    if values["format_version"] > FORMAT_VERSION:
        raise StoredFormatError(
            f"{generation} was written by pinnersage {values.get('library_version', 'of a newer version')}, "
            f"this is {version('pinnersage')}: upgrade (pip install --upgrade pinnersage)"
        )
    return values


def _damaged(path: Path, reason: str) -> StoredFormatError:
    return StoredFormatError(
        f"expected a manifest in {path}, but {reason}: "
        "restore the directory from a copy, roll back to an older generation, or run `pinnersage build` again"
    )

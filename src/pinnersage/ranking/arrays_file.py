"""Named arrays in one file: magic, version, length and checksum; nothing in it is executed."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage.errors import StoredFormatError
from pinnersage.items._files import finished_file

Arrays = dict[str, npt.NDArray[Any]]
_END_OF_HEADER = b"\n"
_MAX_HEADER_BYTES = 1_000


def save(path: Path, kind: str, version: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays to ``path``, which appears whole or not at all.

    Parameters
    ----------
    kind, version
        What the file holds; :func:`load` refuses another kind or a newer version.
    """
    body = io.BytesIO()
    np.savez(body, allow_pickle=False, **arrays)
    data = body.getvalue()
    header = {"kind": kind, "version": version, "n_bytes": len(data), "crc32": zlib.crc32(data)}
    with finished_file(path) as file:
        file.write(json.dumps(header).encode() + _END_OF_HEADER + data)


def load(path: Path, kind: str, version: int, names: Iterable[str]) -> Arrays:
    """Read the arrays ``names`` of a file of :func:`save`.

    Raises
    ------
    StoredFormatError
        The file is missing, damaged, of another kind or from a newer version.
    """
    try:
        header, data = _split(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoredFormatError(f"{path}: cannot be read as {kind} ({error}); build again") from error
    if header.get("kind") != kind or not isinstance(header.get("version"), int):
        raise StoredFormatError(f"{path}: expected {kind}, found {header.get('kind')!r}; build again")
    if header["version"] > version:
        raise StoredFormatError(
            f"{path}: written as version {header['version']}, this pinnersage reads up to {version}; "
            "upgrade it"
        )
    if (header.get("n_bytes"), header.get("crc32")) != (len(data), zlib.crc32(data)):
        raise StoredFormatError(f"{path}: length or checksum do not fit, the file is damaged; build again")
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        missing = sorted(set(names) - set(stored.files))
        if missing:
            raise StoredFormatError(f"{path}: expected arrays {', '.join(missing)}, found none; build again")
        return {name: stored[name] for name in names}


def _split(content: bytes) -> tuple[dict[str, Any], bytes]:
    header, separator, data = content.partition(_END_OF_HEADER)
    if not separator or len(header) > _MAX_HEADER_BYTES:
        raise ValueError("no header")
    parsed = json.loads(header)
    if not isinstance(parsed, dict):
        raise ValueError("no header")
    return parsed, data

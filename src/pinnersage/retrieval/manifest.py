"""The files of an index on disk: written beside, fsynced, renamed, and checked when opened."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pinnersage.errors import ModelNotFoundError, StoredFormatError, UsageError

FORMAT_VERSION = 1
MANIFEST = "index.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchSetting(_Frozen):
    """What auto-tuning chose for up to ``k`` neighbors.

    Attributes
    ----------
    k
        Neighbors asked for.
    k_factor
        Candidates re-ranked per neighbor asked for.
    nprobe
        Parts of the index looked into.
    recall
        Share of the true neighbors found, on the tuning queries.
    """

    k: int
    k_factor: float
    nprobe: int
    recall: float


class StoredFile(_Frozen):
    """Length and CRC-32 of one file."""

    n_bytes: int
    crc32: int


class IndexManifest(_Frozen):
    """What an index directory holds.

    Attributes
    ----------
    format_version
        Of this directory; newer ones are refused.
    kind
        ``exact``: searched without codes; ``codes``: 4-bit codes, re-ranked from the embeddings.
    reason
        Why this kind.
    factory
        The faiss factory string of the codes; empty for ``exact``.
    dim, n_rows, n_items
        Width of the embeddings, rows of their matrix, items of the pool.
    largest_norm
        Length of the longest embedding of the pool.
    settings
        Tuned search settings, by ascending ``k``; of a refused index, those that fell short.
    target_recall, seed, n_tuning_queries
        As asked.
    faiss_version
        Of the library that wrote the codes.
    files
        Name -> length and checksum.
    """

    format_version: int = FORMAT_VERSION
    kind: Literal["exact", "codes"]
    reason: str
    factory: str = ""
    dim: int
    n_rows: int
    n_items: int
    largest_norm: float
    settings: tuple[SearchSetting, ...] = ()
    target_recall: float
    seed: int
    n_tuning_queries: int = 0
    faiss_version: str
    files: dict[str, StoredFile] = {}


def publish(out_dir: Path, write: Callable[[Path], IndexManifest]) -> IndexManifest:
    """Let ``write`` fill a directory beside ``out_dir``, then give it that name in one rename.

    Raises
    ------
    UsageError
        ``out_dir`` exists and is not an empty directory.
    """
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise UsageError(f"the output must be new or an empty directory, but {out_dir} is not: name another")
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", suffix=".tmp", dir=out_dir.parent))
    try:
        manifest = _seal(staging, write(staging))
        staging.chmod(0o755)
        staging.rename(out_dir)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _sync(out_dir.parent)
    return manifest


def _seal(folder: Path, manifest: IndexManifest) -> IndexManifest:
    files = sorted(folder.iterdir())
    for path in files:
        _sync(path)
    sealed = manifest.model_copy(update={"files": {path.name: _measure(path) for path in files}})
    text = json.dumps(sealed.model_dump(mode="json"), indent=1) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    _sync(folder / MANIFEST)
    _sync(folder)
    return sealed


def read_manifest(folder: Path) -> IndexManifest:
    """Read and check a directory that :func:`publish` wrote.

    Raises
    ------
    ModelNotFoundError
        There is no index in the directory.
    StoredFormatError
        A file is missing, damaged, or newer than this version of the package.
    """
    try:
        fields = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = fields.get("format_version") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise StoredFormatError(
                f"{folder} has index format {version}, this version reads up to {FORMAT_VERSION}: "
                "upgrade pinnersage, or build the model again"
            )
        manifest = IndexManifest.model_validate(fields)
    except FileNotFoundError:
        raise ModelNotFoundError(f"expected an index in {folder}, found no {MANIFEST}: build first") from None
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise _damaged(folder / MANIFEST) from error
    for name, stored in manifest.files.items():
        path = folder / name
        if path.name != name or not path.is_file() or _measure(path) != stored:
            raise _damaged(path)
    return manifest


def _damaged(path: Path) -> StoredFormatError:
    return StoredFormatError(f"{path} is missing or damaged: restore a copy, or build the model again")


def _measure(path: Path) -> StoredFile:
    crc32, n_bytes = 0, 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc32, n_bytes = zlib.crc32(block, crc32), n_bytes + len(block)
    return StoredFile(n_bytes=n_bytes, crc32=crc32)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

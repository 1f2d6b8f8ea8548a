"""Build, open and search an index: 4-bit codes narrow the choice, the embeddings themselves decide.

Source: fast-scan product quantisation, Andre, Kermarrec, Le Scouarnec, "Cache locality is not
enough", VLDB 2015; why these parameters: ``docs/adr/0003-index.md``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s
from pinnersage.config import IndexConfig
from pinnersage.errors import StoredFormatError, UsageError
from pinnersage.retrieval._scores import as_float32, as_matrix, best_rows
from pinnersage.retrieval.base import VectorIndex, check_allowed, check_search
from pinnersage.retrieval.codes import (
    FAISS_VERSION,
    SMALLEST_DIM,
    SMALLEST_POOL,
    Progress,
    encode,
    factory,
    open_codes,
    scan,
    write_codes,
)
from pinnersage.retrieval.exact import ExactIndex, longest
from pinnersage.retrieval.manifest import IndexManifest, SearchSetting, publish, read_manifest
from pinnersage.retrieval.tuning import LARGEST_SHARE, choose, rows_at, tune, tuning_set

CODES_FILE = "codes.faiss"
ROWS_FILE = "rows.npy"
FEWEST_ALLOWED = 0.01
"""With a smaller share of the pool allowed, the allowed items are scanned exactly."""


def build_index(
    embeddings: npt.NDArray[Any],
    pool: Bools,
    out_dir: Path,
    config: IndexConfig,
    n_threads: int,
    progress: Progress | None = None,
) -> IndexManifest:
    """Index the items of the pool; the directory appears whole or not at all.

    Parameters
    ----------
    embeddings
        float32 or float16 ``(n_rows, dim)``, finite; may be memory-mapped. Not copied: opening the
        index needs the same matrix.
    pool
        bool ``(n_rows,)``: the items that can be found.
    out_dir
        New, or an empty directory.
    progress
        Called with ``(n_items_done, n_items)``.

    Returns
    -------
    IndexManifest
        Its ``kind`` is ``exact`` for a small pool, and when the codes stay below
        ``config.target_recall`` even at the widest setting; its ``reason`` says which.

    Raises
    ------
    UsageError
        A shape or type is wrong, or ``out_dir`` is taken.
    """
    exact = ExactIndex(embeddings, pool)
    rows = np.flatnonzero(pool).astype(np.int32)
    about = IndexManifest(
        kind="exact",
        reason=_reason_for_exact(len(rows), embeddings.shape[1], config),
        dim=embeddings.shape[1],
        n_rows=len(embeddings),
        n_items=len(rows),
        largest_norm=longest(embeddings, rows),
        target_recall=config.target_recall,
        seed=config.seed,
        faiss_version=FAISS_VERSION,
    )

    def write(folder: Path) -> IndexManifest:
        np.save(folder / ROWS_FILE, rows)
        if about.reason:
            return about
        codes = encode(embeddings, rows, seed=config.seed, n_threads=n_threads, progress=progress)
        judged = _judge(codes, embeddings, rows, exact, about)
        if judged.kind == "codes":
            write_codes(codes, folder / CODES_FILE)
        return judged

    return publish(Path(out_dir), write)


def _reason_for_exact(n_items: int, dim: int, config: IndexConfig) -> str:
    if n_items < max(config.exact_below, SMALLEST_POOL):
        return f"{n_items} items are fewer than {max(config.exact_below, SMALLEST_POOL)}"
    if dim < SMALLEST_DIM:
        return f"embeddings of width {dim} are too narrow for codes"
    return ""


def _judge(
    codes: Any, embeddings: npt.NDArray[Any], rows: Int32s, exact: ExactIndex, about: IndexManifest
) -> IndexManifest:
    """Tune, and refuse codes that miss the target recall at any tuned ``k``."""
    sample = tuning_set(as_matrix(embeddings), lambda r: as_float32(embeddings, r), rows, about.seed)
    settings = tune(codes, sample, exact, about.target_recall)
    short = [s for s in settings if s.recall < about.target_recall]
    reason = f"every tuned k reaches a recall of {about.target_recall}"
    if short:
        reason = (
            f"recall {short[0].recall:.4f} at k={short[0].k} is below {about.target_recall} even at the "
            "widest setting, so the pool is searched exactly"
        )
    return about.model_copy(
        update={
            "kind": "exact" if short else "codes",
            "reason": reason,
            "factory": "" if short else factory(len(rows), about.dim),
            "settings": settings,
            "n_tuning_queries": len(sample.rows),
        }
    )


def open_index(folder: Path, embeddings: npt.NDArray[Any]) -> VectorIndex:
    """Open what :func:`build_index` wrote, memory-mapped.

    Parameters
    ----------
    embeddings
        The matrix the index was built from.

    Raises
    ------
    ModelNotFoundError
        No index there.
    StoredFormatError
        A file is damaged or newer, or the matrix has another shape.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if embeddings.shape != (manifest.n_rows, manifest.dim):
        raise StoredFormatError(
            f"the index in {folder} was built from a {(manifest.n_rows, manifest.dim)} matrix, got "
            f"{embeddings.shape}: open the matrix of the same build"
        )
    rows = np.load(folder / ROWS_FILE, mmap_mode="r" if manifest.n_items else None, allow_pickle=False)
    pool = np.zeros(manifest.n_rows, np.bool_)
    pool[rows] = True
    exact = ExactIndex(embeddings, pool, largest_norm=manifest.largest_norm)
    if manifest.kind == "exact":
        return exact
    codes = open_codes(folder / CODES_FILE, n_items=manifest.n_items, dim=manifest.dim)
    return FaissIndex(codes, rows, exact, embeddings, manifest.settings)


class FaissIndex(VectorIndex):
    """Memory-mapped codes, re-ranked from the embeddings; scores are those of :class:`ExactIndex`.

    Opened by :func:`open_index`. Very deep searches, and those with few allowed items, are exact.
    """

    def __init__(
        self,
        codes: Any,
        rows: Int32s,
        exact: ExactIndex,
        embeddings: npt.NDArray[Any],
        settings: tuple[SearchSetting, ...],
    ) -> None:
        self._codes = codes
        self._rows = rows
        self._exact = exact
        self._matrix = as_matrix(embeddings)
        self._settings = settings

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._exact.dim

    @property
    def n_items(self) -> int:
        """Number of items that can be found."""
        return len(self._rows)

    def search(self, queries: Float32s, k: int, *, allowed: Bools | None = None) -> tuple[Float32s, Int32s]:
        """Find about the ``k`` best items; see :meth:`VectorIndex.search`."""
        codes = self._codes
        if codes is None:
            raise UsageError("the index is closed: open it again")
        queries = check_search(queries, k, self.dim)
        if allowed is None:
            share, living = 1.0, None
        else:
            check_allowed(allowed, len(self._matrix))
            living = allowed[self._rows]
            share = float(living.mean())
        n, nprobe = choose(self._settings, k)
        if not len(queries) or share < FEWEST_ALLOWED or n * LARGEST_SHARE > share * self.n_items:
            return self._exact.search(queries, k, allowed=allowed)
        nprobe = min(codes.nlist, math.ceil(nprobe / share))
        positions = scan(codes, queries, n, nprobe, living)
        return best_rows(queries, self._matrix, rows_at(self._rows, positions), k)

    def close(self) -> None:
        """Free the memory map."""
        self._codes = None

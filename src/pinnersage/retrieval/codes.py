"""All that touches faiss: 4-bit product-quantiser codes, trained, written, opened and scanned.

An inverted file even with one list (``IVF1``): the plain fast-scan type refuses selectors. Codes are
never added to or removed from after they are written: in faiss 1.15 removing and then adding damages
them, and adding to a memory-mapped store ends the process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage.errors import StoredFormatError
from pinnersage.retrieval._scores import as_float32

Progress = Callable[[int, int], None]

FAISS_VERSION = str(faiss.__version__)
ONE_LIST_UP_TO = 200_000
_faiss: Any = faiss  # its stubs know neither inverted files nor selectors
SMALLEST_DIM = 8
SMALLEST_POOL = 256
POINTS_PER_CENTROID = 64
N_ITERATIONS = 10
ADD_BLOCK = 65_536
_N_CODEWORDS = 16
_MIN_TRAINING = 4_096


def n_lists(n_items: int) -> int:
    """Parts of the inverted file: 1 up to 200 k items, else the power of two nearest ``4 sqrt(n)``."""
    return 1 if n_items <= ONE_LIST_UP_TO else 2 ** round(math.log2(4 * math.sqrt(n_items)))


def padded_dim(dim: int) -> int:
    """Even width the codes are made for: one code per pair of numbers, a zero is added to odd widths."""
    return dim + dim % 2


def factory(n_items: int, dim: int) -> str:
    """Return the faiss factory string for a pool of this size."""
    return f"IVF{n_lists(n_items)},PQ{padded_dim(dim) // 2}x4fs"


@contextmanager
def faiss_threads(n_threads: int) -> Iterator[None]:
    """Limit faiss to ``n_threads`` in this thread, and put back what was set before."""
    before = _faiss.omp_get_max_threads()
    _faiss.omp_set_num_threads(n_threads)
    try:
        yield
    finally:
        _faiss.omp_set_num_threads(before)


def encode(
    embeddings: npt.NDArray[Any], rows: Int32s, *, seed: int, n_threads: int, progress: Progress | None = None
) -> Any:
    """Train codes on a sample of ``rows`` and encode all of them; position ``i`` is ``rows[i]``.

    Training runs on one thread, encoding (one item does not touch another) on ``n_threads``.
    """
    codes = _faiss.index_factory(
        padded_dim(embeddings.shape[1]), factory(len(rows), embeddings.shape[1]), _faiss.METRIC_INNER_PRODUCT
    )
    for clustering in (codes.cp, codes.pq.cp):
        clustering.seed = seed & 0x7FFF_FFFF
        clustering.niter = N_ITERATIONS
        clustering.max_points_per_centroid = POINTS_PER_CENTROID
    codes.pq.cp.max_points_per_centroid = _MIN_TRAINING // _N_CODEWORDS
    with faiss_threads(1):
        codes.train(_pad(as_float32(embeddings, _training_rows(rows, codes.nlist, seed))))
    with faiss_threads(n_threads):
        for start in range(0, len(rows), ADD_BLOCK):
            codes.add(_pad(as_float32(embeddings, rows[start : start + ADD_BLOCK])))
            if progress is not None:
                progress(min(start + ADD_BLOCK, len(rows)), len(rows))
    return codes


def _training_rows(rows: Int32s, nlist: int, seed: int) -> Int32s:
    n = min(len(rows), max(_MIN_TRAINING, POINTS_PER_CENTROID * nlist))
    return np.sort(np.random.default_rng(seed).choice(rows, n, replace=False, shuffle=False))


def write_codes(codes: Any, path: Path) -> None:
    """Write the codes; not atomic, the caller publishes."""
    _faiss.write_index(codes, str(path))


def open_codes(path: Path, *, n_items: int, dim: int) -> Any:
    """Open codes memory-mapped (plain ``IO_FLAG_MMAP`` would read them into memory).

    Raises
    ------
    StoredFormatError
        The file is not readable by this faiss, or holds something else.
    """
    try:
        codes = _faiss.read_index(str(path), _faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        message = f"{path} cannot be read by faiss {FAISS_VERSION}: build the model again"
        raise StoredFormatError(message) from error
    if codes.ntotal != n_items or codes.d != padded_dim(dim):
        raise StoredFormatError(
            f"{path} holds {codes.ntotal} items of width {codes.d}, expected {n_items} of {padded_dim(dim)}: "
            "build the model again"
        )
    return codes


def scan(codes: Any, queries: Float32s, n: int, nprobe: int, allowed: Bools | None = None) -> Int64s:
    """Return the positions of the ``n`` best items by code, int64 ``(n_queries, n)``, -1 where fewer.

    Parameters
    ----------
    allowed
        bool ``(n_items,)`` by position: only these may be returned.
    """
    parameters = _faiss.SearchParametersIVF(nprobe=nprobe)
    if allowed is not None:
        bits = np.packbits(allowed, bitorder="little")
        selector = _faiss.IDSelectorBitmap(bits)
        parameters = _faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)
    with faiss_threads(1):
        _, positions = codes.search(_pad(queries), n, params=parameters)
    return np.asarray(positions, dtype=np.int64)


def _pad(vectors: Float32s) -> Float32s:
    if vectors.shape[1] % 2 == 0:
        return np.ascontiguousarray(vectors)
    return np.pad(vectors, ((0, 0), (0, 1)))

"""A matrix on disk, mapped with room for more rows behind it."""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage.errors import StoredFormatError

_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
_FIXED = 0x10
_FAILED = ctypes.c_void_p(-1).value
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
]  # fmt: skip
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def map_with_spare_rows(path: Path, n_spare: int) -> npt.NDArray[Any]:
    """Map a ``.npy`` matrix so that ``n_spare`` rows of zeros follow its own; nothing is copied.

    The pages of the file are private to this process once written to: the file never changes, and
    the spare rows take memory only when they are used.

    Parameters
    ----------
    path
        Float matrix ``(n_rows, dim)`` in C order.

    Returns
    -------
    writable array ``(n_rows + n_spare, dim)``.

    Raises
    ------
    StoredFormatError
        The file is not such a matrix.
    """
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StoredFormatError(f"{path}: cannot be read as embeddings ({error}); build again") from error
    if matrix.ndim != 2 or not matrix.flags.c_contiguous:
        raise StoredFormatError(f"{path}: expected a matrix in C order, found shape {matrix.shape}")
    shape = (len(matrix) + n_spare, matrix.shape[1])
    n_bytes = matrix.offset + shape[0] * shape[1] * matrix.dtype.itemsize
    start = _reserve(n_bytes)
    _map_file(path, start)
    buffer = (ctypes.c_char * n_bytes).from_address(start)
    weakref.finalize(buffer, _libc.munmap, start, n_bytes)
    flat = np.frombuffer(buffer, matrix.dtype, shape[0] * shape[1], matrix.offset)
    return flat.reshape(shape)


def _reserve(n_bytes: int) -> int:
    return _mmap(None, n_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE, -1)


def _map_file(path: Path, start: int) -> None:
    with path.open("rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        _mmap(start, n_bytes, mmap.MAP_PRIVATE | _FIXED | _NORESERVE, file.fileno())


def _mmap(start: int | None, n_bytes: int, flags: int, descriptor: int) -> int:
    found = _libc.mmap(start, n_bytes, mmap.PROT_READ | mmap.PROT_WRITE, flags, descriptor, 0)
    if found == _FAILED or found is None:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot map {n_bytes:,} bytes of embeddings: {os.strerror(code)}")
    return int(found)

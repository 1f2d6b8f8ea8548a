"""The embedding matrix on disk: appended in reading order, put in id order, never whole in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Int64s
from pinnersage._tables.engine import translated
from pinnersage.items._files import finished_file

_BLOCK_BYTES = 64 * 2**20
_HEADER_BYTES = 128

Rows = npt.NDArray[np.floating[Any]]


class RowFile:
    """Rows of floats appended to a file without a header."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._path = path
        self._dtype = np.dtype(dtype)
        with translated(str(path)):
            self._file: BinaryIO = path.open("wb")
        self.n_rows = 0
        self.width = 0

    def append(self, rows: Rows) -> None:
        """Add rows, all of one width."""
        if len(rows):
            self.width = rows.shape[1]
            self.n_rows += len(rows)
            with translated(str(self._path)):
                self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)

    def close(self) -> None:
        """Write what is still buffered."""
        with translated(str(self._path)):
            self._file.close()

    def write_npy(self, path: Path, order: Int64s, block_bytes: int = _BLOCK_BYTES) -> None:
        """Write rows ``order`` as a ``.npy`` file, a block at a time, and flush it to the disk."""
        self.close()
        n_block = max(1, block_bytes // (self.width * self._dtype.itemsize))
        with finished_file(path) as file:
            file.write(npy_header(self._dtype, (len(order), self.width)))
            for start in range(0, len(order), n_block):
                # A map of its own for each block: pages read go with it and do not add up in memory.
                shape = (self.n_rows, self.width)
                rows = np.memmap(self._path, self._dtype, mode="r", shape=shape)
                file.write(rows[order[start : start + n_block]].data)


def npy_header(dtype: np.dtype[Any], shape: tuple[int, int]) -> bytes:
    """Return the header of a ``.npy`` file, version 1.0, always 128 bytes."""
    text = repr({"descr": dtype.str, "fortran_order": False, "shape": shape})
    magic = np.lib.format.magic(1, 0)
    n_text = _HEADER_BYTES - len(magic) - 2
    return bytes(magic) + n_text.to_bytes(2, "little") + text.ljust(n_text - 1).encode() + b"\n"

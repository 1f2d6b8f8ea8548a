"""The catalogue as it is used: embeddings, ids and attributes, all memory-mapped and row by row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from pinnersage._arrays import Bools
from pinnersage.errors import StoredFormatError
from pinnersage.items.origin import EmbeddingOrigin
from pinnersage.items.vocabulary import ItemVocabulary

EMBEDDINGS_FILE = "embeddings.npy"
VOCABULARY_FILE = "vocabulary.arrow"
ATTRIBUTES_FILE = "attributes.arrow"


@dataclass(frozen=True, slots=True)
class ItemTable:
    """Items, ascending by id.

    Attributes
    ----------
    embeddings
        float32 or float16 ``(n_items, n_dimensions)``, C order, mapped read-only.
    vocabulary
        Id <-> row.
    attributes
        Arrow table of ``n_items`` rows: whichever of ``title, url, image_url, category, provider,
        quality, created_at_ms, available`` were given, and all other scalar columns.
    pool
        bool ``(n_items,)``: False where ``available`` is false.
    origin
        Where the embeddings come from, as far as the table that was read tells.
    """

    embeddings: npt.NDArray[Any]
    vocabulary: ItemVocabulary
    attributes: pa.Table
    pool: Bools
    origin: EmbeddingOrigin | None = None

    def __len__(self) -> int:
        return len(self.vocabulary)

    def candidates(self, min_quality: float | None) -> Bools:
        """Return which items may be candidates: in the pool, and good enough where a quality is known."""
        pool = self.pool.copy()
        if min_quality is not None and "quality" in self.attributes.column_names:
            quality = self.attributes.column("quality").to_numpy(zero_copy_only=False).astype(np.float64)
            pool &= ~(quality < min_quality)
        return pool

    @classmethod
    def open(cls, directory: str | Path) -> ItemTable:
        """Map the files that :func:`~pinnersage.items.importing.import_items` wrote.

        Raises
        ------
        StoredFormatError
            A file is missing or damaged, or the files do not belong together.
        """
        directory = Path(directory)
        vocabulary = ItemVocabulary.open(directory / VOCABULARY_FILE)
        embeddings = _open_embeddings(directory / EMBEDDINGS_FILE)
        attributes = _open_attributes(directory / ATTRIBUTES_FILE)
        n_rows = {len(vocabulary), len(embeddings), attributes.num_rows}
        if len(n_rows) > 1:
            raise StoredFormatError(
                f"{directory}: expected as many embeddings and attributes as ids, found "
                f"{len(vocabulary)} ids, {len(embeddings)} embeddings, {attributes.num_rows} rows of "
                "attributes; build again"
            )
        return cls(embeddings, vocabulary, attributes, _pool(attributes))


def _open_embeddings(path: Path) -> npt.NDArray[Any]:
    try:
        matrix: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StoredFormatError(f"{path}: cannot be read as embeddings ({error}); build again") from error
    if matrix.ndim != 2 or matrix.dtype not in (np.float32, np.float16):
        raise StoredFormatError(f"{path}: expected a float matrix, found {matrix.shape} of {matrix.dtype}")
    return matrix


def _open_attributes(path: Path) -> pa.Table:
    try:
        with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
            attributes = reader.read_all()
        attributes.validate(full=True)
        return attributes
    except (pa.ArrowException, OSError) as error:
        raise StoredFormatError(f"{path}: cannot be read as attributes ({error}); build again") from error


def _pool(attributes: pa.Table) -> Bools:
    if "available" not in attributes.column_names:
        return np.ones(attributes.num_rows, dtype=np.bool_)
    column = pa.compute.fill_null(attributes.column("available"), True)
    pool: Bools = np.asarray(column.to_numpy(), dtype=np.bool_)
    return pool

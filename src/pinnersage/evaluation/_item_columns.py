"""What a replay takes from the catalogue besides embeddings and births: categories, providers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute

from pinnersage._arrays import Int32s
from pinnersage.items.table import ItemTable


class Coded(NamedTuple):
    """A column of texts: int32 codes by first appearance (-1: empty), and the text of each code."""

    codes: Int32s | None
    names: pa.Array | None


def coded(items: ItemTable, name: str) -> Coded:
    """Return an attribute's codes and names; None both where the items have no such column."""
    if name not in items.attributes.column_names:
        return Coded(None, None)
    column = items.attributes.column(name).combine_chunks().dictionary_encode()
    codes: Int32s = np.asarray(column.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int32)
    return Coded(codes, pyarrow.compute.cast(column.dictionary, pa.large_string()))

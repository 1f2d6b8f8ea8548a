"""What a replay takes from the catalogue besides embeddings: births, categories, providers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute

from pinnersage._arrays import Int32s, Int64s
from pinnersage.actions.batch import ActionBatch
from pinnersage.items.table import ItemTable

NEVER_MS = int(np.iinfo(np.int64).max)


class Coded(NamedTuple):
    """A column of texts: int32 codes by first appearance (-1: empty), and the text of each code."""

    codes: Int32s | None
    names: pa.Array | None


def born_ms(actions: ActionBatch, items: ItemTable) -> Int64s:
    """Return the item's ``created_at_ms`` or its first action, whichever is earlier."""
    born = np.full(len(items), NEVER_MS, np.int64)
    if "created_at_ms" in items.attributes.column_names:
        column = items.attributes.column("created_at_ms").combine_chunks()
        born = np.asarray(column.fill_null(NEVER_MS).to_numpy(zero_copy_only=False), np.int64).copy()
    np.minimum.at(born, actions.item_rows, actions.times_ms)
    return born


def coded(items: ItemTable, name: str) -> Coded:
    """Return an attribute's codes and names; None both where the items have no such column."""
    if name not in items.attributes.column_names:
        return Coded(None, None)
    column = items.attributes.column(name).combine_chunks().dictionary_encode()
    codes: Int32s = np.asarray(column.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int32)
    return Coded(codes, pyarrow.compute.cast(column.dictionary, pa.large_string()))

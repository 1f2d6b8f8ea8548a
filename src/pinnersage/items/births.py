"""When items came to be: the one rule for what existed before a moment."""

from __future__ import annotations

import numpy as np

from pinnersage._arrays import Int32s, Int64s
from pinnersage.items.table import ItemTable

NEVER_MS = int(np.iinfo(np.int64).max)


def born_ms(items: ItemTable, item_rows: Int32s | Int64s, times_ms: Int64s) -> Int64s:
    """Return when each item was created or first acted on, whichever is earlier.

    Parameters
    ----------
    items
        ``created_at_ms`` is read where they have it.
    item_rows, times_ms
        ``(n_actions,)``: item and time of the actions, in any order. An item existed before a moment where
        its birth is earlier, so that later actions need not be among them to tell that.

    Returns
    -------
    int64 ``(n_items,)``; :data:`NEVER_MS` for an item without either.
    """
    born = np.full(len(items), NEVER_MS, np.int64)
    if "created_at_ms" in items.attributes.column_names:
        column = items.attributes.column("created_at_ms").combine_chunks()
        born = np.asarray(column.fill_null(NEVER_MS).to_numpy(zero_copy_only=False), np.int64).copy()
    np.minimum.at(born, item_rows, times_ms)
    return born

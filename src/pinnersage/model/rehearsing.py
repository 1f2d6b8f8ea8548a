"""The first call of its kind compiles kernels, which takes seconds: a rehearsal does it before."""

from __future__ import annotations

from itertools import islice

import numpy as np

from pinnersage.model.opened import OpenedGeneration
from pinnersage.model.writing import state_of
from pinnersage.store.codec import decode_records, encode_records
from pinnersage.streaming.entries import ActionEntry
from pinnersage.streaming.extending import live_record
from pinnersage.streaming.folding import Known, fold

_N_ITEMS = 8
_NOBODY = "nobody"


def rehearse_writes(opened: OpenedGeneration) -> None:
    """Fold made actions into no record and into one of the store's, read it later; nothing is written."""
    rows = np.flatnonzero(opened.pool)[:_N_ITEMS]
    if not len(rows):
        return
    item_ids = opened.items.vocabulary.ids_of(rows)
    known_users = islice(opened.store.user_ids(), 1)
    stored = {user: record for user in known_users if (record := opened.store.get(user)) is not None}
    now_ms = opened.now_ms
    entries = [
        ActionEntry(user, item_id, now_ms + n, "", 1.0, 0, now_ms)
        for user in (*stored, _NOBODY)
        for n, item_id in enumerate(item_ids)
    ]
    _, writes = fold(state_of(opened), entries, Known(stored), opened.items, opened.config.interests)
    buffer, offsets = encode_records(list(writes.records.values()))
    decode_records([bytes(buffer[: offsets[1]])])
    for record in stored.values():  # As it is read once others have acted.
        live_record(record, opened.items, opened.kinds, opened.config.interests, now_ms + 1)
    opened.items.scaled(np.asarray(opened.items.embeddings[rows[0]], np.float64))

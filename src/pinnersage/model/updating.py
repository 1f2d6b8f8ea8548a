"""New actions into a store: the same function as the batch, on the users they touch."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

from pinnersage._report import ImportReport
from pinnersage.actions.batch import ActionBatch
from pinnersage.actions.staging import stage_actions
from pinnersage.config import BuildConfig
from pinnersage.errors import UsageError
from pinnersage.interests.extend import extend_records
from pinnersage.items.table import ItemTable
from pinnersage.model.building import wall_clock_ms
from pinnersage.store.base import InterestStore

NOW_META = "now_ms"
KINDS_META = "kinds"
_SEPARATOR = "\x00"


def store_now_ms(store: InterestStore, built_ms: int) -> int:
    """Return the moment the store's interests refer to: the build's, or a later update's."""
    value = store.get_meta(NOW_META)
    return built_ms if value is None else int(value)


def store_kinds(store: InterestStore, built: list[str]) -> list[str]:
    """Return the vocabulary of action kinds, those of later updates at its end."""
    value = store.get_meta(KINDS_META)
    return built if value is None else value.decode().split(_SEPARATOR)


def update_store(
    store: InterestStore,
    items: ItemTable,
    actions: Any,
    config: BuildConfig,
    *,
    built_ms: int,
    built_kinds: list[str],
    user_kind: str,
) -> ImportReport:
    """Add actions to the records of their users, as a build over all actions together would have.

    Records are written a batch of users at a time; each write is durable and whole. Doing it again
    changes nothing.
    """
    with (
        tempfile.TemporaryDirectory(prefix="pinnersage-update-") as scratch,
        stage_actions(
            actions, items.vocabulary, config.imports, now_ms=None,
            wall_clock_ms=wall_clock_ms(), work_dir=scratch, n_threads=config.n_threads,
        ) as log,
    ):  # fmt: skip
        now_ms = max(store_now_ms(store, built_ms), log.newest_ms)
        kinds = store_kinds(store, built_kinds)
        kinds = kinds + [kind for kind in log.kinds if kind not in kinds]
        codes = np.array([kinds.index(kind) for kind in log.kinds], np.uint8)
        meta = {NOW_META: str(now_ms).encode(), KINDS_META: _SEPARATOR.join(kinds).encode()}
        for batch in log.batches(now_ms):
            known = _as_known(batch, codes, user_kind)
            records = store.get_many(known.user_ids)
            extended = extend_records(records, known, items.embeddings, config.interests, now_ms)
            store.put_many(
                ((extended.user_ids[u], extended.record(u)) for u in range(extended.n_users)), meta=meta
            )
        return log.report


def _as_known(batch: ActionBatch, codes: np.ndarray[Any, Any], user_kind: str) -> ActionBatch:
    """Return the batch with the model's kind codes and type of user ids."""
    user_ids = batch.user_ids
    if user_kind == "string":
        user_ids = [str(user_id) for user_id in user_ids]
    elif user_ids and isinstance(user_ids[0], str):
        try:
            user_ids = [int(user_id) for user_id in user_ids]
        except ValueError as error:
            raise UsageError(f"user_id: expected integers, as in the model ({error})") from None
    return ActionBatch(
        user_ids, batch.offsets, batch.item_rows, batch.times_ms, batch.weights,
        codes[batch.kinds], batch.event_keys,
    )  # fmt: skip

"""Small catalogues in memory, and events on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Float32s
from pinnersage._ids import UserId
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import MS_PER_DAY, InterestConfig
from pinnersage.interests.build import build_records
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import LiveItems
from pinnersage.items.table import ItemTable
from pinnersage.items.vocabulary import ItemVocabulary
from pinnersage.streaming.entries import ActionEntry

N_ITEMS, DIM = 12, 4
START_MS = 1_700_000_000_000
WINDOW = InterestConfig(window_days=10.0, max_merge_cost=0.7)


def embeddings(n: int = N_ITEMS, seed: int = 0) -> Float32s:
    values = np.random.default_rng(seed).normal(size=(n, DIM))
    found: Float32s = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return found


def item_id(number: int) -> str:
    return f"i{number:02d}"


def live_items(numbers: Sequence[int] = range(N_ITEMS), n_spare: int = 20) -> LiveItems:
    """Return a catalogue of some of the items, which are numbered in the order of their ids."""
    chosen = sorted(numbers)
    known = embeddings()[chosen]
    vocabulary = ItemVocabulary.from_ids([item_id(number) for number in chosen])
    attributes = pa.table({"title": [f"title {number}" for number in chosen]})
    pool = np.ones(len(chosen), np.bool_)
    room = np.vstack([known, np.zeros((n_spare, DIM), np.float32)])
    table = ItemTable(known, vocabulary, attributes, pool)
    return LiveItems(table, room, pool, normalize=True, min_quality=None)


def entry(
    user: str,
    number: int,
    day: float,
    kind: str = "",
    weight: float = 1.0,
    key: int = 0,
    *,
    retract: bool = False,
) -> ActionEntry:
    time_ms = START_MS + round(day * MS_PER_DAY)
    return ActionEntry(user, item_id(number), time_ms, kind, float(np.float32(weight)), key, 0, retract)


def batch_records(
    entries: Sequence[ActionEntry], kinds: Sequence[str], config: InterestConfig, now_ms: int
) -> dict[UserId, UserRecord]:
    """Return what a batch builds of actions: kinds sorted by name, items by id; the oracle."""
    users = sorted({e.user_id for e in entries}, key=str)
    own = [[e for e in entries if e.user_id == user] for user in users]
    flat = [e for group in own for e in group]
    batch = ActionBatch(
        users,  # type: ignore[arg-type]
        np.concatenate(([0], np.cumsum([len(group) for group in own]))).astype(np.int64),
        np.array([int(str(e.item_id)[1:]) for e in flat], np.int32),
        np.array([e.time_ms for e in flat], np.int64),
        np.array([e.weight for e in flat], np.float32),
        np.array([sorted(kinds).index(e.kind) for e in flat], np.uint8),
        np.array([e.event_key for e in flat], np.uint64),
    )
    built = build_records(batch, embeddings(), config, now_ms)
    return {user: built.record(u) for u, user in enumerate(users)}


def told(record: UserRecord, items: LiveItems, kinds: Sequence[str]) -> dict[str, object]:
    """Return a record in ids and names, so that two numberings can be compared bit for bit."""
    ids_of = items.vocabulary.ids_of
    return {
        "as_of_ms": record.as_of_ms,
        "items": ids_of(record.item_rows),
        "times_ms": record.times_ms.tolist(),
        "weights": record.weights.tolist(),
        "kinds": [kinds[code] for code in record.kinds.tolist()],
        "event_keys": record.event_keys.tolist(),
        "labels": record.labels.tolist(),
        "medoids": ids_of(record.medoid_rows),
        "importances": record.importances.tolist(),
        "seen": sorted(ids_of(record.seen_rows)),
    }

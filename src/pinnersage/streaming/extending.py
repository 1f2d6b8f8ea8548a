"""Records on a live catalogue: extended, or seen at a later moment, as a fresh batch would build them.

A batch numbers items by id and action kinds by name; both orders settle ties. Rows behind those of the
build and kinds that came later stand at the end instead. So users who have any are renumbered for the
computation, in the order of the batch, and back.

Actions on items that were taken out stay in the record, in no interest, in case the item returns;
:func:`live_record` leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pinnersage._arrays import Bools, Int32s, UInt8s
from pinnersage.actions.batch import ActionBatch
from pinnersage.config import InterestConfig
from pinnersage.interests.extend import extend_records, nothing_new
from pinnersage.interests.moving import record_at
from pinnersage.interests.record import UserRecord
from pinnersage.items.live import GONE, LiveItems

_COLUMNS = ("item_rows", "times_ms", "weights", "kinds", "event_keys", "labels")


def live_record(
    record: UserRecord,
    items: LiveItems,
    kinds: Sequence[str],
    config: InterestConfig,
    now_ms: int,
    refill: ActionBatch | None = None,
) -> UserRecord:
    """Return a stored record as of ``now_ms`` on the catalogue as it is: what a fresh batch would build.

    Parameters
    ----------
    refill
        Of a record that :func:`has_room`: all actions of the user that are known besides.
    """
    if refill is not None:
        living = _living(record, _gone(record, items), items)
        return _rebuilt([living], refill, items, kinds, config, now_ms)[0]
    if not items.n_retired and not _has_new(record, items):
        return record_at(record, now_ms, items.embeddings, config)
    gone = _gone(record, items)
    settled = not (record.labels[gone] >= 0).any()
    living = _living(record, gone, items)
    if settled and not _has_new(living, items):
        return record_at(living, now_ms, items.embeddings, config)
    return _rebuilt([living], nothing_new(0), items, kinds, config, now_ms)[0]


def has_room(record: UserRecord, items: LiveItems, config: InterestConfig) -> bool:
    """Tell whether a record that may have left older actions out has room for them now.

    It had as many as count at most, and items of some were taken out since.
    """
    if record.n_actions < config.max_actions or not items.n_retired:
        return False
    return record.n_actions - int(_gone(record, items).sum()) < config.max_actions


def extended(
    records: Sequence[UserRecord | None],
    actions: ActionBatch,
    items: LiveItems,
    kinds: Sequence[str],
    config: InterestConfig,
    now_ms: int,
) -> list[UserRecord]:
    """Return the records to store once ``actions`` are added; see :func:`extend_records`.

    Parameters
    ----------
    records
        As stored, for each user of ``actions``; ``None`` for a new one.
    actions
        On items of the catalogue; kinds are codes of ``kinds``.
    """
    if not items.n_retired:
        return _rebuilt(records, actions, items, kinds, config, now_ms)
    gone = [_gone(record, items) for record in records]
    living = [
        record if record is None else _living(record, out, items)
        for record, out in zip(records, gone, strict=True)
    ]
    built = _rebuilt(living, actions, items, kinds, config, now_ms)
    return [
        _with_gone(new, record, out, now_ms - config.window_ms) if out.any() and record is not None else new
        for new, record, out in zip(built, records, gone, strict=True)
    ]


def without(record: UserRecord, left_out: Bools) -> UserRecord:
    """Return a record without some of its actions; its interests are stale then.

    Other actions of the clusters that lost one are labelled -1: these are to be made anew.
    """
    if not left_out.any():
        return record
    record = replace(record, labels=_labels_of_whole(record, left_out))
    return replace(record, **{name: getattr(record, name)[~left_out] for name in _COLUMNS})


def with_rows(record: UserRecord, items: LiveItems) -> UserRecord:
    """Return a record whose actions, and what was seen, name the rows that stand for their items now."""
    if not items.n_retired:
        return record
    now = items.current_rows[record.seen_rows]
    seen = np.unique(np.where(now == GONE, record.seen_rows, now)).astype(np.int32)
    return replace(record, item_rows=items.current_rows[record.item_rows], seen_rows=seen)


def _living(record: UserRecord, gone: Bools, items: LiveItems) -> UserRecord:
    """Return a record on the catalogue as it is; clusters with items in other rows lose their label."""
    if not items.n_retired:
        return record
    labels = _labels_of_whole(record, items.current_rows[record.item_rows] != record.item_rows)
    return with_rows(without(replace(record, labels=labels), gone), items)


def _labels_of_whole(record: UserRecord, changed: Bools) -> Int32s:
    """Return the labels, -1 for all actions of a cluster of which one changed."""
    broken = np.zeros(record.n_interests + 1, np.bool_)
    broken[record.labels[changed]] = True
    return np.where(broken[record.labels], np.int32(-1), record.labels)


def _gone(record: UserRecord | None, items: LiveItems) -> Bools:
    if record is None or not items.n_retired:
        return np.zeros(0 if record is None else record.n_actions, np.bool_)
    found: Bools = items.current_rows[record.item_rows] == GONE
    return found


def _has_new(record: UserRecord, items: LiveItems) -> bool:
    return bool(record.n_actions) and int(np.maximum.reduce(record.item_rows)) >= items.n_base


def _rebuilt(
    records: Sequence[UserRecord | None],
    actions: ActionBatch,
    items: LiveItems,
    kinds: Sequence[str],
    config: InterestConfig,
    now_ms: int,
) -> list[UserRecord]:
    """Extend records, with rows and kinds numbered as in a batch meanwhile."""
    orders = _kind_orders(kinds)
    ranked, known = actions, list(records)
    if orders is not None:
        ranked = replace(actions, kinds=orders[0][actions.kinds])
        known = [None if r is None else replace(r, kinds=orders[0][r.kinds]) for r in records]
    used = np.concatenate([actions.item_rows, *(r.item_rows for r in known if r is not None)])
    embeddings: npt.NDArray[Any] = items.embeddings
    numbering = None
    if len(used) and used.max() >= items.n_base:
        numbering = _in_id_order(np.unique(used), items)
        embeddings = np.asarray(embeddings[numbering], np.float32)
        ranked = replace(ranked, item_rows=_numbers(numbering, ranked.item_rows))
        known = [None if r is None else _renumbered(r, numbering) for r in known]
    batch = extend_records(known, ranked, embeddings, config, now_ms)
    built = batch.records()
    if orders is not None:
        built = [replace(new, kinds=orders[1][new.kinds]) for new in built]
    return [_restored(new, old, numbering) for new, old in zip(built, records, strict=True)]


def _restored(new: UserRecord, old: UserRecord | None, numbering: Int32s | None) -> UserRecord:
    if numbering is None:
        return new
    rows = numbering[new.item_rows]
    before = np.empty(0, np.int32) if old is None else old.seen_rows
    seen = np.setdiff1d(np.union1d(numbering[new.seen_rows], before), rows).astype(np.int32)
    return replace(new, item_rows=rows, medoid_rows=numbering[new.medoid_rows], seen_rows=seen)


def _renumbered(record: UserRecord, numbering: Int32s) -> UserRecord:
    """Return a record in numbers of ``numbering``; what was seen before joins again afterwards."""
    rows = _numbers(numbering, record.item_rows)
    return replace(record, item_rows=rows, seen_rows=np.empty(0, np.int32))


def _in_id_order(rows: Int32s, items: LiveItems) -> Int32s:
    """Return rows in the order in which a batch would number their items."""
    ids = items.vocabulary.ids_of(rows)
    integers = items.vocabulary.kind == "integer"
    order = sorted(range(len(ids)), key=lambda i: ids[i] if integers else str(ids[i]).encode())
    return rows[order].astype(np.int32)


def _numbers(numbering: Int32s, rows: Int32s) -> Int32s:
    """Return the position of each row in ``numbering``."""
    order = np.argsort(numbering)
    found: Int32s = order[np.searchsorted(numbering, rows, sorter=order)].astype(np.int32)
    return found


def _kind_orders(kinds: Sequence[str]) -> tuple[UInt8s, UInt8s] | None:
    """Return the position of each code in the order of names, and the code at each; None if in order."""
    if list(kinds) == sorted(kinds, key=str.encode):
        return None
    code = np.array(sorted(range(len(kinds)), key=lambda c: kinds[c].encode()), np.uint8)
    rank = np.empty(len(kinds), np.uint8)
    rank[code] = np.arange(len(kinds))
    return rank, code


def _with_gone(new: UserRecord, old: UserRecord, gone: Bools, oldest_ms: int) -> UserRecord:
    """Put the window's actions on items taken out back among the others, in no interest."""
    kept = gone & (old.times_ms > oldest_ms)
    columns = {name: np.concatenate((getattr(new, name), getattr(old, name)[kept])) for name in _COLUMNS[:-1]}
    labels = np.concatenate((new.labels, np.full(int(kept.sum()), -1, np.int32)))
    order = np.argsort(columns["times_ms"], kind="stable")
    seen = np.union1d(new.seen_rows, old.item_rows[gone & ~kept]).astype(np.int32)
    sorted_columns: dict[str, Any] = {name: column[order] for name, column in columns.items()}
    return replace(new, labels=labels[order], seen_rows=seen, **sorted_columns)

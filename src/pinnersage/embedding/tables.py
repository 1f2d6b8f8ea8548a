"""From tables of items and actions to a table of items with embeddings."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Bools, Float32s, Int32s, Int64s
from pinnersage._report import ImportReport
from pinnersage._tables.columns import mapping_of, resolve_columns
from pinnersage._tables.engine import Progress
from pinnersage._tables.parts import column_names
from pinnersage._tables.sources import TableSource, resolve_source
from pinnersage._times import rfc3339
from pinnersage.actions.liking import likes
from pinnersage.actions.log import ActionLog
from pinnersage.actions.staging import stage_actions
from pinnersage.config import ImportConfig
from pinnersage.embedding.arrays import embed_items
from pinnersage.embedding.settings import EmbeddingSettings, TextModel
from pinnersage.embedding.texts import item_texts, text_embeddings
from pinnersage.errors import DataError, UsageError
from pinnersage.interests.unique import unique_actions
from pinnersage.items.births import born_ms
from pinnersage.items.importing import import_items
from pinnersage.items.origin import EmbeddingOrigin, latest_origin, origin_of_this_version, with_origin
from pinnersage.items.table import ItemTable


@dataclass(frozen=True, slots=True)
class EmbeddedItems:
    """Items with embeddings, and what they were made from.

    Attributes
    ----------
    table
        ``item_id``, all scalar columns of the items under the contract's names, and ``embedding``
        (fixed-size lists of float32, unit length); ascending by id. Its schema tells where they come
        from (:mod:`pinnersage.items.origin`).
    items_report, actions_report
        What was read and left out; no ``actions_report`` without a log.
    until_ms
        What existed and happened before it was used; None where no log was read.
    n_actions
        How many actions that were.
    n_items_in_log
        How many items they are of.
    n_without
        Good items of which nothing is known and that are therefore not in the table.
    """

    table: pa.Table
    items_report: ImportReport
    actions_report: ImportReport | None
    until_ms: int | None
    n_actions: int
    n_items_in_log: int
    n_without: int


@dataclass(frozen=True, slots=True)
class _Log:
    """Actions before the cut that have a weight, as arrays, and the births that all before it tell."""

    users: Int64s
    item_rows: Int32s
    times_ms: Int64s
    born_ms: Int64s
    until_ms: int | None = None
    report: ImportReport | None = None


def has_embeddings(items: TableSource, imports: ImportConfig) -> bool:
    """Return whether a table of items has a column ``embedding``, or each of its files a matrix beside it."""
    with tempfile.TemporaryDirectory(prefix="pinnersage-embed-") as scratch:
        for piece in resolve_source(items, Path(scratch), "items"):
            mapping = mapping_of("items", imports.columns)
            found = resolve_columns(piece.name, column_names(piece), mapping, ["item_id"], ["embedding"])
            beside = piece.path is not None and piece.path.with_suffix(".npy").exists()
            if "embedding" not in found and not beside:
                return False
    return True


def embed_tables(
    items: TableSource,
    actions: TableSource | None,
    *,
    settings: EmbeddingSettings,
    text_model: TextModel = "tfidf",
    imports: ImportConfig,
    until_ms: int | None = None,
    wall_clock_ms: int,
    progress: Progress | None = None,
) -> EmbeddedItems:
    """Make embeddings for a table of items.

    Parameters
    ----------
    items
        A path, a list of paths or globs, or a table in memory. An embedding that is there is only read
        with ``text_model="given"``.
    actions
        The log, in the same forms. With ``source="text"`` it may be None, and is only read to tell which
        items were born before ``until_ms``.
    settings
        What the embeddings are made of.
    text_model
        ``tfidf`` or ``minilm`` on the texts of the items, or ``given``: the items' own embeddings.
    imports
        Mapping of columns, unit of times, how many bad rows are too many, memory.
    until_ms
        Actions at or after it are not used, and nothing is learnt from items born at or after it
        (:func:`~pinnersage.items.births.born_ms`): these are placed by what was learnt from the others.
        ``given`` embeddings are taken as they are. None: all actions and items are used.
    wall_clock_ms
        The time of the call.
    progress
        Told the stage, how much is done, and of how much.

    Raises
    ------
    UsageError
        A path is wrong, the log is missing, or nothing tells which items were there before ``until_ms``.
    DataError
        A table cannot be used, no action or no item is before ``until_ms``, or nothing is known of any item.
    UnavailableError
        A library of the extra ``embed`` or ``minilm`` is not installed.
    """
    if actions is None and settings.source != "text":
        raise UsageError(f"expected a table of actions to make embeddings from the log ({settings.source})")
    with tempfile.TemporaryDirectory(prefix="pinnersage-embed-") as scratch:
        given = text_model == "given" and settings.source != "log"
        table, report = import_items(
            items, Path(scratch) / "items", imports, without_embeddings=not given, progress=progress
        )
        log = _read_log(
            None if settings.source == "text" and until_ms is None else actions,
            table, imports, until_ms, wall_clock_ms, scratch, progress, source=settings.source,
        )  # fmt: skip
        born = None if until_ms is None else _born_before(until_ms, log, table)
        content = _content(table, settings, text_model, born, progress)
        made = embed_items(
            content, log.users, log.item_rows, log.times_ms,
            until_ms=until_ms, born_ms=log.born_ms, settings=settings, progress=progress,
        )  # fmt: skip
        known: Bools = np.linalg.norm(made, axis=1) > 0
        if not known.any():
            raise DataError(_nothing_known(settings.source))
        n_seen = len(np.unique(log.item_rows))
        n_without = int(len(known) - known.sum())
        result = with_origin(
            _contract_table(table, made, known), _origin(settings, log, table if given else None)
        )
    return EmbeddedItems(result, report, log.report, log.until_ms, len(log.users), n_seen, n_without)


def _origin(settings: EmbeddingSettings, log: _Log, given: ItemTable | None) -> EmbeddingOrigin:
    """Return where embeddings come from; given ones that know of later actions make the result know them."""
    made = origin_of_this_version(settings.source, None if settings.source == "text" else log.until_ms)
    latest = latest_origin([made, given.origin if given is not None else None])
    if latest is None or latest.until_ms == made.until_ms:
        return made
    return origin_of_this_version("fused", latest.until_ms)


def _born_before(until_ms: int, log: _Log, items: ItemTable) -> Bools:
    """Return which items were there before the cut."""
    if log.report is None and "created_at_ms" not in items.attributes.column_names:
        raise UsageError(
            "until: expected a column created_at or a table of actions to tell which items were there before "
            f"{rfc3339(until_ms)}; give one, or leave --until out (from Python: until=)"
        )
    born = log.born_ms < until_ms
    if not born.any():
        raise DataError(
            f"items: expected some created or acted on before {rfc3339(until_ms)}, found none; pass a later "
            "--until, or leave it out (from Python: until=)"
        )
    return born


def _content(
    table: ItemTable,
    settings: EmbeddingSettings,
    text_model: TextModel,
    born: Bools | None,
    progress: Progress | None,
) -> Float32s:
    """Return what is known of each item without the log, learnt from those born before the cut."""
    if settings.source == "log":
        return np.zeros((len(table), 0), np.float32)
    if text_model == "given":
        return np.asarray(table.embeddings, np.float32)
    texts = item_texts(table.attributes)
    n_dimensions = settings.n_dimensions if settings.source == "text" else settings.n_text_dimensions
    return text_embeddings(
        texts, text_model, n_dimensions=n_dimensions, seed=settings.seed, learnt_on=born, progress=progress
    )


def _read_log(
    actions: TableSource | None,
    items: ItemTable,
    imports: ImportConfig,
    until_ms: int | None,
    wall_clock_ms: int,
    scratch: str,
    progress: Progress | None,
    *,
    source: str,
) -> _Log:
    if actions is None:
        nothing = np.zeros(0, np.int64)
        births = born_ms(items, nothing, nothing)
        return _Log(nothing, nothing.astype(np.int32), nothing, births, until_ms)
    with stage_actions(
        actions, items.vocabulary, imports, now_ms=until_ms, wall_clock_ms=wall_clock_ms,
        work_dir=scratch, progress=progress,
    ) as log:  # fmt: skip
        until_ms = log.newest_ms + 1 if until_ms is None else until_ms
        if log.oldest_ms >= until_ms and source != "text":
            raise DataError(
                f"actions: expected some before {rfc3339(until_ms)}, the oldest is of "
                f"{rfc3339(log.oldest_ms)}; pass a later --until, or leave it out (from Python: until=)"
            )
        users, rows, times, weights = _arrays(log, until_ms)
        births, counts = born_ms(items, rows, times), likes(weights)
        return _Log(users[counts], rows[counts], times[counts], births, until_ms, log.report)


def _arrays(log: ActionLog, until_ms: int) -> tuple[Int64s, Int32s, Int64s, Float32s]:
    """Return user, item row, time and weight of the actions before ``until_ms``, none twice."""
    n_users, users = 0, [np.zeros(0, np.int64)]
    rows, times, weights = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for batch in map(unique_actions, log.batches(until_ms - 1)):
        users.append(np.repeat(np.arange(n_users, n_users + batch.n_users), np.diff(batch.offsets)))
        n_users += batch.n_users
        rows.append(batch.item_rows)
        times.append(batch.times_ms)
        weights.append(batch.weights)
    return np.concatenate(users), np.concatenate(rows), np.concatenate(times), np.concatenate(weights)


def _nothing_known(source: str) -> str:
    if source == "log":
        return (
            "actions: expected sessions of two items or more, found none; try longer sessions "
            "(--session-days 0 takes all actions of a user), or --from text (from Python: "
            "EmbeddingSettings(session_days=0), or source='text')"
        )
    return (
        "items: expected texts with words to make embeddings from, found none; try --from log "
        "(from Python: EmbeddingSettings('log'))"
    )


def _contract_table(items: ItemTable, embeddings: Float32s, kept: Bools) -> pa.Table:
    columns: dict[str, Any] = {"item_id": items.vocabulary.ids}
    for name in items.attributes.column_names:
        values = items.attributes.column(name)
        if name == "created_at_ms":
            name, values = "created_at", values.cast(pa.timestamp("ms", "UTC"))
        columns[name] = values
    table = pa.table(columns).filter(pa.array(kept))
    numbers = pa.array(embeddings[kept].ravel(), pa.float32())
    return table.append_column("embedding", pa.FixedSizeListArray.from_arrays(numbers, embeddings.shape[1]))

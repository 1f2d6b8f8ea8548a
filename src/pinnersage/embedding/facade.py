"""Embeddings in one call: tables in, a table of items with embeddings out."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pinnersage._tables.engine import Progress
from pinnersage._times import to_ms
from pinnersage.config import ImportConfig
from pinnersage.embedding.settings import EmbeddingSettings, TextModel
from pinnersage.embedding.tables import EmbeddedItems, embed_tables
from pinnersage.embedding.writing import check_out, write_items


def embed(
    items: Any,
    actions: Any = None,
    *,
    until: int | str | datetime | None = None,
    settings: EmbeddingSettings | None = None,
    text_model: TextModel = "tfidf",
    imports: ImportConfig | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> EmbeddedItems:
    """Make embeddings for items that have none, from texts, from a log of actions, or from both.

    Parameters
    ----------
    items, actions, text_model, progress
        As in :func:`~pinnersage.embedding.tables.embed_tables`.
    until
        Actions at or after it are not used, and nothing is learnt from items created or first acted on at or
        after it. None: all are; such embeddings are for a model, and must not be evaluated, tuned or ranked
        on the same log. The table tells it (:mod:`pinnersage.items.origin`).
    settings
        What the embeddings are made of. Default: texts and the log, 256 dimensions.
    imports
        How tables are read.
    out
        A Parquet file, written at the end, whole or not at all.

    Returns
    -------
    EmbeddedItems
        ``result.table`` is what ``build``, ``evaluate`` and ``tune`` take as items.

    Raises
    ------
    UsageError, SchemaError, BadRowsError, DataError, UnavailableError
        The call or a table is wrong, nothing is known of any item, or an extra is missing.
    """
    if out is not None:
        check_out(Path(out), items)
    made = embed_tables(
        items, actions, settings=settings or EmbeddingSettings(), text_model=text_model,
        imports=imports or ImportConfig(), until_ms=to_ms(until),
        wall_clock_ms=time.time_ns() // 1_000_000, progress=progress,
    )  # fmt: skip
    if out is not None:
        write_items(made.table, Path(out))
    return made

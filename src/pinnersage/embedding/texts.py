"""The words of items, and embeddings of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Bools, Float32s
from pinnersage._tables.engine import Progress
from pinnersage.embedding.minilm import N_DIMENSIONS, minilm_embeddings
from pinnersage.embedding.tfidf import tfidf_embeddings
from pinnersage.errors import SchemaError

# A title says most, so it counts twice.
_FIRST = ("title", "title", "category", "provider")
# Addresses are texts, but their words say nothing of the item.
_NOT_READ = ("url", "image_url", "embedding", "item_id")


def text_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that are read, in order: ``title`` (twice), ``category``, ``provider``, others.

    The others are all other columns of texts, by name; of the contract's columns ``url`` and
    ``image_url`` are not read.
    """
    texts = [field.name for field in schema if _is_text(field.type) and field.name not in _NOT_READ]
    others = sorted(name for name in texts if name not in _FIRST)
    return [name for name in _FIRST if name in texts] + others


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def item_texts(attributes: pa.Table) -> list[str]:
    """Return one text per item, the words of all its text columns; "" for an item without any.

    Raises
    ------
    SchemaError
        There is no column of texts.
    """
    names = text_columns(attributes.schema)
    if not names:
        raise SchemaError(
            "items: expected a column of texts (title, category, provider or another) to make embeddings "
            f"from, found {', '.join(attributes.column_names) or 'only ids'}. Map one: "
            "--map title=<name in the table>, or make them from the log: --from log"
        )
    columns = {name: attributes.column(name).to_pylist() for name in set(names)}
    return [" ".join(filter(None, row)) for row in zip(*(columns[name] for name in names), strict=True)]


def text_embeddings(
    texts: Sequence[str],
    model: Literal["tfidf", "minilm"],
    *,
    n_dimensions: int,
    seed: int = 0,
    learnt_on: Bools | None = None,
    progress: Progress | None = None,
) -> Float32s:
    """Return unit-length embeddings of texts.

    Parameters
    ----------
    texts
        One per item.
    model
        ``tfidf``: from the words they share, in seconds. ``minilm``: all-MiniLM-L6-v2, a language model.
    n_dimensions
        Upper bound for ``tfidf``; MiniLM always has 384.
    seed
        Seeds ``tfidf``.
    learnt_on
        bool ``(n_texts,)``: ``tfidf`` is learnt from these texts, and no other changes a bit of what they
        get (MiniLM learns nothing, but a text's last bits depend on those it is run with). None: all.
    progress
        Told the texts done.

    Returns
    -------
    float32 ``(n_texts, d)``; a text without any word is all zeros.

    Raises
    ------
    UnavailableError
        A library of the extra ``embed`` or ``minilm`` is not installed.
    """
    if model == "tfidf":
        return tfidf_embeddings(texts, n_dimensions=n_dimensions, seed=seed, learnt_on=learnt_on)
    if learnt_on is None or learnt_on.all():
        return minilm_embeddings(texts, progress)
    made = np.zeros((len(texts), N_DIMENSIONS), np.float32)
    for part in (learnt_on, ~learnt_on):
        made[part] = minilm_embeddings([texts[i] for i in np.flatnonzero(part).tolist()], progress)
    return made

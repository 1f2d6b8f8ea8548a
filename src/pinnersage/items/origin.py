"""Where embeddings come from, as the table that holds them tells: its schema's metadata, where it has any.

Embeddings that were learnt from a log know what happened in it. Whoever measures or learns on later
moments of the same log has to know up to when; a table of items therefore carries it with it. Parquet,
Arrow files and Arrow tables do; CSV, JSONL, matrices and frames of other libraries cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from pinnersage._times import rfc3339

_KEY = b"pinnersage.embeddings"


class LeakWarning(UserWarning):
    """Something is fitted on embeddings that have seen what it learns to predict."""


@dataclass(frozen=True, slots=True)
class EmbeddingOrigin:
    """How embeddings were made.

    Attributes
    ----------
    source
        ``text``, ``log`` or ``fused``.
    until_ms
        No action at or after it was used; None: no log was.
    version
        Of the library that made them.
    """

    source: str
    until_ms: int | None
    version: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as metadata and reports hold them."""
        until = None if self.until_ms is None else rfc3339(self.until_ms)
        return {"source": self.source, "until": until, "until_ms": self.until_ms, "version": self.version}

    def knows_after(self, ms: int) -> bool:
        """Return whether actions at or after a time may have been used."""
        return self.until_ms is not None and self.until_ms > ms


def origin_of_this_version(source: str, until_ms: int | None) -> EmbeddingOrigin:
    """Return the origin of embeddings that are made now."""
    return EmbeddingOrigin(source, until_ms, version("pinnersage"))


def latest_origin(origins: Iterable[EmbeddingOrigin | None]) -> EmbeddingOrigin | None:
    """Return the origin that knows of the latest actions; None where nothing is told.

    Examples
    --------
    >>> early, late = EmbeddingOrigin("log", 10, "1"), EmbeddingOrigin("fused", 20, "1")
    >>> latest_origin([early, None, late]).until_ms
    20
    """
    told = [origin for origin in origins if origin is not None]
    return max(told, key=lambda origin: -1 if origin.until_ms is None else origin.until_ms, default=None)


def with_origin(table: pa.Table, origin: EmbeddingOrigin) -> pa.Table:
    """Return a table whose schema tells where its embeddings come from."""
    metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(origin.to_dict()).encode()}
    return table.replace_schema_metadata(metadata)


def origin_of_schema(schema: pa.Schema) -> EmbeddingOrigin | None:
    """Return what a schema tells of its embeddings; None where it tells nothing that can be read."""
    try:
        told = json.loads((schema.metadata or {})[_KEY])
        until_ms = told["until_ms"]
        return EmbeddingOrigin(
            str(told["source"]), None if until_ms is None else int(until_ms), str(told["version"])
        )
    except (KeyError, TypeError, ValueError):
        return None

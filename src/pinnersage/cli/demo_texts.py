"""The words of an items table, for tables that come without embeddings."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from pinnersage._tables.columns import quoted, resolve_columns
from pinnersage._tables.engine import open_engine, translated
from pinnersage._tables.parts import column_names, open_part
from pinnersage._tables.sources import Piece, TableSource, resolve_source
from pinnersage.errors import SchemaError

# A title says most, so it counts twice.
_TEXTS = ("title", "title", "category", "provider")


def item_texts(source: TableSource, mapping: Mapping[str, str], memory_limit_mb: int) -> list[str] | None:
    """Return one text per row of ``source``, in row order; None if the table has embeddings.

    Raises
    ------
    SchemaError
        The table has neither embeddings nor any text column.
    """
    with tempfile.TemporaryDirectory(prefix="pinnersage-demo-") as scratch:
        texts: list[str] = []
        for piece in resolve_source(source, Path(scratch)):
            found = _columns(piece, mapping)
            if "embedding" in found:
                return None
            texts += _texts(
                piece, [found[name] for name in _TEXTS if name in found], scratch, memory_limit_mb
            )
        return texts


def _columns(piece: Piece, mapping: Mapping[str, str]) -> dict[str, str]:
    columns = resolve_columns(
        piece.name, column_names(piece), mapping, ["item_id"], ["embedding", *dict.fromkeys(_TEXTS)]
    )
    if len(columns) == 1:
        raise SchemaError(
            f"{piece.name}: expected a column embedding, or a text column (title, category, provider) to "
            "make embeddings from; found neither. Map one: --map title=<name in the table>"
        )
    return columns


def _texts(piece: Piece, names: list[str], scratch: str, memory_limit_mb: int) -> list[str]:
    with open_engine(Path(scratch), memory_limit_mb) as engine, translated(piece.name):
        part = open_part(engine, [piece], list(dict.fromkeys(names)), [])
        columns = ", ".join(f"{quoted(name)}::VARCHAR" for name in names)
        rows = engine.execute(f"SELECT concat_ws(' ', {columns}) FROM {part.relation}").fetchall()
    return [row[0] for row in rows]

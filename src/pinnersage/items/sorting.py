"""Writes what was taken in, in order of id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from pinnersage._arrays import Int64s
from pinnersage._tables.engine import Progress
from pinnersage.config import ImportConfig
from pinnersage.items._files import finished_file
from pinnersage.items.attributes import attribute_sql
from pinnersage.items.intake import ID, ROW, Intake
from pinnersage.items.table import ATTRIBUTES_FILE, EMBEDDINGS_FILE, VOCABULARY_FILE
from pinnersage.items.vocabulary import ItemVocabulary

_STAGE = "writing items"
_BATCH_ROWS = 65_536


def write_sorted(intake: Intake, out_dir: Path, config: ImportConfig, progress: Progress | None) -> None:
    """Write the three files of an item table, ascending by id."""
    n_items = intake.connection.sql("SELECT count(*) FROM staged").fetchall()[0][0]
    if progress is not None:
        progress(_STAGE, 0, n_items)
    ids, order = _write_attributes(intake, out_dir / ATTRIBUTES_FILE, config)
    ItemVocabulary(ids).save(out_dir / VOCABULARY_FILE)
    intake.rows.write_npy(out_dir / EMBEDDINGS_FILE, order)
    if progress is not None:
        progress(_STAGE, n_items, n_items)


def _write_attributes(intake: Intake, path: Path, config: ImportConfig) -> tuple[pa.Array, Int64s]:
    """Write the attributes; return the sorted ids and the rows they had when they were taken in."""
    key = f"{ID}::BIGINT" if intake.all_integers else ID
    kept = attribute_sql(intake.connection, "items", intake.plan, config.time_unit)
    columns = ", ".join([f"{key} AS {ID}", ROW, *kept])
    reader = intake.connection.sql(f"SELECT {columns} FROM staged ORDER BY 1").to_arrow_reader(_BATCH_ROWS)
    schema = pa.schema([field for field in reader.schema if field.name not in (ID, ROW)])
    ids, order = [], []
    with finished_file(path) as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in reader:
            ids.append(batch.column(ID))
            order.append(batch.column(ROW).to_numpy())
            writer.write_batch(_attributes_of(batch, schema))
    kind = pa.int64() if intake.all_integers else pa.large_string()
    return pa.concat_arrays([chunk.cast(kind) for chunk in ids]), np.concatenate(order)


def _attributes_of(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if len(schema) == 0:
        # A batch without columns forgets its number of rows unless told.
        return pa.RecordBatch.from_struct_array(pa.array([{}] * batch.num_rows, pa.struct([])))
    return batch.select(schema.names)

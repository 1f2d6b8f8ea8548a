"""Rows of a log that take actions back, against a loop over plain rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinnersage._report import RowsRefusedError
from pinnersage.actions.event_keys import event_id_of, event_key
from pinnersage.actions.log import ActionLog
from pinnersage.actions.staging import stage_actions
from pinnersage.config import ImportConfig
from pinnersage.errors import SchemaError
from pinnersage.items.vocabulary import ItemVocabulary

LAX = ImportConfig(max_bad_share=1.0)
ITEMS = ["a", "b"]
T0_MS = 1_700_000_000_000
WALL_MS = T0_MS + 1_000


@dataclass(frozen=True)
class Row:
    """One row of a table of actions; ``z`` is no item of the catalogue."""

    user_id: str
    item_id: str
    time_ms: int
    action: str | None
    weight: float
    event_id: str | None
    retract: bool | None

    @property
    def identity(self) -> object:
        return event_key(self.event_id) or (
            self.item_id, self.time_ms, self.action or "", self.weight
        )  # fmt: skip


rows = st.builds(
    Row, st.sampled_from("uv"), st.sampled_from("abz"), st.sampled_from([T0_MS, T0_MS + 7]),
    st.sampled_from([None, "k"]), st.sampled_from([0.0, 0.1]),
    st.sampled_from([None, None, "e1", "e2", event_id_of(event_key("e1"))]),
    st.sampled_from([None, False, True]),
)  # fmt: skip


def counted(table: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Return the actions that count, those taken back, and what takes back; row by row, the oracle."""
    good = [r for r in table if r.item_id in ITEMS or (r.retract and r.event_id)]
    retractions = [r for r in good if r.retract]
    stay: list[Row] = []
    gone: list[Row] = []
    for row in good:
        if not row.retract:
            back = any(r.user_id == row.user_id and r.identity == row.identity for r in retractions)
            (gone if back else stay).append(row)
    return stay, gone, retractions


def written(table: Sequence[Row], path: Path, suffix: str) -> Path:
    """Write rows as a file."""
    file = path / f"{len(list(path.iterdir()))}{suffix}"
    if suffix == ".parquet":
        columns = {name: [getattr(r, name) for r in table] for name in ("user_id", "item_id")}
        pq.write_table(
            pa.table(columns)
            .append_column("timestamp", pa.array([r.time_ms for r in table], pa.timestamp("ms", "UTC")))
            .append_column("action", pa.array([r.action for r in table], pa.string()))
            .append_column("weight", pa.array([r.weight for r in table], pa.float32()))
            .append_column("event_id", pa.array([r.event_id for r in table], pa.string()))
            .append_column("retract", pa.array([r.retract for r in table], pa.bool_())),
            file,
        )
        return file
    plain = [
        {name: getattr(r, name) for name in ("user_id", "item_id", "action", "weight", "event_id", "retract")}
        | {"timestamp": datetime.fromtimestamp(r.time_ms / 1000, UTC).isoformat()}
        for r in table
    ]
    if suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in plain))
    else:
        cells = [["" if value is None else str(value) for value in row.values()] for row in plain]
        file.write_text("\n".join(",".join(line) for line in [list(plain[0]), *cells]) + "\n")
    return file


def stage(source: Any, path: Path, **more: Any) -> ActionLog:
    vocabulary = ItemVocabulary.from_ids(ITEMS)
    return stage_actions(
        source, vocabulary, LAX, now_ms=None, wall_clock_ms=WALL_MS, work_dir=path, **more
    )  # fmt: skip


def rows_in(log: ActionLog) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for b in log.batches(log.newest_ms):
        users = [b.user_ids[u] for u in range(b.n_users) for _ in range(b.offsets[u], b.offsets[u + 1])]
        columns = zip(users, b.item_rows, b.times_ms, b.kinds, b.weights, b.event_keys, strict=True)
        found += [(u, ITEMS[i], int(t), log.kinds[k], float(w), int(e)) for u, i, t, k, w, e in columns]
    return sorted(found)


def told(table: Sequence[Row]) -> list[tuple[Any, ...]]:
    weights = pa.array([r.weight for r in table], pa.float32()).to_pylist()
    return sorted(
        (r.user_id, r.item_id, r.time_ms, r.action or "", weight, event_key(r.event_id))
        for r, weight in zip(table, weights, strict=True)
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.lists(rows, min_size=1, max_size=8), min_size=1, max_size=3),
    st.lists(st.sampled_from([".parquet", ".jsonl", ".csv"]), min_size=3, max_size=3),
)
def test_what_is_taken_back_counts_nowhere(
    tmp_path_factory: pytest.TempPathFactory, tables: list[list[Row]], suffixes: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log")
    files = [written(table, path, suffix) for table, suffix in zip(tables, suffixes, strict=False)]
    every = [row for table in tables for row in table]
    stay, gone, retractions = counted(every)
    if not stay:
        with pytest.raises(RowsRefusedError) as refused:
            stage(files, path)
        report = refused.value.report
    else:
        with stage(files, path) as log:
            assert rows_in(log) == told(stay)
            assert log.n_actions == len(stay)
            assert log.newest_ms == max(r.time_ms for r in stay + gone)
            assert log.oldest_ms == min(r.time_ms for r in stay)
            assert {r[:2] for r in log.retractions()} == {(r.user_id, r.item_id) for r in retractions}
            report = log.report
    assert (report.n_retractions, report.n_taken_back) == (len(retractions), len(gone))
    assert report.n_good == len(stay) + len(gone) + len(retractions)
    assert report.reasons == ({"unknown_item": report.n_bad} if report.n_bad else {})
    if gone or stay or retractions:
        with stage(files, path, take_back=False) as log:
            assert rows_in(log) == told(stay + gone)


PLAIN = Row("u", "a", T0_MS, None, 1.0, "e1", None)


def test_a_log_without_a_retraction_tells_of_none(tmp_path: Path) -> None:
    with stage(written([PLAIN], tmp_path, ".csv"), tmp_path) as log:
        assert (log.report.n_retractions, log.retractions()) == (0, [])


@pytest.mark.parametrize("value", ["perhaps", "2", "-1", "0.5"])
def test_a_value_that_is_no_truth_is_a_bad_row(tmp_path: Path, value: str) -> None:
    file = written([PLAIN, replace(PLAIN, retract=True)], tmp_path, ".csv")
    file.write_text(file.read_text().replace("True", value))
    with stage(file, tmp_path) as log:
        assert log.report.reasons == {"retract_unparsable": 1}
        assert [(e.row, e.value) for e in log.report.examples] == [(2, repr(value))]
        assert log.n_actions == 1


@pytest.mark.parametrize("value", ["true", "True", "1", "TRUE", "t"])
def test_texts_that_are_true(tmp_path: Path, value: str) -> None:
    file = written([PLAIN, replace(PLAIN, event_id="e2"), replace(PLAIN, retract=True)], tmp_path, ".csv")
    file.write_text(file.read_text().replace("True", value))
    with stage(file, tmp_path) as log:
        assert (log.n_actions, log.report.n_taken_back) == (1, 1)


@pytest.mark.parametrize(
    ("values", "n_actions"),
    [(pa.array([1, 0]), 1), (pa.nulls(2), 2), (pa.array([False, None]), 2), (pa.array(["", None]), 2)],
)
def test_other_types_of_the_column(tmp_path: Path, values: pa.Array, n_actions: int) -> None:
    times = pa.array([T0_MS] * 2, pa.timestamp("ms", "UTC"))
    table = pa.table({"user_id": ["u", "u"], "item_id": ["a", "b"], "timestamp": times, "retract": values})
    with stage(table, tmp_path) as log:
        assert log.n_actions == n_actions
    with pytest.raises(SchemaError, match="expected true or false in retract"):
        stage(table.set_column(3, "retract", pa.array([0.5, 1.0])), tmp_path)

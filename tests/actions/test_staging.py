"""Logs of actions through every format, every bad row, and bounded memory."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from pinnersage.actions.event_keys import event_key
from pinnersage.actions.log import ActionLog
from pinnersage.actions.opening import OPTIONAL
from pinnersage.actions.staging import stage_actions
from pinnersage.config import MS_PER_DAY, ImportConfig
from pinnersage.errors import BadRowsError, DataError, SchemaError, StorageFullError, UsageError
from pinnersage.items.vocabulary import ItemVocabulary

REAL = Path(__file__).parents[2].parent / "shared" / "data"
WALL_MS = 1_795_000_000_000
T0_MS = 1_700_000_000_123
N = 300
RNG = np.random.default_rng(3)
LAX = ImportConfig(max_bad_share=1.0)
ITEMS = [5, 7, 70, 100]

Row = tuple[Any, int, int, str, float, int]


def stage(source: Any, work_dir: Path, config: ImportConfig = LAX, **more: Any) -> ActionLog:
    vocabulary = more.pop("vocabulary", ItemVocabulary.from_ids(ITEMS))
    settings = {"now_ms": None, "wall_clock_ms": WALL_MS, "work_dir": work_dir} | more
    return stage_actions(source, vocabulary, config, **settings)


def rows_in(log: ActionLog, now_ms: int | None = None, max_actions: int = 40) -> list[Row]:
    rows: list[Row] = []
    for b in log.batches(log.newest_ms if now_ms is None else now_ms, max_actions):
        users = [b.user_ids[u] for u in range(b.n_users) for _ in range(b.offsets[u], b.offsets[u + 1])]
        kinds = [log.kinds[kind] for kind in b.kinds]
        rows += zip(
            users,
            b.item_rows.tolist(),
            b.times_ms.tolist(),
            kinds,
            b.weights.tolist(),
            b.event_keys.tolist(),
            strict=True,
        )
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), key=_order)
    return rows


def _order(user: Any) -> Any:
    return user.encode() if isinstance(user, str) else user


def users_of(kind: str) -> list[Any]:
    return ["ä", "Z", "a", "10", "9"] if kind == "string" else [10, 9, -3, 2**40, 100]


def log_table(kind: str, item_kind: str) -> tuple[pa.Table, list[Row]]:
    users = [users_of(kind)[u] for u in RNG.integers(0, 5, N)]
    item_rows = RNG.integers(0, len(ITEMS), N).tolist()
    times_ms = (T0_MS + RNG.integers(0, 10**9, N)).tolist()
    actions = [[None, "click", "save"][k] for k in RNG.integers(0, 3, N)]
    weights = [[None, 0.0, 2.5][k] for k in RNG.integers(0, 3, N)]
    events = [None if i % 4 else f"e{i}" for i in range(N)]
    items = [ITEMS[row] if item_kind == "integer" else str(ITEMS[row]) for row in item_rows]
    table = pa.table(
        {
            "timestamp": pa.array([t * 1_000 + 999 for t in times_ms], pa.timestamp("us")),
            "user_id": pa.array(users),
            "item_id": pa.array(items),
            "action": pa.array(actions, pa.string()),
            "weight": pa.array(weights, pa.float64()),
            "event_id": pa.array(events, pa.string()),
            "noise": pa.array(range(N)),
        }
    )
    expected = [
        (user, row, time, action or "", 1.0 if weight is None else weight, event_key(event))
        for user, row, time, action, weight, event in zip(
            users, item_rows, times_ms, actions, weights, events, strict=True
        )
    ]
    return table, sorted(expected, key=repr)


def _text_rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["timestamp"] = row["timestamp"].isoformat() + "+00:00"
    return rows


def write_parquet(table: pa.Table, path: Path) -> Any:
    pq.write_table(table, path / "t.parquet", row_group_size=50)
    return path / "t.parquet"


def write_feather(table: pa.Table, path: Path) -> Any:
    pa.feather.write_feather(table, str(path / "t.feather"), compression="lz4")
    return path / "t.feather"


def write_csv(table: pa.Table, path: Path) -> Any:
    pd.DataFrame(_text_rows(table)).to_csv(path / "t.csv", index=False)
    return path / "t.csv"


def write_tsv_gz(table: pa.Table, path: Path) -> Any:
    pd.DataFrame(_text_rows(table)).to_csv(path / "t.tsv.gz", index=False, sep="\t")
    return path / "t.tsv.gz"


def write_jsonl(table: pa.Table, path: Path) -> Any:
    (path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in _text_rows(table)))
    return path / "t.jsonl"


def write_mixed(table: pa.Table, path: Path) -> Any:
    return [
        write_parquet(table.slice(0, 100), path),
        write_feather(table.slice(100, 80), path),
        write_csv(table.slice(180), path),
    ]


def write_parts(table: pa.Table, path: Path) -> Any:
    for i in range(3):
        part = table.slice(i * 100, 100)
        pq.write_table(part if i else part.drop_columns("noise"), path / f"part-{i}.parquet")
    return path


FORMS: dict[str, Callable[[pa.Table, Path], Any]] = {
    "parquet": write_parquet,
    "feather": write_feather,
    "csv": write_csv,
    "tsv.gz": write_tsv_gz,
    "jsonl": write_jsonl,
    "parts": write_parts,
    "memory": lambda t, p: t,
    "stream": lambda t, p: t.to_reader(max_chunksize=70),
    "pandas": lambda t, p: t.to_pandas(),
    "polars": lambda t, p: pl.from_arrow(t),
    "categorical": lambda t, p: t.set_column(3, "action", t.column("action").dictionary_encode()),
    "time zone": lambda t, p: t.set_column(
        0, "timestamp", t.column("timestamp").cast(pa.timestamp("us", "Europe/Paris"))
    ),
    "nanoseconds": lambda t, p: t.set_column(0, "timestamp", t.column("timestamp").cast(pa.timestamp("ns"))),
}


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_column_of_nothing_is_as_good_as_absent(tmp_path: Path, name: str) -> None:
    table = log_table("string", "integer")[0].select(["user_id", "item_id", "timestamp"])
    empty = table.append_column(name, pa.nulls(N))
    pq.write_table(empty, tmp_path / "empty.parquet")
    found = []
    for number, source in enumerate((table, empty, empty.to_pandas(), tmp_path / "empty.parquet")):
        (tmp_path / str(number)).mkdir()
        with stage(source, tmp_path / str(number), ImportConfig(strict=True)) as log:
            found.append(sorted(rows_in(log), key=repr))
    assert found[1:] == found[:1] * 3


@pytest.mark.parametrize(("kind", "item_kind"), [("string", "integer"), ("integer", "string")])
@pytest.mark.parametrize("form", [*FORMS, "mixed"])
def test_every_format_ends_in_the_same_actions(tmp_path: Path, form: str, kind: str, item_kind: str) -> None:
    table, expected = log_table(kind, item_kind)
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()
    source = {**FORMS, "mixed": write_mixed}[form](table, tmp_path / "in")
    if form == "mixed" and kind == "string":
        expected = sorted(expected, key=repr)
    with stage(source, tmp_path / "work", ImportConfig(strict=True)) as log:
        assert log.user_kind == kind
        assert log.kinds == ["", "click", "save"]
        assert (log.report.n_rows, log.n_actions) == (N, N)
        times = [row[2] for row in expected]
        assert (log.oldest_ms, log.newest_ms) == (min(times), max(times))
        assert sorted(rows_in(log), key=repr) == expected
        middle = sorted(times)[N // 2]
        assert sorted(rows_in(log, middle), key=repr) == [row for row in expected if row[2] <= middle]
    assert list((tmp_path / "work").iterdir()) == []


def times_table(values: Any, kind: pa.DataType | None = None) -> pa.Table:
    n = len(values)
    return pa.table({"user_id": ["u"] * n, "item_id": [5] * n, "timestamp": pa.array(values, kind)})


MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123_999, UTC)
MOMENT_MS = 1_700_000_000_123
DAY_MS = MOMENT_MS - MOMENT_MS % MS_PER_DAY


@pytest.mark.parametrize(
    ("values", "kind", "unit", "expected_ms"),
    [
        ([1_700_000_000], pa.int32(), "s", 1_700_000_000_000),
        ([1_700_000_000], pa.uint64(), "s", 1_700_000_000_000),
        ([MOMENT_MS], pa.int64(), "ms", MOMENT_MS),
        ([MOMENT_MS * 1_000 + 999], pa.int64(), "us", MOMENT_MS),
        ([MOMENT_MS * 1_000_000 + 999_999], pa.int64(), "ns", MOMENT_MS),
        ([1_700_000_000.123], pa.float64(), "s", MOMENT_MS),
        ([1_700_000_000.1239], pa.float64(), "s", MOMENT_MS),
        ([MOMENT_MS + 0.75], pa.float64(), "ms", MOMENT_MS),
        (["1700000000"], None, "s", 1_700_000_000_000),
        (["1700000000.123"], None, "s", MOMENT_MS),
        (["2023-11-14T22:13:20.123999Z"], None, None, MOMENT_MS),
        (["2023-11-14T22:13:20.123999999Z"], None, None, MOMENT_MS),
        (["2023-11-15T00:13:20.123+02:00"], None, None, MOMENT_MS),
        (["2023-11-14 22:13:20.123"], None, None, MOMENT_MS),
        (["2023-11-14"], None, None, DAY_MS),
        (["2023-11-14"], None, "s", DAY_MS),
        ([MOMENT.date()], pa.date32(), None, DAY_MS),
        ([MOMENT.replace(tzinfo=None)], pa.timestamp("us"), None, MOMENT_MS),
        ([MOMENT], pa.timestamp("us", "America/New_York"), None, MOMENT_MS),
        ([MOMENT_MS], pa.timestamp("ms"), None, MOMENT_MS),
        ([MOMENT_MS * 1_000_000 + 999_999], pa.timestamp("ns"), None, MOMENT_MS),
        ([1_700_000_000], pa.timestamp("s"), None, 1_700_000_000_000),
    ],
)
def test_times_of_every_type(
    tmp_path: Path, values: list[Any], kind: pa.DataType | None, unit: Any, expected_ms: int
) -> None:
    with stage(times_table(values, kind), tmp_path, ImportConfig(time_unit=unit)) as log:
        assert log.newest_ms == log.oldest_ms == expected_ms


def test_numbers_without_a_unit_are_refused(tmp_path: Path) -> None:
    sources: list[Any] = [times_table([1_700_000_000]), times_table(["1700000000"])]
    (tmp_path / "a.jsonl").write_text('{"user_id": 1, "item_id": 5, "timestamp": 1700000000}\n')
    (tmp_path / "a.csv").write_text("user_id,item_id,timestamp\n1,5,1700000000\n")
    for source in [*sources, tmp_path / "a.jsonl", tmp_path / "a.csv"]:
        with pytest.raises(SchemaError, match=r"--time-unit s\|ms\|us\|ns"):
            stage(source, tmp_path)
    with pytest.raises(SchemaError, match="found BOOLEAN"):
        stage(times_table([True]), tmp_path)


@pytest.mark.parametrize("declared", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("true", ["s", "ms", "us", "ns"])
def test_a_wrong_unit_is_named(tmp_path: Path, declared: Any, true: str) -> None:
    per_s = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[true]
    table = times_table([1_700_000_000 * per_s])
    if declared == true:
        stage(table, tmp_path, ImportConfig(time_unit=declared)).close()
        return
    with pytest.raises(SchemaError, match=f"look like '{true}': pass --time-unit {true}"):
        stage(table, tmp_path, ImportConfig(time_unit=declared))


LATE = datetime.fromtimestamp((WALL_MS + MS_PER_DAY + 1_000) / 1_000, UTC).isoformat()
SOON = datetime.fromtimestamp((WALL_MS + MS_PER_DAY) / 1_000, UTC).isoformat()
GOOD = "2023-01-01T00:00:00+00:00"
BAD: list[tuple[Any, Any, Any, Any, str]] = [
    ("u", "5", GOOD, 1.0, ""),
    (None, "5", GOOD, 1.0, "empty_user_id"),
    ("", "5", GOOD, 1.0, "empty_user_id"),
    ("u", None, GOOD, 1.0, "empty_item_id"),
    ("u", "", GOOD, 1.0, "empty_item_id"),
    ("u", "6", GOOD, 1.0, "unknown_item"),
    ("u", "05", GOOD, 1.0, "unknown_item"),
    ("u", "5", None, 1.0, "time_missing"),
    ("u", "5", "yesterday", 1.0, "time_unparsable"),
    ("u", "5", "infinity", 1.0, "time_unparsable"),
    ("u", "5", "1969-12-31T23:59:59.9995Z", 1.0, "time_before_1970"),
    ("u", "5", LATE, 1.0, "time_in_future"),
    ("u", "5", SOON, 1.0, ""),
    ("u", "5", GOOD, float("nan"), "weight_not_finite"),
    ("u", "5", GOOD, float("inf"), "weight_not_finite"),
    ("u", "5", GOOD, 1e39, "weight_not_finite"),
    ("u", "5", GOOD, -0.5, "weight_negative"),
    ("u", "5", GOOD, None, ""),
    ("u", "5", "1970-01-01T00:00:00Z", 0.0, ""),
]


def bad_file(path: Path, form: str) -> Path:
    names = ("user_id", "item_id", "timestamp", "weight")
    if form == "parquet":
        pq.write_table(pa.table({name: [b[i] for b in BAD] for i, name in enumerate(names)}), path)
    elif form == "csv":
        pd.DataFrame([b[:4] for b in BAD], columns=list(names)).to_csv(path, index=False)
        # pandas writes NaN as nothing, which is a missing weight: write the word.
        lines = path.read_text().splitlines()
        row = [b[3] for b in BAD].index(BAD[13][3]) + 1
        path.write_text("\n".join([*lines[:row], lines[row] + "nan", *lines[row + 1 :]]) + "\n")
    else:
        rows = [dict(zip(names, (*b[:3], b[3] if b[3] is None else str(b[3])), strict=True)) for b in BAD]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_bad_rows_are_counted_and_shown_with_file_and_row(tmp_path: Path, form: str) -> None:
    path = bad_file(tmp_path / f"log.{form}", form)
    expected = [(str(path), row, b[4]) for row, b in enumerate(BAD, 1) if b[4]]
    with stage(path, tmp_path) as log:
        report = log.report
        assert sorted(e[:3] for e in report.examples) == expected
        assert (report.n_rows, report.n_bad, log.n_actions) == (len(BAD), len(expected), len(rows_in(log)))
        assert next(e.value for e in report.examples if e.row == 6) == "'6'"
        assert next(e.value for e in report.examples if e.row == 9) == "'yesterday'"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_no_more_than_five_examples_of_a_reason_and_the_first(tmp_path: Path) -> None:
    table = pa.table({"user_id": [1] * 100, "item_id": [5, 6] * 50, "timestamp": [T0_MS] * 100})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    pq.write_table(table.slice(0, 4), tmp_path / "b.parquet")
    files = [tmp_path / "b.parquet", tmp_path / "a.parquet"]
    with stage(files, tmp_path, ImportConfig(time_unit="ms", max_bad_share=0.5)) as log:
        assert log.report.reasons == {"unknown_item": 52}
        found = [(Path(e.file).name, e.row) for e in log.report.examples]
        assert found == [
            ("b.parquet", 2),
            ("b.parquet", 4),
            ("a.parquet", 2),
            ("a.parquet", 4),
            ("a.parquet", 6),
        ]


def test_the_first_bad_rows_of_a_large_file_are_shown(tmp_path: Path) -> None:
    """Large enough that the engine reads it in parts, at once."""
    path, every = tmp_path / "log.csv", 10_000
    items = ["unheard-of" if row % every == 0 else "5" for row in range(1, 300_001)]
    path.write_text("user_id,item_id,timestamp\n" + "".join(f"u,{item},{GOOD}\n" for item in items))
    with stage(path, tmp_path, ImportConfig(max_bad_share=1.0)) as log:
        assert log.report.reasons == {"unknown_item": 300_000 // every}
        assert [e.row for e in log.report.examples] == [every * n for n in range(1, 6)]


def test_lines_that_cannot_be_read_are_counted_and_rows_still_numbered_right(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"user_id,item_id,timestamp\nu,5,{GOOD}\nu\nu,5,{GOOD},x\nu,6,{GOOD}\nu,7,{GOOD}\n")
    with stage(path, tmp_path) as log:
        assert [(e.row, e.reason) for e in sorted(log.report.examples, key=lambda e: e.row)] == [
            (2, "unreadable_row"),
            (3, "unreadable_row"),
            (4, "unknown_item"),
        ]
        assert log.report.n_rows == 5
    path = tmp_path / "log.jsonl"
    line = json.dumps({"user_id": 1, "item_id": 5, "timestamp": GOOD})
    path.write_text(f'{line}\n{{"user_id": 2, "item\n{line}\n{line[:-9]}')
    with stage(path, tmp_path) as log:
        assert [(e.row, e.reason) for e in log.report.examples] == [
            (2, "unreadable_row"),
            (4, "unreadable_row"),
        ]
        assert log.n_actions == 2


def test_strict_and_the_share_refuse_and_leave_nothing(tmp_path: Path) -> None:
    table = pa.table({"user_id": [1] * 4, "item_id": [5, 5, 5, 6], "timestamp": [GOOD] * 4})
    with pytest.raises(BadRowsError, match=r"unknown_item 1(.|\n)*<actions> row 4(.|\n)*--strict"):
        stage(table, tmp_path, ImportConfig(strict=True))
    with pytest.raises(BadRowsError, match=r"at most 10\.0% bad rows, found 25\.0%"):
        stage(table, tmp_path, ImportConfig())
    with pytest.raises(BadRowsError, match="none of 1 rows"):
        stage(table.slice(3), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_future_begins_after_an_explicit_now(tmp_path: Path) -> None:
    now_ms = WALL_MS + 10 * MS_PER_DAY
    table = times_table([now_ms, now_ms + 1], pa.timestamp("ms"))
    with stage(table, tmp_path, now_ms=now_ms) as log:
        assert (log.newest_ms, log.report.reasons) == (now_ms, {"time_in_future": 1})


def test_ids_of_either_kind_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        "".join(
            json.dumps({"user_id": u, "item_id": i, "timestamp": GOOD}) + "\n"
            for u, i in [(7, "5"), ("7", 5)]
        )
    )
    for vocabulary in (ItemVocabulary.from_ids([5]), ItemVocabulary.from_ids(["5"])):
        with stage(path, tmp_path, vocabulary=vocabulary) as log:
            assert log.user_kind == "string"
            assert [row[:2] for row in rows_in(log)] == [("7", 0)] * 2
    table = pa.table(
        {"user_id": pa.array([2**63, 1], pa.uint64()), "item_id": [5, 5], "timestamp": [GOOD] * 2}
    )
    with stage(table, tmp_path) as log:
        assert [row[0] for row in rows_in(log)] == ["1", str(2**63)]
    with stage(table.slice(1), tmp_path) as log:
        assert [row[0] for row in rows_in(log)] == [1]
    (tmp_path / "b.csv").write_text(f"user_id,item_id,timestamp\n7,5,{GOOD}\nx,5,{GOOD}\n")
    with stage(tmp_path / "b.csv", tmp_path) as log:
        assert [row[0] for row in rows_in(log)] == ["7", "x"]
    (tmp_path / "b.csv").write_text(f"user_id,item_id,timestamp\n007,5,{GOOD}\n10,5,{GOOD}\n,5,{GOOD}\n")
    with stage(tmp_path / "b.csv", tmp_path) as log:
        assert [row[0] for row in rows_in(log)] == ["007", "10"]


def test_mapping_event_ids_and_kinds(tmp_path: Path) -> None:
    table = pa.table(
        {"who": [1, 1], "asin": [5, 7], "at": [GOOD, GOOD], "id": [123, None], "action": [3, 20]}
    )
    columns = {"user_id": "who", "item_id": "asin", "timestamp": "at", "event_id": "id", "title": "t"}
    with stage(table, tmp_path, ImportConfig(columns=columns)) as log:
        assert log.kinds == ["20", "3"]
        assert [row[5] for row in sorted(rows_in(log))] == [event_key(123), 0]
    with pytest.raises(UsageError, match="cannot map price"):
        stage(table, tmp_path, ImportConfig(columns={"price": "x"}))
    with pytest.raises(SchemaError, match=r"user_id, timestamp; found who, item_id.*--map user_id="):
        stage(table.rename_columns(["who", "item_id", "at", "id", "action"]), tmp_path)


def test_too_many_kinds_are_refused(tmp_path: Path) -> None:
    table = pa.table(
        {"user_id": [1] * 256, "item_id": [5] * 256, "timestamp": [GOOD] * 256, "action": range(256)}
    )
    with stage(table.slice(1), tmp_path) as log:
        assert len(log.kinds) == 255
        assert sorted(row[3] for row in rows_in(log)) == log.kinds
    with pytest.raises(SchemaError, match="at most 255 kinds"):
        stage(table, tmp_path)


def test_kinds_with_quotes_and_none_at_all(tmp_path: Path) -> None:
    table = pa.table(
        {"user_id": [1, 1], "item_id": [5, 5], "timestamp": [GOOD] * 2, "action": ["it's", 'a"b']}
    )
    with stage(table, tmp_path) as log:
        assert sorted(row[3] for row in rows_in(log)) == log.kinds == ['a"b', "it's"]
    with stage(table.drop_columns("action"), tmp_path) as log:
        assert log.kinds == [""]
        assert [row[3:] for row in rows_in(log)] == [("", 1.0, 0)] * 2


def _cut(path: Path) -> Path:
    pq.write_table(times_table([T0_MS], pa.timestamp("ms")), path / "cut.parquet")
    whole = (path / "cut.parquet").read_bytes()
    (path / "cut.parquet").write_bytes(whole[:-30])
    return path / "cut.parquet"


def _file(path: Path, name: str, content: bytes) -> Path:
    (path / name).write_bytes(content)
    return path / name


HEAD = b"user_id,item_id,timestamp\n"
REFUSED: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "missing": (lambda p: p / "no.parquet", UsageError, "no such file"),
    "empty": (lambda p: _file(p, "a.jsonl", b""), DataError, "is empty"),
    "no rows": (lambda p: _file(p, "a.csv", HEAD), DataError, "holds no rows"),
    "truncated": (_cut, DataError, r"cut\.parquet: cannot be read"),
    "not utf-8": (
        lambda p: _file(p, "a.csv", HEAD + b"u,5,2020-01-01\n\xe9,5,2020-01-01\n"),
        DataError,
        "line 3: expected UTF-8",
    ),
    "not utf-8, JSONL": (
        lambda p: _file(p, "a.jsonl", b'{"user_id": "u"}\n{"user_id": "\xe9"}\n'),
        DataError,
        "line 2: expected UTF-8",
    ),
    "an array of JSON": (
        lambda p: _file(p, "a.jsonl", b'[{"user_id": 1}]\n'),
        DataError,
        "JSON object in each",
    ),
    "cut gzip": (
        lambda p: _file(p, "a.csv.gz", gzip.compress(HEAD + b"u,5,2020-01-01\n" * 99)[:30]),
        DataError,
        r"a\.csv\.gz: the compressed file is damaged",
    ),
    "column twice": (
        lambda p: _file(p, "a.csv", b"user_id,item_id,timestamp,user_id\nu,5,2020-01-01,u\n"),
        SchemaError,
        "found twice: user_id",
    ),
    "float ids": (
        lambda p: pa.table({"user_id": [1.5], "item_id": [5], "timestamp": [GOOD]}),
        SchemaError,
        "user_id .*found DOUBLE",
    ),
    "weight type": (
        lambda p: pa.table({"user_id": [1], "item_id": [5], "timestamp": [GOOD], "weight": [True]}),
        SchemaError,
        "numbers in weight",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_told_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    make, error, message = REFUSED[case]
    (tmp_path / "in").mkdir()
    (tmp_path / "work").mkdir()
    with pytest.raises(error, match=message):
        stage(make(tmp_path / "in"), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    table = times_table([T0_MS], pa.timestamp("ms"))
    path = write_parquet(table, tmp_path)
    with stage(path, tmp_path) as log:
        pq.write_table(pa.concat_tables([table, table]), path)
        with pytest.raises(DataError, match="changed while"):
            rows_in(log)


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    path = write_parquet(log_table("string", "integer")[0], tmp_path)
    stage(path, tmp_path, progress=lambda *a: told.append(a)).close()
    assert told[-1] == ("reading actions", path.stat().st_size, path.stat().st_size)


IN_A_SMALL_PROCESS = """
import resource, sys, pathlib
import pyarrow as pa
def peak_mb():  # of this program: what getrusage tells holds that of the parent, too
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
from pinnersage.actions.staging import stage_actions
from pinnersage.config import ImportConfig
from pinnersage.errors import StorageFullError
from pinnersage.items.vocabulary import ItemVocabulary
path, work = sys.argv[1:]
vocabulary = ItemVocabulary.from_ids([f"item {i}" for i in range(2000)])
def read(**settings):
    with stage_actions(path, vocabulary, ImportConfig(**settings), now_ms=None, n_threads=2,
                       wall_clock_ms=1_795_000_000_000, work_dir=work) as log:
        n = sum(len(batch.item_rows) for batch in log.batches(log.newest_ms))
        spilled = any(f.stat().st_size for f in pathlib.Path(work).rglob("*") if f.is_file())
        return n, spilled
"""


def _big_log(path: Path, n: int) -> Path:
    made = (
        f"SELECT 'user ' || hash(i) % {n // 20} AS user_id, 'item ' || hash(i + 1) % 2000 AS item_id, "
        f"to_timestamp(1700000000 + i % 7000000)::TIMESTAMP AS timestamp, "
        f"'event number ' || i AS event_id FROM range({n}) t(i)"
    )
    duckdb.execute(f"COPY ({made}) TO '{path}'")
    return path


def _in_a_process(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", IN_A_SMALL_PROCESS + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_log_far_larger_than_the_memory_limit(tmp_path: Path, form: str) -> None:
    path = _big_log(tmp_path / f"big.{form}", 1_200_000)
    (tmp_path / "work").mkdir()
    code = "print(*read(memory_limit_mb=64), peak_mb())"
    n, spilled, rss_mb = _in_a_process(code, path, tmp_path / "work").split()
    assert (n, spilled) == ("1200000", "True")
    assert int(rss_mb) < 800
    assert list((tmp_path / "work").iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    path = _big_log(tmp_path / "big.csv", 300_000)
    (tmp_path / "work").mkdir()
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    read()
except StorageFullError as error:
    print(error)
"""
    assert "no room left on the disk" in _in_a_process(code, path, tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []
    assert issubclass(StorageFullError, Exception)


@pytest.mark.parametrize("name", ["completejourney", "online-retail", "congress-110", "movietweetings-142k"])
def test_real_actions(tmp_path: Path, name: str) -> None:
    path = REAL / name / "actions.parquet"
    if not path.exists():
        pytest.skip(f"missing: shared/data/{name}/actions.parquet")
    items = pq.read_table(REAL / name / "items.parquet", columns=["item_id"]).column(0).to_pylist()
    vocabulary = ItemVocabulary.from_ids(items)
    with stage(path, tmp_path, ImportConfig(strict=True), vocabulary=vocabulary) as log:
        batches = list(log.batches(log.newest_ms, 100_000))
    users = pq.read_table(path, columns=["user_id"]).column(0).to_pylist()
    assert [user for b in batches for user in b.user_ids] == sorted(set(users), key=_order)
    assert sum(len(b.item_rows) for b in batches) == len(users)


@pytest.mark.parametrize("mapping", [{}, {"timestamp": "seen_at"}])
def test_datetime_stands_for_timestamp_where_there_is_none(tmp_path: Path, mapping: dict[str, str]) -> None:
    times = {name: [f"2020-01-0{day}"] for day, name in ((1, "datetime"), (2, "timestamp"), (3, "seen_at"))}
    kept: dict[str, list[Any]] = {"user_id": ["u"], "item_id": [ITEMS[0]]}
    for left_out, used in (((), 3 if mapping else 2), (("seen_at",), 2), (("seen_at", "timestamp"), 1)):
        columns = kept | {name: time for name, time in times.items() if name not in left_out}
        with stage(pa.table(columns), tmp_path, ImportConfig(columns=mapping)) as log:
            newest_ms = log.newest_ms
        assert datetime.fromtimestamp(newest_ms / 1_000, UTC).day == used


MIXED: dict[str, tuple[list[Any], list[str], list[Any]]] = {
    "integers": ([1, 7], ["7", "2"], [1, 2, 7, 7]),
    "no integer": ([1, 7], ["7", "07"], ["07", "1", "7", "7"]),
    "too large": ([1, 2**63 - 1], ["7", str(2**63)], ["1", "7", str(2**63 - 1), str(2**63)]),
}


@pytest.mark.parametrize("case", MIXED)
@pytest.mark.parametrize("csv_first", [False, True])
def test_ids_are_integers_in_a_parquet_file_and_characters_in_a_csv_file(
    tmp_path: Path, case: str, csv_first: bool
) -> None:
    """They are the same ids: integers if all of them are, else texts."""
    numbers, texts, expected = MIXED[case]
    typed = {"user_id": pa.array(numbers), "item_id": pa.array([7, 7])}
    times = {"timestamp": pa.array([T0_MS, T0_MS + 1], pa.timestamp("ms"))}
    pq.write_table(pa.table(typed | times), tmp_path / "a.parquet")
    rows = "".join(f"{user},{item},2025-01-01\n" for user, item in zip(texts, [7, 8], strict=True))
    (tmp_path / "b.csv").write_text("user_id,item_id,timestamp\n" + rows)
    files = [tmp_path / "a.parquet", tmp_path / "b.csv"][:: -1 if csv_first else 1]
    vocabulary = ItemVocabulary.from_ids([7, 8])
    found = rows_in(stage(files, tmp_path, vocabulary=vocabulary))
    assert [row[0] for row in found] == expected
    assert sorted(row[1] for row in found) == [0, 0, 0, 1]

"""Items through every format, every bad row, and what is left after failures."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from pinnersage._report import RowsRefusedError
from pinnersage.config import ImportConfig
from pinnersage.errors import BadRowsError, DataError, SchemaError, StoredFormatError, UsageError
from pinnersage.items.importing import import_items
from pinnersage.items.matrix import RowFile
from pinnersage.items.table import ItemTable

REAL = Path(__file__).parents[2].parent / "shared" / "data"
LAX = ImportConfig(max_bad_share=1.0)
N, D = 50, 4
RNG = np.random.default_rng(5)
VECTORS = RNG.standard_normal((N, D)).astype(np.float32)
ORDER: list[int] = RNG.permutation(N).tolist()
TITLES = [f'title {i}, "quoted"\nand ünïcode' if i % 3 else None for i in range(N)]


def ids_of(kind: str) -> list[Any]:
    """Ids whose ascending order is 0..N-1."""
    return [f"i{i:03d}" for i in range(N)] if kind == "string" else [i * 7 - 20 for i in range(N)]


def table_of(kind: str, embedding: bool = True) -> pa.Table:
    columns: dict[str, Any] = {
        "item_id": pa.array([ids_of(kind)[i] for i in ORDER]),
        "title": pa.array([TITLES[i] for i in ORDER], pa.string()),
        "quality": pa.array([i / 8 for i in ORDER]),
        "available": pa.array([bool(i % 5) for i in ORDER]),
        "created_at": pa.array([i * 1_000_500 for i in ORDER], pa.timestamp("us")),
        "stock": pa.array([int(i) for i in ORDER]),
        "shelf": pa.array([f"0{i}" for i in ORDER]),
    }
    if embedding:
        columns["embedding"] = pa.array([VECTORS[i].tolist() for i in ORDER], pa.list_(pa.float32()))
    return pa.table(columns)


def as_rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["created_at"] = row["created_at"].isoformat() + "Z"
    return rows


def write_parquet(table: pa.Table, path: Path) -> Any:
    pq.write_table(table, path / "t.parquet", row_group_size=7)
    return path / "t.parquet"


def write_arrow(table: pa.Table, path: Path) -> Any:
    with pa.ipc.new_file(str(path / "t.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=11)
    return str(path / "t.arrow")


def write_feather(table: pa.Table, path: Path) -> Any:
    pa.feather.write_feather(table, str(path / "t.feather"), compression="zstd")
    return path / "t.feather"


def write_csv(table: pa.Table, path: Path) -> Any:
    frame = pd.DataFrame(as_rows(table))
    frame["embedding"] = [json.dumps(row) for row in table.column("embedding").to_pylist()]
    frame.to_csv(path / "t.csv", index=False)
    return path / "t.csv"


def write_jsonl_gz(table: pa.Table, path: Path) -> Any:
    with gzip.open(path / "t.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in as_rows(table))
    return path / "t.jsonl.gz"


def write_parts(table: pa.Table, path: Path) -> Any:
    pq.write_table(table.slice(0, 20), path / "part-0.parquet")
    pq.write_table(table.slice(20), path / "part-1.parquet")
    return str(path / "part-*.parquet")


def write_npy_beside(table: pa.Table, path: Path) -> Any:
    np.save(path / "t.npy", VECTORS[ORDER].astype(np.float64, order="F"))
    pq.write_table(table.drop_columns("embedding"), path / "t.parquet")
    return path / "t.parquet"


def half_floats(table: pa.Table, path: Path) -> Any:
    column = table.column("embedding").cast(pa.list_(pa.float16()))
    return table.set_column(table.schema.get_field_index("embedding"), "embedding", column)


WRITERS: dict[str, Callable[[pa.Table, Path], Any]] = {
    "parquet": write_parquet,
    "arrow": write_arrow,
    "feather": write_feather,
    "csv": write_csv,
    "jsonl.gz": write_jsonl_gz,
    "parts": write_parts,
    "directory": lambda t, p: [write_parts(t, p), p][1],
    "npy": write_npy_beside,
    "memory": lambda t, p: t,
    "stream": lambda t, p: t.to_reader(max_chunksize=9),
    "pandas": lambda t, p: t.to_pandas(),
    "polars": lambda t, p: pl.from_arrow(t),
    "polars array": lambda t, p: pl.from_arrow(t).with_columns(pl.col("embedding").list.to_array(D)),  # type: ignore[union-attr]
    "half": half_floats,
}


@pytest.mark.parametrize("kind", ["string", "integer"])
@pytest.mark.parametrize("form", WRITERS)
def test_every_format_ends_in_the_same_items(tmp_path: Path, form: str, kind: str) -> None:
    (tmp_path / "in").mkdir()
    source = WRITERS[form](table_of(kind), tmp_path / "in")
    items, report = import_items(source, tmp_path / "out", ImportConfig())
    unit = VECTORS.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    atol = 2e-3 if form == "half" else 1e-7
    assert (report.n_rows, report.n_good, report.n_bad) == (N, N, 0)
    assert items.vocabulary.kind == kind
    assert items.vocabulary.ids_of(range(N)) == ids_of(kind)
    assert items.embeddings.dtype == np.float32
    assert items.embeddings.flags.c_contiguous
    np.testing.assert_allclose(items.embeddings, unit, rtol=0, atol=atol)
    kept = items.attributes.to_pydict()
    assert kept["title"] == TITLES
    assert kept["quality"] == [i / 8 for i in range(N)]
    assert kept["created_at_ms"] == [i * 1_000_500 // 1_000 for i in range(N)]
    assert kept["available"] == [bool(i % 5) for i in range(N)]
    assert kept["stock"] == list(range(N))
    assert kept["shelf"] == [f"0{i}" for i in range(N)]
    assert "embedding" not in kept
    assert items.pool.tolist() == [bool(i % 5) for i in range(N)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "attributes.arrow",
        "embeddings.npy",
        "vocabulary.arrow",
    ]
    again = ItemTable.open(tmp_path / "out")
    assert np.array_equal(again.embeddings, items.embeddings)
    assert again.attributes.equals(items.attributes)


def test_float16_and_no_scaling(tmp_path: Path) -> None:
    config = ImportConfig(dtype="float16", normalize=False)
    items, _ = import_items(table_of("string"), tmp_path / "out", config)
    assert items.embeddings.dtype == np.float16
    assert np.array_equal(items.embeddings, VECTORS.astype(np.float16))


def test_lengths_beyond_float64_squares_are_scaled(tmp_path: Path) -> None:
    table = pa.table(
        {"item_id": ["a", "b", "c"], "embedding": [[3e200, 4e200], [3e-200, 4e-200], [3.0, 4.0]]}
    )
    items, _ = import_items(table, tmp_path / "out", ImportConfig())
    np.testing.assert_allclose(items.embeddings, [[0.6, 0.8]] * 3, rtol=1e-7)


def test_equal_numbers_of_either_precision_give_equal_embeddings(tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).standard_normal((200, 33)).astype(np.float32)
    ids = pa.array([f"i{i:03d}" for i in range(200)])
    single, double = (
        import_items(pa.table({"item_id": ids, "embedding": list(rows)}), tmp_path / name, ImportConfig())[0]
        for name, rows in (("single", vectors), ("double", vectors.astype(np.float64)))
    )
    assert np.array_equal(single.embeddings, double.embeddings)


def test_categories_are_ids(tmp_path: Path) -> None:
    ids = pl.Series(["b", "a", "c"], dtype=pl.Categorical)
    rows = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    items, _ = import_items(
        pl.DataFrame({"item_id": ids, "embedding": rows}), tmp_path / "out", ImportConfig()
    )
    assert items.vocabulary.ids_of([0, 1, 2]) == ["a", "b", "c"]
    assert items.embeddings[0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("text", ["[3, 4]", "3 4", "[3 4]", "3;4", " [3.0,\t4e0] "])
def test_embedding_texts(tmp_path: Path, text: str) -> None:
    items, _ = import_items(
        pa.table({"item_id": ["a"], "embedding": [text]}), tmp_path / "out", ImportConfig()
    )
    np.testing.assert_allclose(items.embeddings, [[0.6, 0.8]], rtol=1e-7)


BAD: list[tuple[Any, Any, str]] = [
    ("ok", [1.0, 0.0], ""),
    (None, [1.0, 0.0], "empty_item_id"),
    ("", [1.0, 0.0], "empty_item_id"),
    ("m", None, "embedding_missing"),
    ("w", [1.0, 2.0, 3.0], "embedding_wrong_width"),
    ("n", [float("nan"), 1.0], "embedding_not_finite"),
    ("i", [float("-inf"), 1.0], "embedding_not_finite"),
    ("z", [0.0, -0.0], "embedding_zero"),
    ("ok", [0.0, 1.0], "duplicate_item_id"),
    ("z", [0.0, 1.0], ""),
]


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_bad_rows_are_counted_and_shown_with_file_and_row(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"items.{form}"
    if form == "parquet":
        pq.write_table(pa.table({"item_id": [b[0] for b in BAD], "embedding": [b[1] for b in BAD]}), path)
    else:
        texts = ["" if b[1] is None else json.dumps(b[1]).replace("Infinity", "inf") for b in BAD]
        if form == "csv":
            pd.DataFrame({"item_id": [b[0] for b in BAD], "embedding": texts}).to_csv(path, index=False)
        else:
            rows = [{"item_id": b[0], "embedding": text} for b, text in zip(BAD, texts, strict=True)]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    items, report = import_items(path, tmp_path / "out", LAX)
    expected = [(row, b[2]) for row, b in enumerate(BAD, 1) if b[2]]
    assert sorted((e.row, e.reason) for e in report.examples) == expected
    assert {e.file for e in report.examples} == {str(path)}
    assert report.n_rows == len(BAD)
    assert report.n_bad == len(expected) == sum(report.reasons.values())
    assert items.vocabulary.ids_of([0, 1]) == ["ok", "z"]
    assert items.embeddings.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert json.loads(json.dumps(report.to_dict()))["reasons"] == report.reasons


def test_lines_that_cannot_be_read_are_counted_and_rows_still_numbered_right(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,embedding\na,1 2\nb\nc,1 2,x\n,1 2\nd,3 x\ne,\n")
    items, report = import_items(path, tmp_path / "out", LAX)
    assert [(e.row, e.reason) for e in sorted(report.examples, key=lambda e: e.row)] == [
        (2, "unreadable_row"),
        (3, "unreadable_row"),
        (4, "empty_item_id"),
        (5, "embedding_unparsable"),
        (6, "embedding_missing"),
    ]
    assert items.vocabulary.ids_of([0]) == ["a"]
    lines = tmp_path / "items.jsonl"
    lines.write_text(
        '{"item_id": 1, "embedding": [1, 2]}\n{"item_id": 2, "emb\n{"item_id": 3, "embedding": "q"}\n'
    )
    items, report = import_items(lines, tmp_path / "out2", LAX)
    assert [(e.row, e.reason) for e in report.examples] == [
        (3, "embedding_unparsable"),
        (2, "unreadable_row"),
    ]
    assert items.vocabulary.ids_of([0]) == [1]


UNREADABLE = {
    "available": ["nein", "2", "sold out"],
    "quality": ["0,9", "good", "1.2.3"],
    "created_at": ["soon", "2026-13-01", "yesterday 9:00"],
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_what_is_there_and_cannot_be_read_is_a_bad_row(tmp_path: Path, form: str, name: str) -> None:
    """Else an item that is sold out would be recommended for want of a word that is known."""
    good = {"available": "no", "quality": "0.5", "created_at": "2026-01-02T03:04:05Z"}[name]
    values = [good, None, *UNREADABLE[name], good]
    ids = [f"i{number}" for number in range(len(values))]
    source: Any = pa.table({"item_id": ids, name: values, "embedding": [[1.0]] * len(ids)})
    if form != "table":
        rows = source.to_pylist()
        source = tmp_path / f"items.{form}"
        lines = [json.dumps(row) for row in rows]
        if form == "csv":
            lines = [f"item_id,{name},embedding", *(f'{r["item_id"]},"{r[name] or ""}",[1.0]' for r in rows)]
        source.write_text("\n".join(lines) + "\n")
    items, report = import_items(source, tmp_path / "out", LAX)
    assert items.vocabulary.ids_of(range(len(items))) == ["i0", "i1", "i5"]
    assert report.reasons == {f"{name}_unparsable": 3}
    assert [(e.row, e.value) for e in report.examples] == [
        (row, repr(value)) for row, value in enumerate(UNREADABLE[name], start=3)
    ]


@pytest.mark.parametrize(
    ("given", "is_in_pool"),
    [
        (pa.array([True, False, None]), [True, False, True]),
        (pa.array([1.0, 0.0, None]), [True, False, True]),  # what a gap makes of truth values in pandas
        (pa.array([1.0, 0.0, float("nan")]), [True, False, True]),
        (pa.array([1, 0, 1], pa.int8()), [True, False, True]),
        (pa.array(["yes", "no", ""]), [True, False, True]),
        (pa.array(["T", "f", "True"]), [True, False, True]),
        (pa.array(["1.0", "0.0", "1"]), [True, False, True]),
    ],
)
def test_ways_to_say_that_an_item_is_available(
    tmp_path: Path, given: pa.Array, is_in_pool: list[bool]
) -> None:
    table = pa.table({"item_id": [1, 2, 3], "available": given, "embedding": [[1.0]] * 3})
    items, report = import_items(table, tmp_path / "out", LAX)
    assert (items.pool.tolist(), report.n_bad) == (is_in_pool, 0)


def test_a_quality_that_is_no_number_is_missing(tmp_path: Path) -> None:
    table = pa.table({"item_id": [1, 2], "quality": [float("nan"), 0.5], "embedding": [[1.0]] * 2})
    assert import_items(table, tmp_path / "out", LAX)[1].n_bad == 0


def test_strict_and_the_share_refuse_and_leave_nothing(tmp_path: Path) -> None:
    table = pa.table({"item_id": ["a", "b", "c", "a"], "embedding": [[1.0]] * 4})
    with pytest.raises(RowsRefusedError, match=r"duplicate_item_id 1(.|\n)*row 4(.|\n)*--strict") as caught:
        import_items(table, tmp_path / "out", ImportConfig(strict=True, max_bad_share=1))
    assert caught.value.report.reasons == {"duplicate_item_id": 1}
    with pytest.raises(BadRowsError, match=r"at most 24\.0% bad rows, found 25\.0%"):
        import_items(table, tmp_path / "out", ImportConfig(max_bad_share=0.24))
    with pytest.raises(BadRowsError, match="none of 2 rows"):
        import_items(pa.table({"item_id": ["a", "b"], "embedding": [[0.0]] * 2}), tmp_path / "out", LAX)
    assert list(tmp_path.iterdir()) == []
    _, report = import_items(table, tmp_path / "out", ImportConfig(max_bad_share=0.25))
    assert report.n_good == 3


def test_mapping_and_dropped_columns(tmp_path: Path) -> None:
    table = pa.table(
        {
            "asin": ["b", "a"],
            "vec": [[1.0], [2.0]],
            "name": ["B", "A"],
            "tags": [["x"], []],
            "title": ["?", "?"],
        }
    )
    config = ImportConfig(columns={"item_id": "asin", "embedding": "vec", "title": "name", "user_id": "u"})
    items, _ = import_items(table, tmp_path / "out", config)
    assert items.attributes.to_pydict() == {"title": ["A", "B"]}


def test_no_attributes_at_all(tmp_path: Path) -> None:
    items, _ = import_items(
        pa.table({"item_id": [2, 1], "embedding": [[1.0], [2.0]]}), tmp_path / "out", ImportConfig()
    )
    assert items.attributes.num_rows == len(items) == 2
    assert items.pool.tolist() == [True, True]


def test_ids_of_mixed_files_become_strings(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": [7, 8], "embedding": [[1.0], [1.0]]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"item_id": ["7", "x"], "embedding": [[1.0], [1.0]]}), tmp_path / "b.parquet")
    items, report = import_items([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "out", LAX)
    assert items.vocabulary.ids_of(range(3)) == ["7", "8", "x"]
    assert [(Path(e.file).name, e.row, e.reason) for e in report.examples] == [
        ("b.parquet", 1, "duplicate_item_id")
    ]


@pytest.mark.parametrize("more", [[], ["07"]], ids=["integers alone", "a text besides"])
def test_ids_are_integers_in_a_parquet_file_and_characters_in_a_csv_file(
    tmp_path: Path, more: list[str]
) -> None:
    pq.write_table(pa.table({"item_id": [7, 8], "embedding": [[1.0], [1.0]]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text(
        "item_id,embedding\n" + "".join(f"{i},[1.0]\n" for i in ["7", "9", *more])
    )
    items, report = import_items([tmp_path / "a.parquet", tmp_path / "b.csv"], tmp_path / "out", LAX)
    ids = ["07", "7", "8", "9"] if more else [7, 8, 9]
    assert items.vocabulary.ids_of(range(len(items))) == ids
    assert [(Path(e.file).name, e.row, e.reason) for e in report.examples] == [
        ("b.csv", 1, "duplicate_item_id")
    ]


def broken(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def truncated_parquet(tmp_path: Path) -> Path:
    path = tmp_path / "cut.parquet"
    pq.write_table(table_of("string"), path)
    path.write_bytes(path.read_bytes()[:-30])
    return path


REFUSED: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "missing": (lambda p: p / "nowhere.parquet", UsageError, "no such file"),
    "glob": (lambda p: p / "*.parquet", UsageError, "no such file"),
    "extension": (lambda p: broken(p, "t.xls", b"x"), UsageError, "unknown extension '.xls'"),
    "empty": (lambda p: broken(p, "t.csv", b""), DataError, "is empty"),
    "no rows": (lambda p: broken(p, "t.csv", b"item_id,embedding\n"), DataError, "holds no rows"),
    "column": (
        lambda p: broken(p, "t.csv", b"asin,embedding\nx,1\n"),
        SchemaError,
        "column item_id; found asin, embedding.*--map item_id=",
    ),
    "no embedding": (
        lambda p: broken(p, "t.csv", b"item_id\nx\n"),
        SchemaError,
        r"\.npy file beside.*pinnersage embed",
    ),
    "truncated": (truncated_parquet, DataError, r"cut\.parquet: cannot be read"),
    "latin1": (
        lambda p: broken(p, "t.csv", b"item_id,embedding\na,1 2\n\xe9,1 2\n"),
        DataError,
        "line 3: expected UTF-8",
    ),
    "utf16": (
        lambda p: broken(p, "t.csv", "item_id,embedding\n".encode("utf-16")),
        DataError,
        "UTF-16",
    ),
    "float ids": (
        lambda p: pd.DataFrame({"item_id": [1.0, None], "embedding": [[1.0], [2.0]]}),
        SchemaError,
        "strings or integers in item_id",
    ),
    "embedding type": (
        lambda p: pa.table({"item_id": [1], "embedding": [1.0]}),
        SchemaError,
        "lists of numbers in embedding, found double",
    ),
    "nonsense": (lambda p: 5, UsageError, "found int"),
    "none": (lambda p: [], UsageError, "empty list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_told_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    make, error, message = REFUSED[case]
    (tmp_path / "in").mkdir()
    source = make(tmp_path / "in")
    with pytest.raises(error, match=message):
        import_items(source, tmp_path / "out", ImportConfig())
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_matrices_that_do_not_fit(tmp_path: Path) -> None:
    table = table_of("string", embedding=False)
    matrices: list[tuple[Any, str]] = [
        (VECTORS[:-1], f"each of the {N} rows"),
        (np.ones((N + 1, 2)), f"each of the {N} rows"),
        (np.ones(N), "expected a matrix"),
        (np.full((N, 2), "x"), "expected a matrix"),
    ]
    for matrix, message in matrices:
        with pytest.raises(SchemaError, match=message):
            import_items(table, tmp_path / "out", ImportConfig(), embeddings_npy=matrix)
    with pytest.raises(UsageError, match="no such file"):
        import_items(table, tmp_path / "out", ImportConfig(), embeddings_npy=tmp_path / "no.npy")
    lists: Any = [[1.0, 2.0]] * len(table)
    with pytest.raises(UsageError, match="array of NumPy, got list"):
        import_items(table, tmp_path / "out", ImportConfig(), embeddings_npy=lists)
    (tmp_path / "bad.npy").write_bytes(b"not numpy")
    with pytest.raises(SchemaError, match=r"cannot be read as a \.npy"):
        import_items(table, tmp_path / "out", ImportConfig(), embeddings_npy=tmp_path / "bad.npy")


def test_what_is_there_already_is_never_touched(tmp_path: Path) -> None:
    import_items(table_of("string"), tmp_path / "out", ImportConfig())
    before = (tmp_path / "out" / "embeddings.npy").read_bytes()
    with pytest.raises(UsageError, match="expected no items there yet"):
        import_items(table_of("integer"), tmp_path / "out", ImportConfig())
    assert (tmp_path / "out" / "embeddings.npy").read_bytes() == before


def test_damaged_files_are_refused_on_opening(tmp_path: Path) -> None:
    import_items(table_of("string"), tmp_path / "out", ImportConfig())
    for name in ("embeddings.npy", "vocabulary.arrow", "attributes.arrow"):
        path = tmp_path / "out" / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StoredFormatError, match=name):
            ItemTable.open(tmp_path / "out")
        path.unlink()
        with pytest.raises(StoredFormatError, match=name):
            ItemTable.open(tmp_path / "out")
        path.write_bytes(whole)
    import_items(table_of("string").slice(1), tmp_path / "other", ImportConfig())
    (tmp_path / "other" / "embeddings.npy").replace(tmp_path / "out" / "embeddings.npy")
    with pytest.raises(StoredFormatError, match=f"{N} ids, {N - 1} embeddings"):
        ItemTable.open(tmp_path / "out")


@pytest.mark.parametrize("name", ["vocabulary.arrow", "attributes.arrow"])
def test_texts_that_point_outside_are_refused_on_opening(tmp_path: Path, name: str) -> None:
    """Read as they are, such offsets end the process; so each file is opened in one of its own."""
    import_items(table_of("string"), tmp_path / "out", ImportConfig())
    path = tmp_path / "out" / name
    whole, offsets = path.read_bytes(), _offsets_of(path)
    path.write_bytes(whole.replace(offsets, offsets[:8] + b"Z" * (len(offsets) - 16) + offsets[-8:]))
    assert path.read_bytes() != whole
    code = "import sys; from pinnersage.items.table import ItemTable; t = ItemTable.open(sys.argv[1])"
    more = "; t.vocabulary.ids_of(range(50)); t.attributes.to_pylist()"
    ran = subprocess.run(
        [sys.executable, "-c", code + more, tmp_path / "out"], capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert f"{name}: cannot be read" in ran.stderr


def _offsets_of(path: Path) -> bytes:
    """Return the bytes of the offsets of the first column of texts."""
    with pa.ipc.open_file(path) as reader:
        columns = reader.read_all().columns
    texts = next(column.chunk(0) for column in columns if column.type in (pa.string(), pa.large_string()))
    return bytes(texts.buffers()[1])[: (N + 1) * (4 if texts.type == pa.string() else 8)]


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    import_items(table_of("string"), tmp_path / "out", ImportConfig(), progress=lambda *a: told.append(a))
    assert ("reading items", N, N) in told
    assert told[-1] == ("writing items", N, N)


def test_ctrl_c_after_the_last_file_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("writing items", N):
            assert len(list((tmp_path / "out").glob("*.*"))) >= 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_items(table_of("string"), tmp_path / "out", ImportConfig(), progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_rows_a_block", [1, 7, N, 2 * N])
def test_the_matrix_is_written_block_by_block(tmp_path: Path, n_rows_a_block: int) -> None:
    rows = RowFile(tmp_path / "rows", "float32")
    for start in range(0, N, 20):
        rows.append(VECTORS[start : start + 20])
    order = np.array(ORDER[:-3], dtype=np.int64)
    rows.write_npy(tmp_path / "m.npy", order, block_bytes=n_rows_a_block * D * 4)
    assert np.array_equal(np.load(tmp_path / "m.npy"), VECTORS[order])


IN_A_SMALL_PROCESS = """
import pathlib, resource, sys, pyarrow as pa, numpy as np
def peak_mb():  # of this program: what getrusage tells holds that of the parent, too
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
from pinnersage.config import ImportConfig
from pinnersage.errors import StorageFullError
from pinnersage.items.importing import import_items
n, d = 60_000, 256
def batches():
    rng = np.random.default_rng(0)
    for start in range(n, 0, -1000):
        values = pa.array(rng.standard_normal(1000 * d, dtype=np.float32))
        ids = pa.array([f"item {i:09d}" for i in range(start, start - 1000, -1)])
        lists = pa.FixedSizeListArray.from_arrays(values, d)
        yield pa.record_batch({"item_id": ids, "embedding": lists, "title": ids})
schema = next(batches()).schema
"""


def in_a_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IN_A_SMALL_PROCESS + code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
    )


def test_memory_does_not_grow_with_the_matrix(tmp_path: Path) -> None:
    done = in_a_process(
        """
small = pa.RecordBatchReader.from_batches(schema, (b for b in list(batches())[:1]))
import_items(small, sys.argv[1] + "/a", ImportConfig(memory_limit_mb=64))
before = peak_mb()
t, r = import_items(pa.RecordBatchReader.from_batches(schema, batches()), sys.argv[1] + "/b",
                    ImportConfig(memory_limit_mb=64))
print(peak_mb() - before, len(t), t.vocabulary.id_of(0))
""",
        str(tmp_path),
    )
    grown_mb, n_items, first = done.stdout.split(maxsplit=2)
    # The matrix has 60 000 x 256 x 4 bytes = 58.6 MiB, the 64 MiB blocks it is written in about once that.
    assert int(n_items) == 60_000
    assert first.strip() == "item 000000001"
    assert int(grown_mb) < 250


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    done = in_a_process(
        """
table = pa.Table.from_batches(batches())
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
try:
    import_items(table, sys.argv[1] + "/out", ImportConfig())
except StorageFullError as error:
    print(error)
""",
        str(tmp_path),
    )
    assert "no room left on the disk" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000_000


@pytest.mark.parametrize("name", ["completejourney", "online-retail", "congress-110", "movietweetings-142k"])
def test_real_items(tmp_path: Path, name: str) -> None:
    path = REAL / name / "items.parquet"
    if not path.exists():
        pytest.skip(f"missing: shared/data/{name}/items.parquet")
    items, report = import_items(path, tmp_path / "out", ImportConfig(strict=True))
    assert report.n_good == pq.read_metadata(path).num_rows == len(items)
    assert items.embeddings.shape[1] == 384
    first = items.vocabulary.ids_of([0])[0]
    stored = pq.read_table(path, filters=[("item_id", "=", first)]).column("embedding")[0].as_py()
    np.testing.assert_allclose(items.embeddings[0], stored, atol=1e-4)  # stored from half floats


def test_ids_of_several_types_in_one_column_are_said_in_a_sentence(tmp_path: Path) -> None:
    mixed = pd.DataFrame({"item_id": ["a", 1], "embedding": [[1.0, 0.0], [0.0, 1.0]]})
    with pytest.raises(DataError, match=r"\(Expected bytes, got a 'int' object; .* column item_id"):
        import_items(mixed, tmp_path / "out", ImportConfig())

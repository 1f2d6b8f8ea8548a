"""Every kind of bad input, through the real entry point: its exit code, its message, nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import DAY_MS, N_DIMENSIONS, START_MS, Ran, Run, action_table, item_table

Call = Callable[..., Ran]
Build = Callable[..., Ran]


@pytest.fixture
def build(world: Path, call: Run) -> Build:
    """Return a function that replaces tables, builds with JSON, and looks for leftovers on failure."""

    def build_with(
        *more: str, items: pa.Table | Path | None = None, actions: pa.Table | Path | None = None
    ) -> Ran:
        paths = {"items": world / "items.parquet", "actions": world / "actions.parquet"}
        for name, table in (("items", items), ("actions", actions)):
            if isinstance(table, Path):
                paths[name] = table
            elif table is not None:
                pq.write_table(table, paths[name])
        before = sorted(world.iterdir())
        tables = ("--items", paths["items"], "--actions", paths["actions"])
        ran = call("build", *tables, "--out", world / "model", "--json", *more)
        if ran.code:
            assert ran.out == ""
            assert sorted(world.iterdir()) == before, "something was left behind"
        return ran

    return build_with


def replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.chunked_array([values]))


def with_rows(table: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.concat_tables([table, pa.Table.from_pylist(rows, schema=table.schema)])


def embedding(*head: float) -> list[float]:
    return [*head, *[0.0] * (N_DIMENSIONS - len(head))]


def action(user: str = "u0", item: str = "i00", time_ms: int = START_MS) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "timestamp": time_ms}


def refused(ran: Ran, type_name: str, *words: str) -> None:
    assert ran.code == 3
    error = ran.error()
    assert error["type"] in type_name.split("|")
    for word in words:
        assert word in error["message"], error["message"]


@pytest.mark.parametrize("table", ["items", "actions"])
@pytest.mark.parametrize("extension", ["parquet", "csv", "jsonl"])
def test_empty_files(world: Path, build: Build, table: str, extension: str) -> None:
    path = world / f"empty.{extension}"
    path.touch()
    refused(build(**{table: path}), "DataError", "empty", path.name)


@pytest.mark.parametrize("table", ["items", "actions"])
def test_tables_without_rows(build: Build, table: str) -> None:
    whole = {"items": item_table, "actions": action_table}[table]()
    refused(build(**{table: whole.slice(0, 0)}), "RowsRefusedError|DataError", table)


@pytest.mark.parametrize(
    ("table", "column"), [("items", "item_id"), ("actions", "user_id"), ("actions", "timestamp")]
)
def test_missing_columns(build: Build, table: str, column: str) -> None:
    whole = {"items": item_table, "actions": action_table}[table]()
    refused(build(**{table: whole.drop_columns([column])}), "SchemaError", column, "--map")


def test_items_without_embeddings(build: Build) -> None:
    refused(build(items=item_table().drop_columns(["embedding"])), "SchemaError", "embedding")


BAD_ITEMS = {
    "embedding_wrong_width": [1.0, 0.0],
    "embedding_not_finite": embedding(float("nan")),
    "embedding_zero": embedding(0.0),
}


@pytest.mark.parametrize(("reason", "bad"), BAD_ITEMS.items())
def test_bad_embeddings_are_counted(
    world: Path, build: Build, call: Run, reason: str, bad: list[float]
) -> None:
    row = {"item_id": "bad", "title": "Bad", "category": "bad", "embedding": bad}
    one_bad = with_rows(item_table(), [row])
    refused(build("--strict", items=one_bad), "RowsRefusedError", reason, "items.parquet", "row 41")
    assert build(items=one_bad).code == 0
    assert call("similar", world / "model", "bad", "--json").code == 4


@pytest.mark.parametrize(("reason", "bad"), BAD_ITEMS.items())
def test_many_bad_embeddings_are_refused(build: Build, reason: str, bad: list[float]) -> None:
    rows = [{"item_id": f"bad{n}", "title": "", "category": "", "embedding": bad} for n in range(5)]
    refused(build(items=with_rows(item_table(), rows)), "RowsRefusedError", reason, "max_bad_share")


def test_duplicate_items_are_counted(build: Build) -> None:
    again = {"item_id": "i00", "title": "", "category": "", "embedding": embedding(1.0)}
    twice = with_rows(item_table(), [again])
    refused(build("--strict", items=twice), "RowsRefusedError", "duplicate_item_id")
    assert build(items=twice).code == 0


BAD_ACTIONS = {
    "unknown_item": action(item="nowhere"),
    "time_before_1970": action(time_ms=-1),
    "time_in_future": action(time_ms=40_000 * DAY_MS),
    "empty_user_id": action(user=""),
    "empty_item_id": action(item=""),
    "time_missing": {"user_id": "u0", "item_id": "i00", "timestamp": None},
}


@pytest.mark.parametrize(("reason", "bad"), BAD_ACTIONS.items())
def test_bad_actions_are_counted(build: Build, reason: str, bad: dict[str, Any]) -> None:
    one_bad = with_rows(action_table(), [bad])
    refused(build("--strict", actions=one_bad), "RowsRefusedError", reason, "actions.parquet", "row 37")
    assert build(actions=one_bad).code == 0


@pytest.mark.parametrize(("reason", "bad"), BAD_ACTIONS.items())
def test_many_bad_actions_are_refused_unless_allowed(build: Build, reason: str, bad: dict[str, Any]) -> None:
    many_bad = with_rows(action_table(), [bad] * 36)
    refused(build(actions=many_bad), "RowsRefusedError", reason)
    assert build("--max-bad-share", "0.5", actions=many_bad).code == 0


def test_a_future_now_makes_future_times_good(world: Path, build: Build, call: Run) -> None:
    late = BAD_ACTIONS["time_in_future"]["timestamp"]
    future = with_rows(action_table(), [action(time_ms=late)])
    assert build("--strict", "--now", str(late), actions=future).code == 0
    interests = json.loads(call("interests", world / "model", "u0", "--json").out)["interests"]
    assert [interest["n_actions"] for interest in interests] == [1]


def test_integer_times_need_their_unit(build: Build) -> None:
    times_s = pc.divide(action_table()["timestamp"].cast(pa.int64()), 1000).combine_chunks()
    numbers = replaced(action_table(), "timestamp", times_s)
    refused(build(actions=numbers), "SchemaError", "--time-unit")
    refused(build("--time-unit", "ns", actions=numbers), "SchemaError|RowsRefusedError")
    assert build("--time-unit", "s", actions=numbers).code == 0


def test_texts_that_are_no_utf8(world: Path, build: Build) -> None:
    path = world / "actions.csv"
    path.write_bytes(b"user_id,item_id,timestamp\nu\xff\xfe0,i00,2016-07-18T00:00:00Z\n" * 3)
    refused(build(actions=path), "DataError|RowsRefusedError", "actions.csv")


@pytest.mark.parametrize("table", ["items", "actions"])
def test_a_truncated_parquet_file(world: Path, build: Build, table: str) -> None:
    path = world / f"{table}.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    refused(build(), "DataError", path.name)


def test_a_file_that_only_says_it_is_parquet(world: Path, build: Build) -> None:
    path = world / "fake.parquet"
    path.write_text("user_id,item_id,timestamp\n" * 20)
    refused(build(actions=path), "DataError", path.name)


@pytest.mark.parametrize("users", ["integers", "texts"])
@pytest.mark.parametrize("items_as", ["integers", "texts"])
def test_integers_and_their_texts_are_the_same_ids(
    world: Path, build: Build, call: Run, users: str, items_as: str
) -> None:
    def ids(column: str, kind: str) -> pa.Array:
        numbers = pa.array([int(value[1:]) for value in action_table()[column].to_pylist()])
        return numbers if kind == "integers" else numbers.cast(pa.string())

    items = replaced(item_table(), "item_id", pa.array(range(len(item_table()))))
    actions = replaced(action_table(), "item_id", ids("item_id", items_as))
    actions = replaced(actions, "user_id", ids("user_id", users))
    assert build("--strict", items=items, actions=actions).code == 0
    found = json.loads(call("interests", world / "model", "3", "--json").out)
    assert found["user_id"] == (3 if users == "integers" else "3")
    assert isinstance(found["interests"][0]["medoid_item_id"], int)
    assert call("similar", world / "model", "7", "--json").code == 0


def test_one_action_is_one_interest(world: Path, build: Build, call: Run) -> None:
    assert build(actions=action_table().slice(0, 1)).code == 0
    found = json.loads(call("interests", world / "model", "u0", "--json").out)
    assert [interest["n_actions"] for interest in found["interests"]] == [1]
    assert found["interests"][0]["share"] == 1.0
    assert len(json.loads(call("recommend", world / "model", "u0", "-k", 5, "--json").out)["items"]) == 5


def test_a_thousand_equal_actions_are_one(world: Path, build: Build, call: Run) -> None:
    assert build("--strict", actions=pa.concat_tables([action_table().slice(0, 1)] * 1000)).code == 0
    found = json.loads(call("interests", world / "model", "u0", "--json").out)
    assert [interest["n_actions"] for interest in found["interests"]] == [1]
    assert found["interests"][0]["importance"] == 1.0


def test_a_failed_build_leaves_the_last_model_alone(world: Path, build: Build, call: Run) -> None:
    assert build().code == 0
    before = call("interests", world / "model", "u0", "--json").out
    (world / "actions.parquet").write_bytes(b"PAR1")
    assert build().code == 3
    assert call("interests", world / "model", "u0", "--json").out == before


def test_other_names_are_mapped(world: Path, build: Build, call: Run) -> None:
    items = item_table().rename_columns(["asin", "name", "category", "vector"])
    actions = action_table().rename_columns(["who", "asin", "at"])
    names = ["item_id=asin", "title=name", "embedding=vector", "user_id=who", "timestamp=at"]
    flags = [part for name in names for part in ("--map", name)]
    assert build(*flags, items=items, actions=actions).code == 0
    assert "Topic 0" in call("interests", world / "model", "u0").out


@pytest.mark.parametrize("verb", ["validate", "build", "embed", "tune", "evaluate"])
@pytest.mark.parametrize("pair", ["user_id=customer", "title=user_id", "item_id=asin"])
def test_a_map_to_a_column_that_no_table_has_is_refused(world: Path, call: Run, verb: str, pair: str) -> None:
    tables = ("--items", world / "items.parquet", "--actions", world / "actions.parquet")
    out = () if verb == "validate" else ("--out", world / "out")
    before = sorted(world.iterdir())
    refused_map(call(verb, *tables, *out, "--json", "--map", pair), pair, "parquet; found")
    assert sorted(world.iterdir()) == before


def test_ingest_refuses_a_map_to_a_column_that_is_not_there(world: Path, copy: Path, call: Run) -> None:
    actions = world / "actions.parquet"
    refused_map(call("ingest", copy, actions, "--json", "--map", "user_id=customer"), "user_id=customer")
    assert call("ingest", copy, actions, "--json", "--map", "title=name").code == 0, "titles are of items"


def refused_map(ran: Ran, *words: str) -> None:
    assert ran.code == 2, ran.err
    error = ran.error()
    assert error["type"] == "UsageError"
    assert all(word in error["message"] for word in words), error


def test_tables_that_name_the_item_differently(build: Build) -> None:
    items = item_table().rename_columns(["asin", *item_table().column_names[1:]])
    names = ["bought" if name == "item_id" else name for name in action_table().column_names]
    tables = {"items": items, "actions": action_table().rename_columns(names)}
    refused_map(
        build("--map", "item_id=asin", "--map", "item_id=bought", "--json", **tables), "actions.item_id="
    )
    refused_map(build("--map", "items.user_id=asin", "--json", **tables), "cannot map items.user_id")
    refused_map(build("--map", "actions.item_id=asin", "--json", **tables), "actions.item_id=asin", "found")
    assert build("--map", "items.item_id=asin", "--map", "actions.item_id=bought", **tables).code == 0


@pytest.mark.parametrize("renamed", ["items", "actions"])
def test_a_map_that_fits_one_of_the_tables_is_taken(build: Build, renamed: str) -> None:
    tables = {"items": item_table(), "actions": action_table()}
    names = ["asin" if name == "item_id" else name for name in tables[renamed].column_names]
    tables[renamed] = tables[renamed].rename_columns(names)
    assert build("--map", "item_id=asin", **tables).code == 0


def test_a_map_is_taken_that_fits_only_late_lines(world: Path, build: Build) -> None:
    lines = [row | {"timestamp": row["timestamp"].isoformat()} for row in action_table().to_pylist()] * 40
    lines[-1]["strength"] = 2.0
    path = world / "actions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(lines) > 1_000
    assert build("--map", "weight=strength", actions=path).code == 0

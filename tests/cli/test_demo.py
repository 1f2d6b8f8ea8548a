"""The demo from end to end, on tables small enough for a test."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import N_TOPICS, Run, action_table, item_table

from pinnersage.cli import demo_data
from pinnersage.cli.demo_tables import write_tables
from pinnersage.errors import StorageFullError, UsageError


@pytest.fixture
def tables(world: Path) -> tuple[object, ...]:
    return (
        "--items",
        world / "items.parquet",
        "--actions",
        world / "actions.parquet",
        "--out",
        world / "demo",
    )


def lists(user: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [item["item_id"] for item in user["recommendations"]["items"]], user["averaged"]


def test_own_tables_are_told_the_same_way(tables: tuple[object, ...], call: Run) -> None:
    ran = call("demo", *tables, "--users", 2, "-k", 4, COLUMNS="120")
    assert (ran.code, ran.err) == (0, "")
    for words in ("interests, the most important first", "One averaged vector gives", "Try next"):
        assert words in ran.out
    assert ran.out.count("Recommended") == 2


def test_json_holds_both_lists_and_their_spread(tables: tuple[object, ...], call: Run) -> None:
    told = call("demo", *tables, "--users", 3, "-k", 6, "--json").object()
    assert list(told) == ["model", "seconds", "users"]
    acted_on: dict[str, set[str]] = {}
    for row in action_table().to_pylist():
        acted_on.setdefault(row["user_id"], set()).add(row["item_id"])
    for user in told["users"]:
        assert list(user) == ["interests", "recommendations", "averaged", "spread", "averaged_spread"]
        recommended, averaged = lists(user)
        assert len(recommended) == len(averaged) == 6
        for found in (recommended, averaged):
            assert not set(found) & acted_on[user["interests"]["user_id"]]
        n_topics = len({int(item[1:]) * N_TOPICS // 40 for item in recommended})
        assert user["spread"]["n_categories"] == n_topics


def test_items_without_embeddings_are_embedded_from_their_texts(
    world: Path, tables: tuple[object, ...], call: Run
) -> None:
    pq.write_table(item_table().drop_columns(["embedding"]), world / "items.parquet")
    told = call("demo", *tables, "--json").object()
    assert all(user["recommendations"]["items"] for user in told["users"])


def test_a_second_demo_is_a_new_generation(world: Path, tables: tuple[object, ...], call: Run) -> None:
    first = call("demo", *tables, "--json").object()["users"]
    second = call("demo", *tables, "--json").object()["users"]
    for user in (*first, *second):
        user["recommendations"].pop("request_id")
    assert first == second
    assert len(list((world / "demo" / "generations").iterdir())) >= 1


def test_the_commands_it_suggests_work(tables: tuple[object, ...], call: Run) -> None:
    out = call("demo", *tables, COLUMNS="200").out
    suggested = [
        line.split("#")[0].split()[1:] for line in out.splitlines() if line.startswith("  pinnersage")
    ]
    runnable = [args for args in suggested if args[0] not in {"demo", "build", "serve"}]
    assert {args[0] for args in runnable} == {"interests", "recommend", "explain", "similar"}
    for args in runnable:
        assert call(*args).code == 0, args


def test_without_its_package_the_exit_code_is_that_of_a_missing_extra(
    tmp_path: Path, call: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_data, "PACKAGE", "no_such_package_here")
    ran = call("demo", "--out", tmp_path / "demo", "--tables", tmp_path / "tables", "--json")
    assert (ran.code, ran.error()["type"]) == (5, "UnavailableError")
    assert list(tmp_path.iterdir()) == []


def test_the_tables_it_leaves_build_the_same_model(tmp_path: Path, call: Run) -> None:
    told = call("demo", "--out", "demo", "--tables", ".", "--json", cwd=tmp_path).object()
    assert (told["model"], told["tables"]) == ("demo", ".")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["actions.parquet", "demo", "items.parquet"]
    tables = ("--items", "items.parquet", "--actions", "actions.parquet")
    assert call("validate", *tables, "--strict", cwd=tmp_path).code == 0
    assert call("build", *tables, "--out", "model", cwd=tmp_path).code == 0
    users = [user["interests"]["user_id"] for user in told["users"]]
    built = call("interests", "model", *users, "--json", cwd=tmp_path).objects()
    assert built == [user["interests"] for user in told["users"]]


@pytest.mark.parametrize("name", ["items.parquet", "actions.parquet"])
def test_tables_that_are_there_stay(tmp_path: Path, call: Run, name: str) -> None:
    (tmp_path / name).write_text("mine")
    ran = call("demo", "--out", tmp_path / "demo", "--tables", tmp_path)
    assert ran.code == 2
    assert str(tmp_path / name) in ran.err
    with pytest.raises(UsageError):
        write_tables(item_table(), action_table(), tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_tables_need_a_directory_of_their_own(
    world: Path, tables: tuple[object, ...], call: Run, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    for wrong in (world / "items.parquet", world / "no" / "such", world / "demo"):
        ran = call("demo", "--out", world / "demo", "--tables", wrong)
        assert (ran.code, "--tables" in ran.err) == (2, True)
    assert call("demo", *tables, "--tables", world / "left").code == 2
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("n_rows", "limit_bytes"), [(50_000, 100_000), (500, 2_000)])
def test_tables_without_room_leave_nothing(tmp_path: Path, n_rows: int, limit_bytes: int) -> None:
    """Neither large ones, whose writing fails, nor small ones, that fail when they are flushed."""
    large = pa.table({"item_id": [f"i{number}" for number in range(n_rows)]})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        for directory in (tmp_path, tmp_path / "new"):
            for items, actions in ((large, large.slice(0, 9)), (large.slice(0, 9), large)):
                with pytest.raises(StorageFullError):
                    write_tables(items, actions, directory)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_real_purchases(tmp_path: Path, process: Run) -> None:
    ran = process("demo", "--out", tmp_path / "demo")
    assert ran.code == 0, ran.err
    assert "simulated data" in ran.out
    assert "2,469 real households" in ran.out
    assert ran.out.count("One averaged vector") == 3

"""The demo from end to end, on tables small enough for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import N_TOPICS, Run, action_table, item_table


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


@pytest.mark.slow
def test_the_real_purchases(tmp_path: Path, process: Run) -> None:
    ran = process("demo", "--out", tmp_path / "demo")
    assert ran.code == 0, ran.err
    assert "simulated data" in ran.out
    assert "2,469 real households" in ran.out
    assert ran.out.count("One averaged vector") == 3

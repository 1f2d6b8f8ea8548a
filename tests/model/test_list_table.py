"""Lists of many users as a table: each is the one that its user gets alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from tests.model.test_facade import actions, items
from tests.model.test_ranked import SETTINGS, tables

from pinnersage import LiveModel, PinnerSage
from pinnersage.errors import UsageError
from pinnersage.model import list_table

COLUMNS = ["user_id", "rank", "item_id", "score", "interest"]


@pytest.fixture(scope="module")
def models() -> Iterator[dict[str, PinnerSage]]:
    with PinnerSage.build(items(), actions()) as plain, PinnerSage.build(*tables(), **SETTINGS) as ranked:
        yield {"texts": plain, "integers": ranked}


def alone(model: PinnerSage, k: int, **options: Any) -> list[dict[str, Any]]:
    """The rows, user by user."""
    return [
        {"user_id": user} | row
        for user in model.users()
        for row in model.recommend(user, k, **options).to_pylist()
    ]


@pytest.mark.parametrize("ids", ["texts", "integers"])
@pytest.mark.parametrize("n_at_once", [1, 7, 1_000])
def test_each_list_is_the_one_its_user_gets(
    models: dict[str, PinnerSage], ids: str, n_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_table, "_PART_USERS", n_at_once)
    model = models[ids]
    asked: list[dict[str, Any]] = [
        {},
        {"mode": "budgeted", "interests": 2},
        {"mode": "balanced"},
        {"seed": 3},
    ]
    for options in asked:
        table = model.recommend_many(None, 4, **options).read_all()
        assert table.column_names == COLUMNS
        assert table.to_pylist() == alone(model, 4, **options)
    id_type = pa.string() if ids == "texts" else pa.int64()
    assert {table.schema.field(name).type for name in ("user_id", "item_id", "interest")} == {id_type}


def test_users_come_in_the_order_asked_and_strangers_have_no_rows(models: dict[str, PinnerSage]) -> None:
    model = models["integers"]
    asked: list[str | int] = [9, "4", 999_999, "nobody", 9]
    found = model.recommend_many(asked, 3, exclude=[1], where={"category": ["0", "2"]}).read_all()
    wanted = model.recommend(9, 3, exclude=[1], where={"category": ["0", "2"]}).to_pylist()
    rows = found.to_pylist()
    assert [row["user_id"] for row in rows] == [9, 9, 9, 4, 4, 4, 9, 9, 9]
    assert [{k: v for k, v in row.items() if k != "user_id"} for row in rows[:3]] == wanted
    assert model.recommend_many(["nobody"]).read_all().num_rows == 0
    assert model.recommend_many([]).read_all().schema.names == COLUMNS
    with pytest.raises(UsageError, match="user_ids: expected several users, got 9 alone"):
        model.recommend_many(9)  # type: ignore[arg-type]


def test_what_is_muted_stays_so(tmp_path: Path) -> None:
    PinnerSage.build(items(), actions(), path=tmp_path / "m").close()
    with LiveModel(tmp_path / "m") as live:
        user = live.find_users()[0]
        medoid = live.interests(user)["interests"][0]["medoid_item_id"]
        live.set_preference(user, medoid, "muted")
    with PinnerSage.open(tmp_path / "m") as model:
        rows = model.recommend_many([user], 20).read_all().to_pylist()
        assert medoid not in {row["interest"] for row in rows}
        assert rows == [{"user_id": user} | row for row in model.recommend(user, 20).to_pylist()]


@pytest.mark.parametrize("name", ["l.parquet", "l.pq", "l.csv", "l.jsonl", "L.NDJSON"])
def test_a_file_has_all_of_it(models: dict[str, PinnerSage], tmp_path: Path, name: str) -> None:
    model, told = models["texts"], list[tuple[Any, ...]]()
    facts = model.export_lists(tmp_path / name, 3, progress=lambda *step: told.append(step))
    wanted = alone(model, 3)
    n_users = len(list(model.users()))
    assert facts == {
        "out": str(tmp_path / name), "n_users": n_users, "n_rows": len(wanted),
        "n_users_without": n_users - len({row["user_id"] for row in wanted}),
    }  # fmt: skip
    assert told[-1] == ("making lists", n_users, n_users)
    path = tmp_path / name
    if path.suffix in (".parquet", ".pq"):
        assert pq.read_table(path).to_pylist() == wanted
    elif path.suffix == ".csv":
        read = pyarrow.csv.read_csv(path).to_pylist()
        assert [row | {"score": pytest.approx(row["score"])} for row in wanted] == read
    else:
        assert [json.loads(line) for line in path.read_text().splitlines()] == wanted
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_cannot_be_written(models: dict[str, PinnerSage], tmp_path: Path) -> None:
    model = models["texts"]
    (tmp_path / "there.csv").touch()
    for name, told in (
        ("lists.xlsx", "expected a file ending in .parquet"), ("there.csv", "is there already"),
        ("none/lists.csv", "in an existing directory"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=told):
            model.export_lists(tmp_path / name)
    with pytest.raises(UsageError, match="where: expected"):
        model.export_lists(tmp_path / "half.csv", where={"colour": "red"})
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
